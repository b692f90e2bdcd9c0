/* accounting.c: radius.accounting: Accounting-Request (RFC 2866). */
#include <string.h>
#include "radius.h"

struct accounting { struct rad_exchange x; };

static const struct { const char *param, *attribute; } fields[] = {
    { "session_id", "Acct-Session-Id" }, { "user", "User-Name" }, { "session_time_s", "Acct-Session-Time" }, { "input_octets", "Acct-Input-Octets" },
    { "output_octets", "Acct-Output-Octets" }, { "terminate_cause", "Acct-Terminate-Cause" }, { "framed_ip", "Framed-IP-Address" },
};
static const struct { const char *param, *value; } types[] = {
    { "start", "Start" }, { "stop", "Stop" }, { "interim", "Interim-Update" }, { "on", "Accounting-On" }, { "off", "Accounting-Off" },
};

static int put_text(struct rad_packet *packet, const char *name, const char *text, struct ft_err *reterr)
{
    json_t *value = json_string(text);
    int r = rad_put(packet, name, value, reterr);

    json_decref(value);
    return r;
}

static int build(struct ft_call *call, const struct rad_peer *peer, struct rad_packet *ret, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    const char *type = ft_str(params, "type"), *mac = ft_str(params, "mac");
    char station[18];
    int r = 0;

    if (!rad_begin(ret, RAD_ACCOUNTING_REQUEST))
        return ft_fault(reterr, FT_INVALID, "the system gives no random numbers");
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(types); i++)
        if (ft_same(type, types[i].param))
            r = put_text(ret, "Acct-Status-Type", types[i].value, reterr);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(fields); i++)
        if (ft_get(params, fields[i].param))
            r = rad_put(ret, fields[i].attribute, ft_get(params, fields[i].param), reterr);
    if (r == 0 && mac && !rad_mac(mac, station))
        r = ft_fault(reterr, FT_INVALID, "mac: '%.40s' is not a MAC address", mac);
    if (r < 0)
        return r;
    if (mac)
        rad_add_text(ret, RAD_A_CALLING_STATION, station);
    rad_add_nas(ret, peer);
    rad_add_u32(ret, RAD_A_EVENT_TIMESTAMP, (uint32_t)(host->wall_ms(call) / 1000));
    return rad_put_all(ret, ft_get(params, "attributes"), reterr);
}

static void answered(struct ft_call *call, const struct rad_packet *answer)
{
    host->done(call, rad_answer_base(call, &((struct accounting *)host->state(call))->x, answer));
}

static int prepare(struct ft_call *call, struct accounting *own, struct ft_err *reterr)
{
    const char *type = ft_str(host->params(call), "type");

    own->x.build = build;
    own->x.then = answered;
    own->x.write = true;
    if (!ft_str(host->params(call), "session_id") && strcmp(type, "on") != 0 && strcmp(type, "off") != 0)
        return ft_fault(reterr, FT_INVALID, "session_id: accounting of type %s is about a session: give its Acct-Session-Id", type);
    return rad_servers(call, RAD_ACCT_PORT, &own->x, reterr);
}

static int run_start(struct ft_call *call, struct ft_err *reterr)
{
    struct accounting *own = host->state(call);
    int r = prepare(call, own, reterr);

    return r < 0 ? r : rad_ask(call, &own->x, reterr);
}

static int plan_start(struct ft_call *call, struct ft_err *reterr)
{
    struct accounting *own = host->state(call);
    const char *session = ft_str(host->params(call), "session_id");
    json_t *requests = NULL;
    int r = prepare(call, own, reterr);

    if (r == 0)
        r = rad_plan_requests(call, &own->x, &requests, reterr);
    if (r == 0)
        host->done(call, json_pack("{s:s, s:o, s:i}", "summary", host->printf(call, "tell %s accounting of type %s%s%s", own->x.peers->name,
            ft_str(host->params(call), "type"), session ? " for session " : "", session ? session : ""), "requests", requests, "users", 0));
    return r;
}

const struct ft_action radius_accounting = {
    .size = sizeof(struct ft_action), .name = "accounting", .summary = "tell the RADIUS servers that a session starts, goes on or stops",
    .effects = FT_EFFECT_WRITE, .state_size = sizeof(struct accounting), .timeout_ms = 60000,
    .run = { run_start, NULL }, .plan = { plan_start, NULL },
    .params_schema = RAD_PARAMS("\"type\"",
        FT_JSON("type": {"type": "string", "enum": ["start", "interim", "stop", "on", "off"], "description": "what happened; on and off speak of the whole device"},
                "session_id": {"type": "string", "minLength": 1, "description": "Acct-Session-Id"},
                "user": {"type": "string", "minLength": 1, "description": "User-Name"},
                "mac": {"type": "string", "description": "Calling-Station-Id: MAC address of the endpoint in any notation"},
                "framed_ip": {"type": "string", "format": "ipv4", "description": "address of the endpoint"},
                "session_time_s": {"type": "integer", "minimum": 0, "description": "how long the session has lasted, s"},
                "input_octets": {"type": "integer", "minimum": 0, "maximum": 4294967295, "description": "octets from the endpoint"},
                "output_octets": {"type": "integer", "minimum": 0, "maximum": 4294967295, "description": "octets to the endpoint"},
                "terminate_cause": {"type": "string", "description": "Acct-Terminate-Cause, such as User-Request or Admin-Reset"}) ","
        RAD_SERVER_P "," RAD_ATTRIBUTES_P),
    .result_schema = RAD_OBJ(RAD_ANSWER_R),
    .about = "Accounting-Request (RFC 2866). A session that a device forgot to end is ended for the server with `type: stop`; `on` and `off` end all\n"
             "sessions of the device that NAS-IP-Address or NAS-Identifier names. Records cannot be taken back: there is no undo, and nobody can ask\n"
             "afterwards whether it arrived.",
    .example = "- id: close_record\n  run: radius.accounting\n  with: {type: stop, session_id: \"${session_id}\", user: alice, terminate_cause: Admin-Reset}\n  undo: none\n",
};
