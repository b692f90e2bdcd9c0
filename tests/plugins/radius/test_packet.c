/* The bytes of RADIUS: the examples of the RFCs, and what must not pass. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "../../../plugins/radius/packet.c"
#include "../../../plugins/radius/mschap.c"
#include "../../../plugins/radius/dictionary.c"
#include "../../../plugins/radius/names.c"

#define RFC_SECRET "xyzzy5461"       /* of the examples of RFC 2865 and 5997 */

static size_t bytes_of(const char *hex, uint8_t *ret)
{
    size_t n = 0;
    unsigned byte;

    for (; *hex; hex += *hex == ' ' ? 1 : 2)
        if (*hex != ' ') {
            cr_assert_eq(sscanf(hex, "%2x", &byte), 1);
            ret[n++] = (uint8_t)byte;
        }
    return n;
}

static struct rad_packet packet_of(const char *hex)
{
    uint8_t bytes[RAD_MAX];
    struct rad_packet packet = { 0 };
    size_t n = bytes_of(hex, bytes);

    cr_assert(rad_read(&packet, bytes, n), "%s", hex);
    return packet;
}

/* RFC 2865 §7.1 to 7.3: request, answer */
static const struct { const char *request, *answer, *password; } examples[] = {
    { "01 00 00 38 0f403f9473978057bd83d5cb98f4227a 0106 6e656d6f 0212 0dbe708d93d413ce3196e43f782a0aee 0406 c0a80110 0506 00000003",
      "02 00 00 26 86fe220e7624ba2a1005f6bf9b55e0b2 0606 00000001 0f06 00000000 0e06 c0a80103", "arctangent" },
    { "01 01 00 47 2aee86f08d0d55969ca5978e0d3367a2 0108 666c6f707379 0313 16e97557c316185895f293ff63440772 75 0406 c0a80110 0506 00000014 0606 00000002 0706 00000001",
      "02 01 00 38 15efbc7dab26cfa3dc34d9c03c8601a4 0606 00000002 0706 00000001 0806 fffffffe 0a06 00000002 0d06 00000001 0c06 000005dc", NULL },
    { "01 02 00 39 f3a47a1f6a6d76710b947ab93041a039 0107 6d6f707379 0212 33657573778289b570885e15084825c5 0406 c0a80110 0506 00000007",
      "0b 02 00 4e 36f3c8764ae8c71157403c0c71ff9c45 1230 4368616c6c656e67652033323736393433302e2020456e74657220726573706f6e73652061742070726f6d70742e"
      " 180a 3332373639343330", "challenge" },
};

Test(radius, answers_of_the_rfc_are_genuine)
{
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        struct rad_packet request = packet_of(examples[i].request), answer = packet_of(examples[i].answer);

        cr_expect_eq(rad_verify_answer(&answer, &request, RFC_SECRET, false), RAD_GENUINE, "example %zu", i);
        cr_expect_eq(rad_verify_answer(&answer, &request, RFC_SECRET, true), RAD_UNSIGNED, "example %zu", i);
        cr_expect_eq(rad_verify_answer(&answer, &request, "xyzzy5462", false), RAD_FORGED, "example %zu", i);
        answer.bytes[1]++;
        cr_expect_eq(rad_verify_answer(&answer, &request, RFC_SECRET, false), RAD_STRANGER, "example %zu", i);
    }
}

Test(radius, passwords_of_the_rfc_are_hidden_as_there)
{
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        struct rad_packet request = packet_of(examples[i].request), made = request;
        struct rad_attr there, here;

        if (!examples[i].password)
            continue;
        made.len = RAD_HEADER;
        cr_assert(rad_add_password(&made, examples[i].password, RFC_SECRET));
        cr_assert(rad_find(&request, 0, 2, &there) && rad_find(&made, 0, 2, &here));
        cr_expect(here.len == there.len && memcmp(here.value, there.value, here.len) == 0, "example %zu", i);
    }
}

Test(radius, chap_of_the_rfc)
{
    struct rad_packet request = packet_of(examples[1].request);
    struct rad_attr attr;
    uint8_t chap[17];

    cr_assert(rad_find(&request, 0, 3, &attr));
    rad_chap(chap, 0x16, "arctangent", request.bytes + 4);
    cr_expect(attr.len == 17 && memcmp(chap, attr.value, 17) == 0);
}

Test(radius, long_passwords)
{
    char password[130];
    struct rad_packet packet;

    for (size_t len = 0; len < sizeof(password); len++) {
        memset(password, 'x', len);
        password[len] = '\0';
        rad_begin(&packet, RAD_ACCESS_REQUEST);
        cr_expect_eq(rad_add_password(&packet, password, "s"), len <= 128, "%zu", len);
        if (len <= 128)
            cr_expect_eq(packet.len, RAD_HEADER + 18 + 2 + (len ? (len + 15) / 16 * 16 : 16), "%zu", len);
    }
}

/* RFC 5997 §6.1 and 6.2 */
Test(radius, status_server_of_the_rfc)
{
    struct rad_packet request = packet_of("0c da 00 26 8a54f4686fb394c52866e302185d0623 5012 5a665e2e1e8411f3e243822097c84fa3");
    struct rad_packet answer = packet_of("02 da 00 14 ef0d552a4bf2d693ec2b6fe8b5411d66");
    struct rad_packet acct = packet_of("0c b3 00 26 925f6b66dd5fed571fcb1db7ad388260 5012 e8d6eabda910875cd91fdade26367858");

    cr_expect(rad_verify_request(&request, RFC_SECRET) && rad_verify_request(&acct, RFC_SECRET));
    cr_expect(!rad_verify_request(&request, "xyzzy"));
    cr_expect_eq(rad_verify_answer(&answer, &request, RFC_SECRET, false), RAD_GENUINE);
}

/* Every kind of request and each of its answers, signed by one side and checked by the other; any bit that changes on the way is seen. */
Test(radius, both_sides_agree_and_no_bit_may_change)
{
    static const struct { enum rad_code request; unsigned answers[3]; } kinds[] = {
        { RAD_ACCESS_REQUEST, { 2, 3, 11 } }, { RAD_STATUS_SERVER, { 2, 5 } }, { RAD_ACCOUNTING_REQUEST, { 5 } },
        { RAD_COA_REQUEST, { 44, 45 } }, { RAD_DISCONNECT_REQUEST, { 41, 42 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct rad_packet request, answer;

        cr_assert(rad_begin(&request, kinds[i].request));
        cr_assert_eq(request.bytes[RAD_HEADER], RAD_A_MESSAGE_AUTHENTICATOR, "it comes first");
        rad_add_text(&request, 1, "alice");
        rad_sign(&request, "one");
        cr_expect(rad_verify_request(&request, "one") && !rad_verify_request(&request, "two"), "kind %u", kinds[i].request);
        for (size_t k = 0; k < 3 && kinds[i].answers[k]; k++) {
            rad_begin(&answer, kinds[i].answers[k]);
            answer.bytes[1] = request.bytes[1];
            rad_add_u32(&answer, 27, 60);
            rad_sign_answer(&answer, request.bytes + 4, "one");
            cr_expect_eq(rad_verify_answer(&answer, &request, "one", true), RAD_GENUINE, "kind %u answer %zu", kinds[i].request, k);
            for (size_t bit = 8 * 4; bit < 8 * answer.len; bit++) {
                struct rad_packet odd = answer, again;

                odd.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                cr_expect(!rad_read(&again, odd.bytes, odd.len) || rad_verify_answer(&again, &request, "one", true) != RAD_GENUINE, "bit %zu", bit);
            }
        }
    }
}

/* Made with Python's hashlib and hmac after RFC 5176. */
#define COA_REQUEST "2b070033f73b29f84c640bec8c05cd88569e911b501203f90d1a43bda11900ad956113f053fe0107616c6963652c06676f6e65"
#define COA_ACK "2c070026b586d63b59a92364b7d62dcac621759f5012e4cd63ecceac6d2511ecb8241bafe611"
#define COA_NAK "2d07001a7a3d194e625757c3c3fe2edde11181e26506000001f7"

Test(radius, coa_and_disconnect_of_another_implementation)
{
    struct rad_packet coa = packet_of(COA_REQUEST), ack = packet_of(COA_ACK), nak = packet_of(COA_NAK);
    struct rad_attr attr;

    cr_expect(rad_verify_request(&coa, "testing123"));
    cr_expect_eq(rad_verify_answer(&ack, &coa, "testing123", true), RAD_GENUINE);
    cr_expect_eq(rad_verify_answer(&nak, &coa, "testing123", false), RAD_GENUINE);
    cr_assert(rad_find(&nak, 0, RAD_A_ERROR_CAUSE, &attr));
    cr_expect_str_eq(rad_error_cause(503), "it knows no such session");
}

static const struct { const char *hex, *what; } broken[] = {
    { "", "nothing" },
    { "02", "one octet" },
    { "02 00 00 13 00000000000000000000000000000000", "a length below 20" },
    { "02 00 00 15 00000000000000000000000000000000", "a length beyond the datagram" },
    { "02 00 10 01 00000000000000000000000000000000", "a length beyond 4096" },
    { "02 00 00 15 00000000000000000000000000000000 01", "half an attribute" },
    { "02 00 00 16 00000000000000000000000000000000 0100", "an attribute of length 0" },
    { "02 00 00 16 00000000000000000000000000000000 0101", "an attribute of length 1" },
    { "02 00 00 16 00000000000000000000000000000000 0103", "an attribute beyond the end" },
};

Test(radius, broken_packets_are_none)
{
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        uint8_t bytes[64];
        struct rad_packet packet;

        cr_expect(!rad_read(&packet, bytes, bytes_of(broken[i].hex, bytes)), "%s", broken[i].what);
    }
}

/* What must never pass for a signature: in a vendor's attribute, twice, or of another length. */
Test(radius, message_authenticators_that_are_none)
{
    static const uint8_t zero[16];
    struct rad_packet request, answer;

    rad_begin(&request, RAD_ACCESS_REQUEST);
    rad_sign(&request, "s");
    for (int kind = 0; kind < 4; kind++) {
        rad_begin(&answer, RAD_ACCESS_ACCEPT);
        answer.bytes[1] = request.bytes[1];
        if (kind != 1)
            answer.len = RAD_HEADER;
        if (kind == 0)
            rad_add_vendor(&answer, 0, RAD_A_MESSAGE_AUTHENTICATOR, zero, 16);
        else if (kind == 1)
            rad_add(&answer, RAD_A_MESSAGE_AUTHENTICATOR, zero, 16);
        else if (kind == 2)
            rad_add(&answer, RAD_A_MESSAGE_AUTHENTICATOR, zero, 15);
        else
            rad_add_vendor(&answer, 9, RAD_A_MESSAGE_AUTHENTICATOR, zero, 16);
        rad_sign_answer(&answer, request.bytes + 4, "s");
        cr_expect_neq(rad_verify_answer(&answer, &request, "s", true), RAD_GENUINE, "kind %d", kind);
    }
}

/* RFC 2759 §9.2 */
Test(radius, mschapv2_of_the_rfc)
{
    uint8_t server[16], peer[16], hash[16], wanted[24], response[24];
    char success[MSCHAP_SUCCESS_LEN + 1];

    bytes_of("5B5D7C7D7B3F2F3E3C2C602132262628", server);
    bytes_of("21402324255E262A28295F2B3A337C7E", peer);
    cr_assert(rad_nt_hash("clientPass", hash));
    bytes_of("44EBBA8D5312B8D611474411F56989AE", wanted);
    cr_expect(memcmp(hash, wanted, 16) == 0);
    rad_mschap2(server, peer, "User", hash, response);
    bytes_of("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF", wanted);
    cr_expect(memcmp(response, wanted, 24) == 0);
    rad_mschap2_success(server, peer, "User", hash, response, success);
    cr_expect_str_eq(success, "S=407A5589115FD0D6209F510FE9C04566932CDA56");
    rad_mschap2(server, peer, "DOMAIN\\User", hash, response);
    cr_expect(memcmp(response, wanted, 24) == 0, "the domain does not count");
}

Test(radius, passwords_in_every_script)
{
    static const struct { const char *password; bool good; } cases[] = {
        { "", true }, { "p\xc3\xa4ssword", true }, { "\xf0\x9f\x94\x91", true }, { "\xc3", false }, { "\xff", false }, { "\xc3(", false },
    };
    uint8_t hash[16];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_eq(rad_nt_hash(cases[i].password, hash), cases[i].good, "case %zu", i);
}

Test(radius, keys_under_a_salt_come_back)
{
    uint8_t clear[32], value[32], auth[16] = { 7 }, salt[2] = { 0x80, 1 };

    for (size_t i = 0; i < sizeof(clear); i++)
        clear[i] = value[i] = (uint8_t)i;
    rad_salt_crypt(value, 32, salt, auth, "s", false);
    cr_expect(memcmp(value, clear, 32) != 0);
    rad_salt_crypt(value, 32, salt, auth, "s", true);
    cr_expect(memcmp(value, clear, 32) == 0);
}

/* ---- names */

static const struct { const char *name, *value, *hex; } put_cases[] = {
    { "User-Name", "\"bob\"", "01 05 626f62" },
    { "user-name", "\"bob\"", "01 05 626f62" },
    { "NAS-IP-Address", "\"10.0.0.1\"", "04 06 0a000001" },
    { "NAS-IPv6-Address", "\"2001:db8::1\"", "5f 12 20010db8000000000000000000000001" },
    { "NAS-Port-Type", "\"Wireless-802.11\"", "3d 06 00000013" },
    { "NAS-Port-Type", "19", "3d 06 00000013" },
    { "Session-Timeout", "\"60\"", "1b 06 0000003c" },
    { "Tunnel-Type:1", "\"VLAN\"", "40 06 0100000d" },
    { "Tunnel-Private-Group-Id:1", "\"120\"", "51 06 01313230" },
    { "Tunnel-Private-Group-Id", "\"120\"", "51 05 313230" },
    { "State", "\"0x0aFF\"", "18 04 0aff" },
    { "Class", "\"plain\"", "19 07 706c61696e" },
    { "Attr-200", "\"0x01\"", "c8 03 01" },
    { "Cisco-AVPair", "\"a=b\"", "1a 0b 00000009 01 05 613d62" },
    { "Cisco-AVPair", "[\"a\", \"b\"]", "1a 09 00000009 01 03 61 1a 09 00000009 01 03 62" },
    { "Aruba-User-Vlan", "12", "1a 0c 000039e7 02 06 0000000c" },
    { "Vendor-9-Attr-252", "\"x\"", "1a 09 00000009 fc 03 78" },
};

Test(radius, attributes_by_name)
{
    for (size_t i = 0; i < ARRAY_LEN(put_cases); i++) {
        uint8_t wanted[64];
        size_t n = bytes_of(put_cases[i].hex, wanted);
        json_t *value = json_loads(put_cases[i].value, JSON_DECODE_ANY, NULL);
        struct rad_packet packet;
        struct ft_err err = { 0 };

        rad_begin(&packet, RAD_ACCESS_REQUEST);
        packet.len = RAD_HEADER;
        cr_expect_eq(rad_put(&packet, put_cases[i].name, value, &err), 0, "%s: %s", put_cases[i].name, err.text);
        cr_expect(packet.len == RAD_HEADER + n && memcmp(packet.bytes + RAD_HEADER, wanted, n) == 0, "%s = %s", put_cases[i].name, put_cases[i].value);
        json_decref(value);
    }
}

static const struct { const char *name, *value, *says; } refused[] = {
    { "No-Such", "\"x\"", "no attribute fettle knows" },
    { "User-Password", "\"x\"", "secret" },
    { "MS-CHAP2-Response", "\"x\"", "secret" },
    { "Attr-2", "\"x\"", "no attribute" },
    { "Attr-80", "\"x\"", "no attribute" },
    { "Message-Authenticator", "\"x\"", "no attribute" },
    { "Attr-300", "\"x\"", "no attribute" },
    { "Tunnel-Type:99", "13", "no attribute" },
    { "NAS-Port", "\"high\"", "a number" },
    { "NAS-Port", "-1", "a number" },
    { "NAS-Port", "4294967296", "a number" },
    { "Tunnel-Type", "16777216", "2^24" },
    { "NAS-IP-Address", "\"10.0.0\"", "IPv4" },
    { "State", "\"0x0\"", "hex" },
    { "Filter-Id", "true", "a text" },
    { "Filter-Id", "[\"a\", {}]", "a text" },
};

Test(radius, attributes_that_are_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        json_t *value = json_loads(refused[i].value, JSON_DECODE_ANY, NULL);
        struct rad_packet packet;
        struct ft_err err = { 0 };

        rad_begin(&packet, RAD_ACCESS_REQUEST);
        cr_expect(rad_put(&packet, refused[i].name, value, &err) < 0 && err.class == FT_INVALID && strstr(err.text, refused[i].says), "%s = %s: %s",
                  refused[i].name, refused[i].value, err.text);
        json_decref(value);
    }
}

Test(radius, packets_have_their_bounds)
{
    struct rad_packet packet;
    uint8_t big[300] = { 0 };

    rad_begin(&packet, RAD_ACCESS_REQUEST);
    for (int i = 0; i < 15; i++)
        rad_add(&packet, 18, big, 253);
    cr_expect(!packet.overflow);
    rad_add(&packet, 18, big, 253);
    cr_expect(packet.overflow && packet.len <= RAD_MAX);
    rad_begin(&packet, RAD_ACCESS_REQUEST);
    rad_add(&packet, 18, big, 254);
    cr_expect(packet.overflow);
    rad_begin(&packet, RAD_ACCESS_REQUEST);
    rad_add_vendor(&packet, 9, 1, big, 247);
    cr_expect(!packet.overflow);
    rad_add_vendor(&packet, 9, 1, big, 248);
    cr_expect(packet.overflow);
}

/* attributes, as JSON; VLAN */
static const struct { const char *hex, *json, *vlan; } shown[] = {
    { "4006 0100000d 4106 01000006 5106 01313230", "[{\"name\":\"Tunnel-Type\",\"value\":\"VLAN\",\"tag\":1},{\"name\":\"Tunnel-Medium-Type\",\"value\":\"IEEE-802\",\"tag\":1},"
      "{\"name\":\"Tunnel-Private-Group-Id\",\"value\":\"120\",\"tag\":1}]", "120" },
    { "4006 0000000d 5105 313230", "[{\"name\":\"Tunnel-Type\",\"value\":\"VLAN\"},{\"name\":\"Tunnel-Private-Group-Id\",\"value\":\"120\"}]", "120" },
    { "5105 313230", "[{\"name\":\"Tunnel-Private-Group-Id\",\"value\":\"120\"}]", NULL },
    { "4006 0000000a 5105 313230", "[{\"name\":\"Tunnel-Type\",\"value\":\"GRE\"},{\"name\":\"Tunnel-Private-Group-Id\",\"value\":\"120\"}]", NULL },
    { "1b05 010203", "[{\"name\":\"Session-Timeout\",\"value\":\"0x010203\"}]", NULL },
    { "1a0c 00000137 1106 80017878", "[{\"name\":\"MS-MPPE-Recv-Key\",\"value\":\"***\"}]", NULL },
    { "1a06 00000009", "[{\"name\":\"Attr-26\",\"value\":\"0x00000009\"}]", NULL },
    { "1a09 00000009 0109 61", "[{\"name\":\"Attr-26\",\"value\":\"0x00000009010961\"}]", NULL },
    { "1a0c 00000009 0103 61 0103 62", "[{\"name\":\"Cisco-AVPair\",\"value\":\"a\"},{\"name\":\"Cisco-AVPair\",\"value\":\"b\"}]", NULL },
    { "1204 c328", "[{\"name\":\"Reply-Message\",\"value\":\"0xc328\"}]", NULL },
    { "1204 0a61", "[{\"name\":\"Reply-Message\",\"value\":\"0x0a61\"}]", NULL },
    { "f004 6869", "[{\"name\":\"Attr-240\",\"value\":\"hi\"}]", NULL },
    { "0102", "[{\"name\":\"User-Name\",\"value\":\"\"}]", NULL },
};

Test(radius, attributes_for_people)
{
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        uint8_t bytes[RAD_MAX] = { RAD_ACCESS_ACCEPT };
        size_t n = RAD_HEADER + bytes_of(shown[i].hex, bytes + RAD_HEADER);
        struct rad_packet packet;
        json_t *list, *vlan;
        char *text;

        bytes[3] = (uint8_t)n;
        cr_assert(rad_read(&packet, bytes, n), "%s", shown[i].hex);
        list = rad_attributes(&packet);
        vlan = rad_vlan(&packet);
        text = json_dumps(list, JSON_COMPACT);
        cr_expect_str_eq(text, shown[i].json);
        cr_expect(shown[i].vlan ? json_is_string(vlan) && strcmp(json_string_value(vlan), shown[i].vlan) == 0 : json_is_null(vlan), "%s", shown[i].hex);
        free(text);
        json_decref(list);
        json_decref(vlan);
    }
}
