/* mist_blocklist.c: clients that may not come on the air, of a site or of the whole organisation.
 *
 * POST …/setting/blacklist replaces the whole list, so every write is: read it, add or take away one, write it. It is read from an address in an object
 * store that the settings name; the store may lag behind, so what this process wrote lately is remembered. */
#include <string.h>
#include <strings.h>
#include "mist.h"

#define MOST 1000                    /* Mist takes no more */
#define STORE_LAGS_MS (5 * 60 * 1000u)

struct blocklist {
    json_t *macs;               /* held; plain MACs, in the list's order */
    json_t *seen;               /* held; as the store shows it */
    bool stale;                 /* that is older than our last write */
    mist_next *then;
};

static const char *scope_path(struct ft_call *call)
{
    const char *site = mist_state(call)->site_id;

    return site ? host->printf(call, "/sites/%s/setting", mist_escape(call, site)) : host->printf(call, "/orgs/%s/setting", mist_escape(call, mist_of(call)->org));
}

static bool is_among(const json_t *lists, const json_t *macs)
{
    json_t *list;
    size_t i;

    json_array_foreach(lists, i, list)
        if (json_equal(list, macs))
            return true;
    return false;
}

/* What the store shows; or, where that is a list from before our last writes, what we wrote last. Takes macs over. */
static void list_read(struct ft_call *call, json_t *macs)
{
    struct blocklist *own = mist_state(call)->own;
    const json_t *ours = json_object_get(mist_of(call)->blocklists, scope_path(call));
    double at = mist_num(ours, "at", 0), now = (double)host->wall_ms(call);
    bool stale = ours && now >= at && now - at < STORE_LAGS_MS && is_among(json_object_get(ours, "former"), macs);

    own->seen = mist_hold(call, macs);
    own->macs = stale ? mist_hold(call, json_incref(json_object_get(ours, "macs"))) : macs;
    own->stale = stale;
    own->then(call);
}

static void fetched(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    json_t *macs = NULL;
    (void)arg;

    if (res->error && res->status == 0) {
        mist_fail(call, res->class ? res->class : FT_UNREACHABLE, "the present blocklist cannot be read, and writing would replace it whole: %s", res->error);
        return;
    }
    if (res->status == 200)
        macs = mist_macs_in(res->body ? res->body : "", res->body_len);
    else if (res->status == 404)
        macs = json_array();
    if (!macs)
        mist_fail(call, res->status == 200 ? FT_INVALID : FT_REFUSED, "the present blocklist cannot be read (its store answered %d%s), and writing would replace it whole",
                  res->status, res->status == 200 ? ", with something that is no list of MAC addresses" : "");
    else
        list_read(call, macs);
}

static void setting_here(struct ft_call *call, json_t *setting)
{
    const char *url = mist_str(setting, "blacklist_url");

    if (!url) {
        list_read(call, json_array());               /* no address: there never was a list */
        return;
    }
    host->redact(call, url);
    mist_fetch(call, url, 1 << 20, fetched);
}

static void ask_setting(struct ft_call *call)
{
    mist_get(call, setting_here, "%s", scope_path(call));
}

static void read_list(struct ft_call *call, mist_next *then)
{
    struct blocklist *own = host->alloc(call, sizeof(*own));

    *own = (struct blocklist){ .then = then };
    mist_state(call)->own = own;
    mist_find_site(call, ask_setting);
}

/* ---- client_blocklist */

static void shown(struct ft_call *call)
{
    struct blocklist *own = mist_state(call)->own;

    mist_done(call, json_pack("{s:s?, s:O, s:i}", "site_id", mist_state(call)->site_id, "macs", own->macs, "total", (int)json_array_size(own->macs)));
}

static void blocklist_begin(struct ft_call *call)
{
    read_list(call, shown);
}
MIST_BEGIN(MIST_LOOK, blocklist_begin, blocklist_start)

const struct ft_action mist_client_blocklist = {
    MIST_READ(blocklist_start),
    .name = "client_blocklist", .summary = "which clients are blocked at a site, or in the whole organisation",
    .params_schema = MIST_PARAMS("", MIST_SITE),
    .result_schema = MIST_OBJ(MIST_P_STR("site_id", "site; nil: the organisation") "," MIST_P_LIST("macs", "{\"type\":\"string\"}", "MAC addresses") ","
        MIST_P("total", "\"integer\"", "how many")),
    .about = "The settings of the site (or of the organisation) name an address in an object store; the list is fetched there, without the token.",
    .example = "- id: blocked\n  run: mist.client_blocklist\n  with: {site: HQ}\n",
};

/* ---- client_block, client_unblock */

static bool listed(const json_t *macs, const char *mac)
{
    json_t *item;
    size_t i;

    json_array_foreach(macs, i, item)
        if (strcmp(json_string_value(item), mac) == 0)
            return true;
    return false;
}

static json_t *with(const json_t *macs, const char *mac, bool blocked)
{
    json_t *out = json_array(), *item;
    size_t i;

    json_array_foreach(macs, i, item)
        if (strcmp(json_string_value(item), mac) != 0)
            json_array_append(out, item);
    if (blocked)
        json_array_append_new(out, json_string(mac));
    return out;
}

static void written(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);
    struct blocklist *own = st->own;
    const json_t *ours = json_object_get(mist_of(call)->blocklists, scope_path(call));
    json_t *now = json_object_get(st->write.body, "macs"), *former = own->stale ? json_copy(json_object_get(ours, "former")) : json_pack("[O]", own->seen);
    json_t *result = st->write.result ? json_copy(st->write.result) : json_object();
    (void)answer;

    if (own->stale)
        json_array_append(former, own->macs);
    json_object_set_new(mist_of(call)->blocklists, scope_path(call), json_pack("{s:f, s:o, s:o}", "at", (double)host->wall_ms(call), "former", former,
                        "macs", now ? json_incref(now) : json_array()));
    json_object_set_new(result, "changed", json_true());
    mist_done(call, result);
}

static void set_list(struct ft_call *call, bool blocked)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    struct blocklist *own = st->own;
    json_t *macs = mist_hold(call, with(own->macs, st->mac, blocked));

    w->method = json_array_size(macs) ? "POST" : "DELETE";
    w->path = host->printf(call, "%s/blacklist", scope_path(call));
    w->body = json_array_size(macs) ? mist_hold(call, json_pack("{s:O}", "macs", macs)) : NULL;
    w->sent = written;
}

static void change(struct ft_call *call, bool blocked)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    struct blocklist *own = st->own;
    bool is = listed(own->macs, st->mac);
    const char *where = st->site_id ? host->printf(call, "site %s", mist_site_label(st)) : "the whole organisation";

    if (blocked && !is && json_array_size(own->macs) >= MOST) {
        mist_fail(call, FT_REFUSED, "the blocklist holds %zu clients, and Mist takes no more than %d", json_array_size(own->macs), MOST);
        return;
    }
    set_list(call, blocked);
    w->nothing_to_do = is == blocked;
    w->summary = host->printf(call, w->nothing_to_do ? (blocked ? "client %s is blocked in %s already" : "client %s is not blocked in %s") :
                              blocked ? "block client %s in %s" : "let client %s into %s again", st->mac, where);
    w->before = mist_hold(call, json_pack("{s:b, s:i}", "blocked", is, "others", (int)json_array_size(own->macs) - is));
    w->watch = mist_hold(call, json_pack("{s:b}", "blocked", is));
    w->changes = mist_hold(call, json_pack("[{s:s, s:b, s:b}]", "path", host->printf(call, "blacklist.%s", st->mac), "from", is, "to", blocked));
    w->users = blocked ? 1 : 0;
    w->receipt = mist_hold(call, json_pack("{s:s?, s:s, s:b}", "site_id", st->site_id, "mac", st->mac, "was", is));
    w->result = mist_hold(call, json_pack("{s:s?, s:s}", "site_id", st->site_id, "mac", st->mac));
    mist_write_ready(call);
}

static void block_ready(struct ft_call *call)
{
    change(call, true);
}

static void unblock_ready(struct ft_call *call)
{
    change(call, false);
}

static void block_begin(struct ft_call *call)
{
    if (mist_find_mac(call))
        read_list(call, block_ready);
}

static void unblock_begin(struct ft_call *call)
{
    if (mist_find_mac(call))
        read_list(call, unblock_ready);
}

/* What undo and probe look at: the list that the receipt speaks of. */
static void read_by_receipt(struct ft_call *call, mist_next *then)
{
    const json_t *receipt = mist_receipt(call);
    struct blocklist *own = host->alloc(call, sizeof(*own));

    if (!receipt || !mist_find_mac(call))
        return;
    if (!mist_str(receipt, "mac") || strcmp(mist_str(receipt, "mac"), mist_state(call)->mac) != 0) {
        mist_fail(call, FT_INVALID, "the receipt is not of this client");
        return;
    }
    *own = (struct blocklist){ .then = then };
    mist_state(call)->own = own;
    mist_state(call)->site_id = mist_str(receipt, "site_id");
    ask_setting(call);
}

static void undo_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    bool was = json_is_true(json_object_get(host->receipt(call), "was"));

    if (listed(((struct blocklist *)st->own)->macs, st->mac) == was) {
        mist_done(call, json_pack("{s:b}", "changed", false));
    } else {
        set_list(call, was);
        mist_write_ready(call);
    }
}

static void undo_begin(struct ft_call *call) { read_by_receipt(call, undo_ready); }

static void probed(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    bool is = listed(((struct blocklist *)st->own)->macs, st->mac), was = json_is_true(json_object_get(host->receipt(call), "was"));

    mist_done(call, json_pack("{s:b, s:{s:b}}", "happened", is != was, "seen", "blocked", is));
}

static void probe_begin(struct ft_call *call) { read_by_receipt(call, probed); }
MIST_BEGIN(MIST_RUN, block_begin, block_run)
MIST_BEGIN(MIST_PLAN, block_begin, block_plan)
MIST_BEGIN(MIST_RUN, unblock_begin, unblock_run)
MIST_BEGIN(MIST_PLAN, unblock_begin, unblock_plan)
MIST_BEGIN(MIST_UNDO, undo_begin, block_undo)
MIST_BEGIN(MIST_PROBE, probe_begin, block_probe)

#define TOUCHED MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site; nil: the organisation") "," MIST_P_MAC("mac", "MAC address of the client"))

const struct ft_action mist_client_block = {
    MIST_WRITE(block_run, block_plan), .undo = { block_undo, mist_drop }, .probe = { block_probe, mist_drop },
    .name = "client_block", .summary = "block a client at a site, or in the whole organisation",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"mac\"", MIST_SITE "," MIST_CLIENT),
    .result_schema = TOUCHED,
    .about = "`POST /sites/{site_id}/setting/blacklist`, or that of the organisation without a site, with the present list and this client. Mist replaces the whole list, so\n"
             "this fails rather than write when the present one cannot be read. It works on WLANs with `block_blacklist_clients`. Undo takes just this client off again.",
    .example = "- id: block\n  run: mist.client_block\n  with: {site: HQ, mac: \"${client}\"}\n  undo: auto\n",
};

const struct ft_action mist_client_unblock = {
    MIST_WRITE(unblock_run, unblock_plan), .undo = { block_undo, mist_drop }, .probe = { block_probe, mist_drop },
    .name = "client_unblock", .summary = "let a blocked client in again",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"mac\"", MIST_SITE "," MIST_CLIENT),
    .result_schema = TOUCHED,
    .about = "`POST /sites/{site_id}/setting/blacklist`, or that of the organisation without a site, with the present list without this client; `DELETE` where nobody is left.\n"
             "Undo blocks it again.",
    .example = "- id: unblock\n  run: mist.client_unblock\n  with: {site: HQ, mac: \"${client}\"}\n  undo: auto\n",
};
