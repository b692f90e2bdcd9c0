/* auth.c: radius.auth: one login with PAP, CHAP or MS-CHAPv2, as an access point or a VPN server would ask for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "radius.h"

enum method { PAP, CHAP, MSCHAPV2 };

struct auth {
    struct rad_exchange x;            /* first: client.c finds it there */
    enum method method;
    uint8_t id, challenge[16], peer[16], nt_hash[16], response[24];
};

static const char *param(struct ft_call *call, const char *name)
{
    return ft_str(host->params(call), name);
}

/* ---- the request */

static int add_mschapv2(struct ft_call *call, struct auth *auth, struct rad_packet *packet, struct ft_err *reterr)
{
    uint8_t value[50] = { 0 };

    if (!rad_nt_hash(param(call, "password"), auth->nt_hash))
        return ft_fault(reterr, FT_INVALID, "password: MS-CHAPv2 takes at most 256 characters of UTF-8");
    rad_mschap2(auth->challenge, auth->peer, param(call, "user"), auth->nt_hash, auth->response);
    value[0] = auth->id;
    memcpy(value + 2, auth->peer, 16);
    memcpy(value + 26, auth->response, 24);
    rad_add_vendor(packet, RAD_V_MICROSOFT, 11, auth->challenge, 16);
    rad_add_vendor(packet, RAD_V_MICROSOFT, 25, value, sizeof(value));
    return 0;
}

static int add_proof(struct ft_call *call, struct auth *auth, const struct rad_peer *peer, struct rad_packet *packet, struct ft_err *reterr)
{
    uint8_t chap[17];

    switch (auth->method) {
    case CHAP:
        rad_chap(chap, auth->id, param(call, "password"), auth->challenge);
        rad_add(packet, RAD_A_CHAP_PASSWORD, chap, sizeof(chap));
        rad_add(packet, 60, auth->challenge, 16);
        return 0;
    case MSCHAPV2:
        return add_mschapv2(call, auth, packet, reterr);
    default:
        return rad_add_password(packet, param(call, "password"), peer->secret) ? 0 : ft_fault(reterr, FT_INVALID, "password: PAP takes at most 128 octets");
    }
}

static int build(struct ft_call *call, const struct rad_peer *peer, struct rad_packet *ret, struct ft_err *reterr)
{
    struct auth *auth = host->state(call);
    char mac[18];
    int r;

    if (!rad_begin(ret, RAD_ACCESS_REQUEST))
        return ft_fault(reterr, FT_INVALID, "the system gives no random numbers");
    rad_add_text(ret, RAD_A_USER_NAME, param(call, "user"));
    r = add_proof(call, auth, peer, ret, reterr);
    if (r < 0)
        return r;
    rad_add_nas(ret, peer);
    if (param(call, "mac")) {
        if (!rad_mac(param(call, "mac"), mac))
            return ft_fault(reterr, FT_INVALID, "mac: '%.40s' is not a MAC address", param(call, "mac"));
        rad_add_text(ret, RAD_A_CALLING_STATION, mac);
    }
    return rad_put_all(ret, ft_get(host->params(call), "attributes"), reterr);
}

/* ---- the answer */

/* MS-CHAP-Error: an octet, then "E=691 R=0 C=… V=3 M=…". The number and whether another try is allowed. */
static bool mschap_error(const struct rad_packet *answer, long *ret_code, bool *ret_retry)
{
    struct rad_attr attr;
    char text[RAD_ATTR_MAX + 1];
    const char *at;

    if (!rad_find(answer, RAD_V_MICROSOFT, 2, &attr) || attr.len < 2)
        return false;
    memcpy(text, attr.value, attr.len);
    text[attr.len] = '\0';
    at = strstr(text + 1, "E=");
    if (!at)
        return false;
    *ret_code = strtol(at + 2, NULL, 10);
    *ret_retry = strstr(text + 1, "R=1") != NULL;
    return true;
}

/* The server's own proof that it knows the password. */
static const char *server_proof(struct ft_call *call, const struct auth *auth, const struct rad_packet *answer)
{
    char wanted[MSCHAP_SUCCESS_LEN + 1];
    struct rad_attr attr;

    if (auth->method != MSCHAPV2 || answer->bytes[0] != RAD_ACCESS_ACCEPT)
        return NULL;
    if (!rad_find(answer, RAD_V_MICROSOFT, 26, &attr))
        return "missing";
    rad_mschap2_success(auth->challenge, auth->peer, param(call, "user"), auth->nt_hash, auth->response, wanted);
    return attr.len >= 1 + MSCHAP_SUCCESS_LEN && attr.value[0] == auth->id && memcmp(attr.value + 1, wanted, MSCHAP_SUCCESS_LEN) == 0 ? "verified" : "wrong";
}

static const char *reason(struct ft_call *call, const struct rad_packet *answer, const char *message, const char *proof)
{
    long code;
    bool again;

    if (answer->bytes[0] == RAD_ACCESS_CHALLENGE)
        return host->printf(call, "the server asks for more before it decides (a second factor, a new password)%s%s", message ? ": " : "", message ? message : "");
    if (proof && strcmp(proof, "wrong") == 0)
        return "the server accepted, but its own proof does not fit: it does not know this password";
    if (answer->bytes[0] == RAD_ACCESS_ACCEPT)
        return NULL;
    if (mschap_error(answer, &code, &again) && rad_mschap_error(code))
        return host->printf(call, "%s (MS-CHAP error %ld)", rad_mschap_error(code), code);
    if (message)
        return host->printf(call, "rejected: %s", message);
    return "rejected; the server gives no reason to the device: its log does (wrong password, unknown user or policy look the same from here)";
}

static void answered(struct ft_call *call, const struct rad_packet *answer)
{
    const struct auth *auth = host->state(call);
    const char *proof = server_proof(call, auth, answer);
    json_t *message = rad_text(answer, 0, 18), *out = rad_answer_base(call, &auth->x, answer);
    const char *why = reason(call, answer, json_string_value(message), proof);
    const char *kind = answer->bytes[0] == RAD_ACCESS_ACCEPT ? "accept" : answer->bytes[0] == RAD_ACCESS_REJECT ? "reject" : "challenge";
    bool retry = false;
    long code = 0;

    json_object_set_new(out, "accepted", json_boolean(answer->bytes[0] == RAD_ACCESS_ACCEPT));
    json_object_set_new(out, "answer", json_string(kind));
    json_object_set_new(out, "reason", why ? json_string(why) : json_null());
    json_object_set_new(out, "reply_message", message);
    json_object_set_new(out, "vlan", rad_vlan(answer));
    json_object_set_new(out, "filter_id", rad_text(answer, 0, 11));
    json_object_set_new(out, "session_timeout_s", rad_number(answer, 27));
    json_object_set_new(out, "state", rad_text(answer, 0, RAD_A_STATE));
    json_object_set_new(out, "mschap_error", mschap_error(answer, &code, &retry) ? json_integer(code) : json_null());
    json_object_set_new(out, "server_proof", proof ? json_string(proof) : json_null());
    host->done(call, out);
}

static int start(struct ft_call *call, struct ft_err *reterr)
{
    static const char *const methods[] = { "pap", "chap", "mschapv2" };
    struct auth *auth = host->state(call);
    int r;

    host->redact(call, param(call, "password"));
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (ft_same(param(call, "method"), methods[i]))
            auth->method = (enum method)i;
    if (!rad_random(auth->challenge, 16) || !rad_random(auth->peer, 16) || !rad_random(&auth->id, 1))
        return ft_fault(reterr, FT_INVALID, "the system gives no random numbers");
    auth->x.build = build;
    auth->x.then = answered;
    r = rad_servers(call, RAD_AUTH_PORT, &auth->x, reterr);
    return r < 0 ? r : rad_ask(call, &auth->x, reterr);
}

const struct ft_action radius_auth = {
    .size = sizeof(struct ft_action), .name = "auth", .summary = "whether the RADIUS servers let a user in, and with which VLAN and attributes",
    .effects = FT_EFFECT_READ, .state_size = sizeof(struct auth), .timeout_ms = 60000,
    .run = { start, NULL },
    .params_schema = RAD_PARAMS("\"user\",\"password\"",
        FT_JSON("user": {"type": "string", "minLength": 1, "maxLength": 253, "description": "name of the user"},
                "password": {"type": "string", "x-secret": true, "description": "password of the user"},
                "method": {"type": "string", "enum": ["pap", "chap", "mschapv2"], "default": "pap", "description": "how the password is proved"},
                "mac": {"type": "string", "description": "Calling-Station-Id: MAC address of the endpoint in any notation"}) ","
        RAD_SERVER_P "," RAD_ATTRIBUTES_P),
    .result_schema = RAD_OBJ(
        RAD_BOOL("accepted", "the server answered Access-Accept") "," RAD_P("answer", "\"string\"", "accept, reject or challenge") ","
        RAD_STR("reason", "why not, in words; nil when accepted") "," RAD_STR("reply_message", "what the server says to the user") ","
        RAD_STR("vlan", "VLAN that was given: number or name") "," RAD_STR("filter_id", "Filter-Id, such as an ACL or a role") ","
        RAD_INT("session_timeout_s", "Session-Timeout, s") "," RAD_STR("state", "State of a challenge: give it back as attribute State") ","
        RAD_INT("mschap_error", "MS-CHAP error, such as 691") ","
        RAD_STR("server_proof", "mschapv2: verified, wrong or missing: whether the server proved that it knows the password") "," RAD_ANSWER_R),
    .about = "Access-Request (RFC 2865), with Message-Authenticator first. Another server is asked when one does not answer; a reject is an answer.\n\n"
             "It changes no configuration, so it is a read, also in a dry run. Yet the server may count it: a wrong password can lock the account,\n"
             "and the login stands in its log. Use a test account, and one attempt a run.",
    .example = "- id: login\n  run: radius.auth\n  with: {user: probe, password: \"${probe_password}\", method: mschapv2}\n"
               "  branch:\n    - if: not result.accepted\n      then: refused\n    - else: works\n",
};
