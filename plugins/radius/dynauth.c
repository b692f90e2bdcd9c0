/* dynauth.c: radius.coa and radius.disconnect: RFC 5176, spoken to the access point, switch or controller that holds the session. */
#include <string.h>
#include "radius.h"

struct dynauth {
    struct rad_exchange x;            /* first */
    enum rad_code code;
};

/* What names the session. All that are given must fit the same one. */
static const struct { const char *param, *attribute; } keys[] = {
    { "user", "User-Name" }, { "session_id", "Acct-Session-Id" }, { "nas_port", "NAS-Port" }, { "nas_port_id", "NAS-Port-Id" },
    { "framed_ip", "Framed-IP-Address" },
};

static void add_avpair(struct rad_packet *packet, const char *text)
{
    rad_add_vendor(packet, RAD_V_CISCO, 1, text, strlen(text));
}

/* IOS' words for what a CoA does to a session. Shutting the port is left out: no CoA opens it again. */
static void add_command(struct rad_packet *packet, const char *command)
{
    if (ft_same(command, "reauthenticate")) {
        add_avpair(packet, "subscriber:command=reauthenticate");
    } else if (ft_same(command, "reauthenticate_rerun")) {
        add_avpair(packet, "subscriber:command=reauthenticate");
        add_avpair(packet, "subscriber:reauthenticate-type=rerun");
    } else if (ft_same(command, "bounce_port")) {
        add_avpair(packet, "subscriber:command=bounce-host-port");
    }
}

static int build(struct ft_call *call, const struct rad_peer *peer, struct rad_packet *ret, struct ft_err *reterr)
{
    struct dynauth *own = host->state(call);
    const json_t *params = host->params(call);
    const char *mac = ft_str(params, "mac"), *audit = ft_str(params, "audit_session_id");
    char station[18];
    int r = 0;

    if (!rad_begin(ret, own->code))
        return ft_fault(reterr, FT_INVALID, "the system gives no random numbers");
    if (peer->nas_ip || peer->nas_identifier)          /* here they name the device itself, §3: only where somebody said so */
        rad_add_nas(ret, peer);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(keys); i++)
        if (ft_get(params, keys[i].param))
            r = rad_put(ret, keys[i].attribute, ft_get(params, keys[i].param), reterr);
    if (r == 0 && mac && !rad_mac(mac, station))
        r = ft_fault(reterr, FT_INVALID, "mac: '%.40s' is not a MAC address", mac);
    if (r < 0)
        return r;
    if (mac)
        rad_add_text(ret, RAD_A_CALLING_STATION, station);
    if (audit)
        add_avpair(ret, host->printf(call, "audit-session-id=%s", audit));
    add_command(ret, ft_str(params, "command"));
    rad_add_u32(ret, RAD_A_EVENT_TIMESTAMP, (uint32_t)(host->wall_ms(call) / 1000));      /* against replays, §2.3 */
    return rad_put_all(ret, ft_get(params, "attributes"), reterr);
}

/* ---- the answer */

static enum ft_class class_of(json_int_t cause)
{
    switch (cause) {
    case 503: return FT_NOT_FOUND;
    case 402: case 403: case 404: case 407: return FT_INVALID;
    case 501: return FT_DENIED;
    default: return FT_REFUSED;
    }
}

static void refused(struct ft_call *call, struct dynauth *own, const struct rad_packet *answer)
{
    json_t *number = rad_number(answer, RAD_A_ERROR_CAUSE);
    json_int_t cause = json_integer_value(number);
    const char *words = rad_error_cause((unsigned)cause), *name = own->x.peers->name;

    json_decref(number);
    if (cause == 503 && ft_true(host->params(call), "gone_ok")) {
        json_t *out = rad_answer_base(call, &own->x, answer);

        json_object_set_new(out, "changed", json_false());
        host->done(call, out);
    } else if (words) {
        host->fail(call, class_of(cause), "%s refuses the %s: %s (Error-Cause %d)%s", name, rad_code_name(own->code), words, (int)cause,
                   cause == 402 || cause == 404 ? "; name the session as this device wants it: session_id, mac, nas_port_id, audit_session_id" : "");
    } else {
        host->fail(call, FT_REFUSED, "%s refuses the %s and gives no reason that is known (Error-Cause %d)", name, rad_code_name(own->code), (int)cause);
    }
}

static void answered(struct ft_call *call, const struct rad_packet *answer)
{
    struct dynauth *own = host->state(call);
    json_t *out;

    if (answer->bytes[0] == own->code + 2) {
        refused(call, own, answer);
        return;
    }
    out = rad_answer_base(call, &own->x, answer);
    json_object_set_new(out, "changed", json_true());
    host->done(call, out);
}

/* ---- entries */

static int prepare(struct ft_call *call, enum rad_code code, struct ft_err *reterr)
{
    struct dynauth *own = host->state(call);
    const json_t *params = host->params(call);
    bool named = ft_get(params, "mac") || ft_get(params, "audit_session_id") || ft_get(params, "attributes");

    own->code = code;
    own->x.build = build;
    own->x.then = answered;
    own->x.write = true;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        named = named || ft_get(params, keys[i].param);
    if (!named)
        return ft_fault(reterr, FT_INVALID, "say which session: session_id, mac, user, nas_port, nas_port_id, framed_ip or audit_session_id");
    return rad_device(call, &own->x, reterr);
}

static int run(struct ft_call *call, enum rad_code code, struct ft_err *reterr)
{
    int r = prepare(call, code, reterr);

    return r < 0 ? r : rad_ask(call, host->state(call), reterr);
}

static const char *subject(struct ft_call *call)
{
    static const char *const names[] = { "mac", "user", "session_id", "audit_session_id", "framed_ip", "nas_port_id" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (ft_str(host->params(call), names[i]))
            return ft_str(host->params(call), names[i]);
    return "the session";
}

static int plan(struct ft_call *call, enum rad_code code, struct ft_err *reterr)
{
    struct dynauth *own = host->state(call);
    const char *command = ft_str(host->params(call), "command");
    json_t *requests = NULL;
    int r = prepare(call, code, reterr);

    if (r == 0)
        r = rad_plan_requests(call, &own->x, &requests, reterr);
    if (r < 0)
        return r;
    host->done(call, json_pack("{s:s, s:o, s:i}", "summary", code == RAD_COA_REQUEST
        ? host->printf(call, "change the authorization of %s on %s%s%s", subject(call), own->x.peers->name, command ? ": " : "", command ? command : "")
        : host->printf(call, "disconnect %s on %s", subject(call), own->x.peers->name), "requests", requests, "users", 1));
    return 0;
}

static int coa_run(struct ft_call *call, struct ft_err *reterr) { return run(call, RAD_COA_REQUEST, reterr); }
static int coa_plan(struct ft_call *call, struct ft_err *reterr) { return plan(call, RAD_COA_REQUEST, reterr); }
static int disconnect_run(struct ft_call *call, struct ft_err *reterr) { return run(call, RAD_DISCONNECT_REQUEST, reterr); }
static int disconnect_plan(struct ft_call *call, struct ft_err *reterr) { return plan(call, RAD_DISCONNECT_REQUEST, reterr); }

#define SESSION_P \
    FT_JSON("device": {"type": "string", "minLength": 1, "description": "a name of plugins.radius.devices: its address, port and secret"}, \
            "host": {"type": "string", "minLength": 1, "description": "address of the device, where several share an entry of the configuration"}, \
            "mac": {"type": "string", "description": "Calling-Station-Id: MAC address of the endpoint in any notation, sent as AA-BB-CC-DD-EE-FF"}, \
            "user": {"type": "string", "minLength": 1, "description": "User-Name"}, \
            "session_id": {"type": "string", "minLength": 1, "description": "Acct-Session-Id"}, \
            "audit_session_id": {"type": "string", "minLength": 1, "description": "Cisco: audit-session-id"}, \
            "nas_port": {"type": "integer", "minimum": 0, "description": "NAS-Port"}, \
            "nas_port_id": {"type": "string", "minLength": 1, "description": "NAS-Port-Id"}, \
            "framed_ip": {"type": "string", "format": "ipv4", "description": "address of the endpoint"}) "," RAD_ATTRIBUTES_P
#define CHANGED_R RAD_BOOL("changed", "false: there was no such session any more (gone_ok)") ","

const struct ft_action radius_coa = {
    .size = sizeof(struct ft_action), .name = "coa", .summary = "change the authorization of a session: authenticate anew, bounce the port, other attributes",
    .effects = FT_EFFECT_DISRUPTIVE, .state_size = sizeof(struct dynauth), .timeout_ms = 60000,
    .run = { coa_run, NULL }, .plan = { coa_plan, NULL },
    .params_schema = RAD_PARAMS("\"device\"", SESSION_P ","
        FT_JSON("command": {"type": "string", "enum": ["reauthenticate", "reauthenticate_rerun", "bounce_port"],
                            "description": "in Cisco's words; other devices take their own attributes, such as Aruba-User-Role"})),
    .result_schema = RAD_OBJ(CHANGED_R RAD_ANSWER_R),
    .about = "CoA-Request (RFC 5176) with Message-Authenticator and Event-Timestamp. A repeated packet is the same packet, which the device recognises.\n"
             "A NAK is an error: 503 `not_found`, a missing or wrong attribute `invalid`, a prohibition `denied`, all else `refused`.\n"
             "No answer is `ambiguous`: it may have happened. An ACK says that the device took it: verify that a newer authentication appears.\n"
             "There is nothing to take back, and nobody can be asked afterwards whether it arrived.",
    .example = "- id: reauth\n  run: radius.coa\n  with: {device: floor-switches, host: 10.10.1.3, mac: \"${client}\", command: reauthenticate}\n  undo: none\n",
};

const struct ft_action radius_disconnect = {
    .size = sizeof(struct ft_action), .name = "disconnect", .summary = "end a session on the device that holds it",
    .effects = FT_EFFECT_DISRUPTIVE, .state_size = sizeof(struct dynauth), .timeout_ms = 60000,
    .run = { disconnect_run, NULL }, .plan = { disconnect_plan, NULL },
    .params_schema = RAD_PARAMS("\"device\"", SESSION_P ","
        FT_JSON("gone_ok": {"type": "boolean", "default": false, "description": "no such session (503) is fine: nothing had to be done"})),
    .result_schema = RAD_OBJ(CHANGED_R RAD_ANSWER_R),
    .about = "Disconnect-Request (RFC 5176). The errors are those of `radius.coa`. With `user` alone all sessions of that user may end: prefer `session_id`.\n"
             "The client comes back by itself; there is nothing to take back.",
    .example = "- id: kick\n  run: radius.disconnect\n  with: {device: wlc, session_id: \"${session_id}\", mac: \"${client}\", gone_ok: true}\n  undo: none\n",
};
