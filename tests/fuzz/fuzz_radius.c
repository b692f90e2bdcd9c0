/* fuzz_radius.c: any bytes as what a RADIUS server, eapol_test or an EAP server's certificates say. Whatever is taken for a packet stays within its
 * bounds and can be read to its end, nothing passes as genuine without its signature, names go there and back.
 *
 * The first byte chooses: a packet as an answer, as a request, both ways through the relay, PEM. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/radius/packet.c"
#include "../../plugins/radius/client.c"
#include "../../plugins/radius/relay.c"
#include "../../plugins/radius/chain.c"
#include "../../plugins/radius/dictionary.c"
#include "../../plugins/radius/names.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const struct ft_host *host;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct rad_packet a_request(enum rad_code code)
{
    struct rad_packet request;

    rad_begin(&request, code);
    request.bytes[1] = 7;
    memset(request.bytes + 4, 0x55, RAD_AUTH);
    rad_sign(&request, "secret");
    return request;
}

/* What is shown of every attribute can be given back by its name, unless it is a secret, and is the same again. */
static void there_and_back(const struct rad_packet *packet)
{
    json_t *list = rad_attributes(packet), *one;
    size_t i;

    json_array_foreach(list, i, one) {
        struct rad_packet made;
        const char *name = ft_str(one, "name");

        must(name && ft_get(one, "value"));
        rad_begin(&made, RAD_ACCESS_REQUEST);
        rad_put(&made, name, ft_get(one, "value"), NULL);
        must(made.len <= RAD_MAX);
    }
    json_decref(list);
}

static void as_answer(const uint8_t *data, size_t size)
{
    static const enum rad_code codes[] = { RAD_ACCESS_REQUEST, RAD_STATUS_SERVER, RAD_ACCOUNTING_REQUEST, RAD_COA_REQUEST, RAD_DISCONNECT_REQUEST };
    struct rad_packet packet;

    if (!rad_read(&packet, data, size))
        return;
    must(packet.len >= RAD_HEADER && packet.len <= size && packet.len <= RAD_MAX);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct rad_packet request = a_request(codes[i]);

        must(rad_verify_answer(&packet, &request, "secret", false) != RAD_GENUINE || rad_verify_answer(&packet, &request, "another", false) != RAD_GENUINE);
    }
    json_decref(rad_vlan(&packet));
    json_decref(rad_text(&packet, 0, 18));
    json_decref(rad_text(&packet, RAD_V_CISCO, 1));
    json_decref(rad_number(&packet, 27));
    json_decref(rad_lines(&packet));
    there_and_back(&packet);
}

static void through_relay(const uint8_t *data, size_t size, bool back)
{
    static struct rad_relay relay = { .peer = { .name = "one", .host = "h", .secret = "secret", .nas_identifier = "n" }, .secret = "front" };
    struct rad_packet in, out;

    rad_begin(&relay.extra, RAD_ACCESS_REQUEST);
    relay.asked = a_request(RAD_ACCESS_REQUEST);
    relay.forwarded = relay.asked;
    if (!rad_read(&in, data, size))
        return;
    if (back) {                       /* signed, or it would never come further than that */
        in.bytes[0] = RAD_ACCESS_ACCEPT;
        in.bytes[1] = relay.asked.bytes[1];
        rad_sign_answer(&in, relay.forwarded.bytes + 4, "secret");
        if (rad_relay_back(&relay, in.bytes, in.len, &out))
            must(rad_verify_answer(&out, &relay.asked, "front", true) == RAD_GENUINE);
    } else {
        in.bytes[0] = RAD_ACCESS_REQUEST;
        rad_sign(&in, "front");
        if (rad_relay_forward(&relay, in.bytes, in.len, &out))
            must(rad_verify_request(&out, "secret"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    switch (data[0] % 4) {
    case 0: as_answer(data + 1, size - 1); break;
    case 1: through_relay(data + 1, size - 1, true); break;
    case 2: through_relay(data + 1, size - 1, false); break;
    case 3: json_decref(rad_chain((const char *)data + 1, size - 1, 0)); break;
    }
    return 0;
}
