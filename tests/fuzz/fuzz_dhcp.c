/* fuzz_dhcp.c: any bytes as a packet that came to a DHCP client: as IP, and as a message alone. What is read stays within the bytes, and is clean. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/dhcp/packet.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_message(const uint8_t *bytes, size_t len)
{
    struct dhcp_message m;
    size_t total = 0, option_len = 0;
    uint32_t list[16];
    char text[64];

    if (!dhcp_parse(bytes, len, &m)) {
        must(len < DHCP_MIN || len > DHCP_MAX || memcmp(bytes + 236, magic, 4) != 0);
        return;
    }
    for (unsigned code = 0; code < 300; code++) {
        const uint8_t *option = dhcp_option(&m, code, &option_len);

        must(!option || (option >= m.data && option + option_len <= m.data + DHCP_MAX));
        total += option ? option_len : 0;
        must(dhcp_addresses(&m, code, list, 16) <= 16);
        if (dhcp_text(&m, code, text, sizeof(text)))
            must(strlen(text) > 0 && strlen(text) < sizeof(text) && !strpbrk(text, "\x01\x1b\x7f\xff"));
        if (dhcp_u32(&m, code))
            must(option && option_len == 4);
    }
    must(total <= len);
    must(!dhcp_option(&m, 0, &option_len) && !dhcp_option(&m, OPT_END, &option_len));
    must(dhcp_prefix(m.yiaddr) <= 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct udp_packet packet;
    uint8_t *exact = malloc(size ? size : 1);       /* so that a byte too many is found */

    memcpy(exact, data, size);
    check_message(exact, size);
    if (udp_parse(exact, size, &packet)) {
        uint8_t again[PACKET_MAX];
        struct udp_packet back;
        size_t n = udp_build(&packet, again, sizeof(again));

        must(packet.bytes >= exact && packet.bytes + packet.len <= exact + size);
        must(n == 0 || (udp_parse(again, n, &back) && back.len == packet.len && memcmp(back.bytes, packet.bytes, back.len) == 0));
        check_message(packet.bytes, packet.len);
    }
    free(exact);
    return 0;
}
