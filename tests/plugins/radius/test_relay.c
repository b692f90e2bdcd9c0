/* The relay between eapol_test and the server, packet by packet; and the certificates that it makes readable. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "../../../plugins/radius/packet.c"
#include "../../../plugins/radius/client.c"
#include "../../../plugins/radius/relay.c"
#include "../../../plugins/radius/chain.c"
#include "../../../plugins/radius/dictionary.c"
#include "../../../plugins/radius/names.c"

const struct ft_host *host;

static const struct rad_peer peer = { .name = "one", .host = "127.0.0.1", .secret = "real", .nas_ip = "10.0.0.9", .nas_identifier = "fettle", .port = 1, .need_ma = true, .tries = 1 };

static struct rad_relay *relay_with(const char *extra_name)
{
    struct rad_packet extra;
    struct rad_relay *relay;

    rad_begin(&extra, RAD_ACCESS_REQUEST);
    if (extra_name) {
        json_t *value = json_string("extra");

        cr_assert_eq(rad_put(&extra, extra_name, value, NULL), 0);
        json_decref(value);
    }
    relay = rad_relay_new(&peer, &extra, 1000, NULL);
    cr_assert(relay && rad_relay_port(relay) > 0 && strlen(rad_relay_secret(relay)) == 32);
    return relay;
}

static struct rad_packet ask(const struct rad_relay *relay)
{
    struct rad_packet packet;

    rad_begin(&packet, RAD_ACCESS_REQUEST);
    rad_add(&packet, RAD_A_NAS_IP, "\x7f\0\0\1", 4);
    rad_add_text(&packet, 30, "from-eapol");
    rad_add(&packet, RAD_A_EAP_MESSAGE, "eap", 3);
    rad_sign(&packet, rad_relay_secret(relay));
    return packet;
}

Test(relay, to_the_server)
{
    struct rad_relay *relay = relay_with("Called-Station-Id");
    struct rad_packet in = ask(relay), out, again;
    struct rad_attr attr;

    cr_assert(rad_relay_forward(relay, in.bytes, in.len, &out));
    cr_expect(rad_verify_request(&out, "real") && out.bytes[RAD_HEADER] == RAD_A_MESSAGE_AUTHENTICATOR);
    cr_expect(memcmp(out.bytes + 4, in.bytes + 4, RAD_AUTH) == 0 && out.bytes[1] == in.bytes[1], "keys hang on the authenticator");
    cr_expect(rad_find(&out, 0, RAD_A_NAS_IP, &attr) && memcmp(attr.value, "\x0a\0\0\x09", 4) == 0);
    cr_expect(rad_find(&out, 0, RAD_A_NAS_IDENTIFIER, &attr) && rad_find(&out, 0, RAD_A_EAP_MESSAGE, &attr));
    cr_expect(rad_find(&out, 0, 30, &attr) && attr.len == 5, "the step's attribute in place of eapol_test's");
    cr_assert(rad_relay_forward(relay, in.bytes, in.len, &again));
    cr_expect(again.len == out.len && memcmp(again.bytes, out.bytes, out.len) == 0 && rad_relay_seen(relay).asked == 1, "once more the same");
    in.bytes[in.len - 1] ^= 1;
    cr_expect(!rad_relay_forward(relay, in.bytes, in.len, &out), "not from eapol_test");
    cr_expect(!rad_relay_forward(relay, in.bytes, 19, &out));
    rad_relay_free(relay);
}

Test(relay, back_to_eapol_test)
{
    struct rad_relay *relay = relay_with(NULL);
    struct rad_packet in = ask(relay), forwarded, answer, out;
    uint8_t key[34] = { 0x80, 1, 16, 'k', 'e', 'y' }, clear[34];
    struct rad_attr attr;

    memcpy(clear, key, sizeof(key));
    cr_assert(rad_relay_forward(relay, in.bytes, in.len, &forwarded));
    rad_begin(&answer, RAD_ACCESS_ACCEPT);
    answer.bytes[1] = forwarded.bytes[1];
    rad_salt_crypt(key + 2, 32, key, forwarded.bytes + 4, "real", false);
    rad_add_vendor(&answer, RAD_V_MICROSOFT, 17, key, sizeof(key));
    rad_sign_answer(&answer, forwarded.bytes + 4, "other");
    cr_expect(!rad_relay_back(relay, answer.bytes, answer.len, &out) && rad_relay_seen(relay).forged == 1);
    rad_sign_answer(&answer, forwarded.bytes + 4, "real");
    cr_assert(rad_relay_back(relay, answer.bytes, answer.len, &out));
    cr_expect_eq(rad_verify_answer(&out, &in, rad_relay_secret(relay), true), RAD_GENUINE);
    cr_assert(rad_find(&out, RAD_V_MICROSOFT, 17, &attr) && attr.len == 34);
    memcpy(key, attr.value, 34);
    rad_salt_crypt(key + 2, 32, key, in.bytes + 4, rad_relay_secret(relay), true);
    cr_expect(memcmp(key, clear, 34) == 0, "the key is under the other secret now");
    cr_expect(rad_relay_seen(relay).answered == 1 && rad_relay_seen(relay).last->bytes[0] == RAD_ACCESS_ACCEPT);
    rad_relay_free(relay);
}

/* ---- certificates: made for this test, good for 100 years from 2026 */

static const char leaf_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBxjCCAWugAwIBAgIUApsyBtSblcy4trmdNqGkg8eesiUwCgYIKoZIzj0EAwIw\n"
    "JjEOMAwGA1UECgwFVMOrc3QxFDASBgNVBAMMC3JhZGl1cy50ZXN0MCAXDTI2MTEy\n"
    "NTIzMTUyM1oYDzIxMjYxMTAxMjMxNTIzWjAmMQ4wDAYDVQQKDAVUw6tzdDEUMBIG\n"
    "A1UEAwwLcmFkaXVzLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATNcZXH\n"
    "kruO/Mxbf3Yp7VjfXOS0UxHthbHLeY+HCTKqggKXqw/WIZCp9nLIt+eYV7oB8ajM\n"
    "uQfWBT4Cu9PrDHpno3UwczAdBgNVHQ4EFgQU9hc+nqwqqkc7bFl1TAabBF2c1nUw\n"
    "HwYDVR0jBBgwFoAU9hc+nqwqqkc7bFl1TAabBF2c1nUwIwYDVR0RBBwwGoILcmFk\n"
    "aXVzLnRlc3SCC3NlY29uZC50ZXN0MAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwID\n"
    "SQAwRgIhANkDCFnFLqtoxS1Ppu0lWy8qcMdZxAQuK34R6V5XbnYwAiEAkJO+fNsW\n"
    "UovrWZXQtQjtCSFIQWjiuwiHbMjmO2G/4j8=\n"
    "-----END CERTIFICATE-----\n";
static const char key_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgVm7oVawP6eGHuSEC\n"
    "SrD41s1jZHkiKw7S7YAJYHSI2WqhRANCAATNcZXHkruO/Mxbf3Yp7VjfXOS0UxHt\n"
    "hbHLeY+HCTKqggKXqw/WIZCp9nLIt+eYV7oB8ajMuQfWBT4Cu9PrDHpn\n"
    "-----END PRIVATE KEY-----\n";

Test(chain, of_one)
{
    json_t *chain = rad_chain(leaf_pem, strlen(leaf_pem), 1795651200);
    const json_t *one = json_array_get(chain, 0);

    cr_assert_eq(json_array_size(chain), 1);
    cr_expect_str_eq(ft_str(one, "subject"), "CN=radius.test,O=T\xc3\xabst");
    cr_expect_str_eq(json_string_value(json_array_get(ft_get(one, "names"), 1)), "second.test");
    cr_expect(!ft_true(one, "ca") && !ft_true(one, "expired") && ft_num(one, "days_left") > 36000);
    json_decref(chain);
    chain = rad_chain(leaf_pem, strlen(leaf_pem), 5e9);
    cr_expect(ft_true(json_array_get(chain, 0), "expired") && ft_num(json_array_get(chain, 0), "days_left") < 0);
    json_decref(chain);
}

Test(chain, of_nothing)
{
    static const char *const texts[] = { "", "junk", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n" };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_t *chain = rad_chain(texts[i], strlen(texts[i]), 0);

        cr_expect_eq(json_array_size(chain), 0, "%s", texts[i]);
        json_decref(chain);
    }
}

Test(chain, key_and_certificate)
{
    cr_expect_null(rad_key_trouble(key_pem, strlen(key_pem), NULL, leaf_pem, strlen(leaf_pem)));
    cr_expect(strstr(rad_key_trouble("junk", 4, NULL, leaf_pem, strlen(leaf_pem)), "private_key"));
    cr_expect(strstr(rad_key_trouble(key_pem, strlen(key_pem), NULL, "junk", 4), "client_cert"));
}
