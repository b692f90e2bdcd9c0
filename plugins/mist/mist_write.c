/* mist_write.c: small things that many writes share. */
#include "mist.h"

const char *mist_device_name(const struct mist_call *st)
{
    return st->device.name ? st->device.name : st->device.mac ? st->device.mac : st->device.id;
}

const char *mist_site_label(const struct mist_call *st)
{
    return st->site_name ? st->site_name : st->site_id;
}

void mist_device_write(struct ft_call *call, const char *method, const char *command, json_t *body)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;

    w->method = method;
    w->path = host->printf(call, "/sites/%s/devices/%s%s%s", mist_escape(call, st->site_id), mist_escape(call, st->device.id), *command ? "/" : "", command);
    w->body = mist_hold(call, body);
    w->result = mist_hold(call, json_pack("{s:s, s:s}", "site_id", st->site_id, "device_id", st->device.id));
}

bool mist_take_site_and_device(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return false;
    st->site_id = mist_str(receipt, "site_id");
    st->device.id = mist_str(receipt, "device_id");
    st->device.mac = mist_str(receipt, "mac");
    if (st->site_id && st->device.id)
        return true;
    mist_fail(call, FT_INVALID, "the receipt names no site and device");
    return false;
}
