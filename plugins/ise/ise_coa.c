/* ise_coa.c: change of authorization: GET requests that act, so they are sent as writes and never twice. */
#include <string.h>
#include <strings.h>
#include "ise.h"

#define SETTLE_MS 10000u            /* a CoA that was sent shows in the session within this time */

struct coa {
    const char *verb, *type;        /* "Reauth", "1" */
    const char *before_mac, *behind_mac;      /* for people */
};

static double auth_time(const json_t *session)
{
    double time = ise_time(ise_str(session, "auth_acs_timestamp"));

    return time ? time : ise_time(ise_str(session, "acs_timestamp"));
}

/* <remoteCoA requestType="reauth"><results>true</results></remoteCoA>: true when ISE sent it and the device acknowledged it. */
static void coa_sent(struct ft_call *call, json_t *answer)
{
    const json_t *coa = json_object_get(answer, "remoteCoA");
    const char *node = ise_str(ise_state(call)->write.result, "node");

    if (!json_is_object(coa) || !json_object_get(coa, "results"))
        ise_fail(call, FT_AMBIGUOUS, "ISE answered to the CoA of %s without a result: look with ise.auth_status whether it happened", ise_state(call)->mac);
    else if (!ise_true(coa, "results"))
        ise_fail(call, FT_REFUSED, "ISE says that the CoA of %s through node %s did not go through: does the network device accept CoA from this node (port 1700 or 3799, shared secret)?",
                 ise_state(call)->mac, node ? node : "?");
    else
        ise_write_done(call, true);
}

/* What the write rests on keeps still; what moves by itself goes into the receipt, for the probe. */
static json_t *coa_before(const json_t *session)
{
    return json_pack("{s:b, s:o, s:o, s:o}", "session", session != NULL, "user_name", ise_str_or_null(session, "user_name"),
                     "nas_ip", ise_str_or_null(session, "nas_ip_address"), "session_id", ise_str_or_null(session, "audit_session_id"));
}

static json_t *coa_receipt(struct ft_call *call, const json_t *session)
{
    return json_pack("{s:f, s:b, s:f, s:o}", "at", (double)host->wall_ms(call) / 1000, "session", session != NULL, "timestamp", auth_time(session),
                     "acct_status", ise_str_or_null(session, "acct_status_type"));
}

static void coa_ready(struct ft_call *call, json_t *session)
{
    struct ise_call *st = ise_state(call);
    struct ise_write *w = &st->write;
    const struct coa *coa = st->own;
    const char *node = ise_text(call, "node");

    if (!node)
        node = ise_str(session, "acs_server") ? ise_str(session, "acs_server") : ise_str(session, "server");
    if (!node) {
        ise_fail(call, FT_NOT_FOUND, "ISE knows no session of %s, so nobody can tell which node to send the CoA through: give `node`", st->mac);
        return;
    }
    w->before = ise_hold(call, coa_before(session));
    w->users = 1;
    w->summary = host->printf(call, "%s%s%s through ISE node %s", coa->before_mac, st->mac, coa->behind_mac, node);
    w->api = ISE_MNT;
    w->method = "GET";
    w->url = ise_url(call, ISE_MNT, "/CoA/%s/%s/%s/%s", coa->verb, ise_escape(call, node), st->mac, coa->type);
    w->receipt = ise_hold(call, coa_receipt(call, session));
    w->result = ise_hold(call, json_pack("{s:s, s:s}", "mac", st->mac, "node", node));
    w->sent = coa_sent;
    ise_write_ready(call);
}

static void coa_begin(struct ft_call *call, struct coa coa)
{
    struct coa *own = host->alloc(call, sizeof(*own));

    *own = coa;
    ise_state(call)->own = own;
    if (ise_find_mac(call))
        ise_session_of(call, coa_ready);
}

static const char *type_number(struct ft_call *call, const char *const names[3])
{
    static const char *const numbers[] = { "0", "1", "2" };
    const char *type = ise_text(call, "type");

    for (size_t i = 0; type && i < 3; i++)
        if (strcmp(names[i], type) == 0)
            return numbers[i];
    return numbers[0];
}

static void reauth_begin(struct ft_call *call)
{
    static const char *const names[3] = { "default", "last", "rerun" };

    coa_begin(call, (struct coa){ "Reauth", type_number(call, names), "let ", " authenticate anew" });
}

static void disconnect_begin(struct ft_call *call)
{
    static const char *const names[3] = { "default", "port_bounce", "port_shutdown" };
    static const char *const what[3] = { "disconnect ", "bounce the port of ", "shut the port of " };
    const char *type = type_number(call, names);

    coa_begin(call, (struct coa){ "Disconnect", type, what[*type - '0'], "" });
}

/* ---- did it happen? A newer authentication, or a session that ended or vanished since, tells; after a while so does their absence. */

static void probe_look(struct ft_call *call);

static void probed(struct ft_call *call, json_t *session)
{
    const json_t *receipt = ise_receipt(call);
    double since = (double)host->wall_ms(call) / 1000 - json_number_value(json_object_get(receipt, "at"));
    double was = json_number_value(json_object_get(receipt, "timestamp")), is = auth_time(session);
    const char *acct = ise_str(session, "acct_status_type"), *acct_was = ise_str(receipt, "acct_status");
    bool ended = !session && json_is_true(json_object_get(receipt, "session"));
    bool stopped = acct && strcasecmp(acct, "Stop") == 0 && !(acct_was && strcasecmp(acct_was, "Stop") == 0);
    bool happened = is > was || ended || stopped;

    if (!receipt)
        return;
    if (happened || since * 1000 >= SETTLE_MS)
        ise_done(call, json_pack("{s:b, s:{s:f, s:s?}}", "happened", happened, "seen", "timestamp", is, "acct_status", acct));
    else if (!host->timer(call, SETTLE_MS - (uint64_t)(since > 0 ? since * 1000 : 0), probe_look))
        ise_fail(call, FT_INVALID, "no timer");
}

static void probe_look(struct ft_call *call)
{
    ise_session_of(call, probed);
}

static void probe_begin(struct ft_call *call)
{
    if (ise_receipt(call) && ise_find_mac(call))
        probe_look(call);
}

ISE_BEGIN(ISE_RUN, reauth_begin, reauth_run)
ISE_BEGIN(ISE_PLAN, reauth_begin, reauth_plan)
ISE_BEGIN(ISE_RUN, disconnect_begin, disconnect_run)
ISE_BEGIN(ISE_PLAN, disconnect_begin, disconnect_plan)
ISE_BEGIN(ISE_PROBE, probe_begin, coa_probe)

#define NODE JSON("node": {"type": "string", "minLength": 1, "description": "ISE node to send it through; that of the endpoint's session when left out"})
#define COA_RESULT ISE_OBJ(ISE_CHANGED "," ISE_P_STR("mac", "MAC address of the endpoint") "," ISE_P_STR("node", "ISE node that sent it"))

const struct ft_action ise_coa_reauth = {
    ISE_WRITE(reauth_run, reauth_plan), .probe = { coa_probe, ise_drop },
    .name = "coa_reauth", .summary = "let an endpoint authenticate anew",
    .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC "," NODE ","
        JSON("type": {"type": "string", "enum": ["default", "last", "rerun"], "default": "default",
                      "description": "default: as the device is set; last: with the method that worked last; rerun: all methods"})),
    .result_schema = COA_RESULT,
    .about = "`GET /admin/API/mnt/CoA/Reauth/{node}/{mac}/{type}`: a GET that acts, so it is sent once and never repeated. One user notices.\n"
             "ISE's `true` means that the CoA was acknowledged: verify with `ise.auth_status` that a newer attempt appears. There is nothing to take back.\n"
             "After a crash the probe looks for a newer authentication, for ten seconds after the request.",
    .example = "- id: reauth\n  run: ise.coa_reauth\n  with: {mac: \"${client}\"}\n  verify:\n    run: ise.auth_status\n    with: {mac: \"${client}\", window: 10m}\n"
               "    until: result.passed and result.age_s < 60\n    every: 5s\n    within: 1m\n  undo: none\n",
};

const struct ft_action ise_coa_disconnect = {
    ISE_WRITE(disconnect_run, disconnect_plan), .probe = { coa_probe, ise_drop },
    .name = "coa_disconnect", .summary = "end an endpoint's session, or bounce or shut its switch port",
    .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC "," NODE ","
        JSON("type": {"type": "string", "enum": ["default", "port_bounce", "port_shutdown"], "default": "default",
                      "description": "default: end the session; port_bounce: port down and up; port_shutdown: the port stays down until somebody opens it"})),
    .result_schema = COA_RESULT,
    .about = "`GET /admin/API/mnt/CoA/Disconnect/{node}/{mac}/{type}`: a GET that acts, so it is sent once and never repeated.\n"
             "`port_shutdown` leaves the port down: ISE cannot open it again, the switch can. There is nothing that ISE could take back.",
    .example = "- id: disconnect\n  run: ise.coa_disconnect\n  with: {mac: \"${client}\"}\n  undo: none\n",
};
