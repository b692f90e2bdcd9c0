/* ise_mnt.c: sessions, authentications and the reasons why they fail. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "ise.h"

#define REASONS_KEEP_MS (24 * 60 * 60 * 1000u)
#define MAX_ATTEMPTS 100

static void set_str(json_t *out, const char *name, const json_t *from, const char *key)
{
    json_object_set_new(out, name, ise_str_or_null(from, key));
}

static void set_text(json_t *out, const char *name, const char *text)
{
    json_object_set_new(out, name, text && *text ? json_string(text) : json_null());
}

static void set_time(json_t *out, const char *name, double time)
{
    json_object_set_new(out, name, time > 0 ? json_real(time) : json_null());
}

/* ---- failure reasons: GET /FailureReasons, several hundred entries, asked for once a day */

/* Groups of reasons that a playbook can branch on; the numbers and their meanings are those of ISE's message catalogue. */
#define RESET "reset it, or remove the saved network from the device"
static const struct { const char *codes, *kind, *resolution; } known_reasons[] = {
    { "22040 22004 22063 11813 11815 11823 24020 86010", "wrong_password", "the user typed a wrong password: " RESET },
    { "24403 24406 24408 24344 24485 24491", "wrong_password", "Active Directory refused the password: " RESET },
    { "22056 22041 24216 24217 24412 24437 24008 24322 24702 24633 86009", "unknown_user", "no identity store holds this user: create it, or correct the identity source sequence" },
    { "22057", "unknown_user", "the password check failed in the identity store: check its state and the user there" },
    { "24206 24207 24347 24409 24486", "account_disabled", "the account is disabled: enable it" },
    { "22091 24219 24348 24415 24490 24057", "account_disabled", "the account is locked after too many wrong passwords: find the device that sends the old one, then unlock it" },
    { "24349 24414 24489", "account_disabled", "the account has expired: extend it" },
    { "24203 24350 24407 24484 24056", "account_disabled", "the password has expired or must be changed: change it" },
    { "24410 24487", "account_disabled", "the account may not log in at this hour" },
    { "15039 22017 24496 22089 22097 22098", "policy", "an authorization rule answers with a profile that rejects: look at the rule and at what put the endpoint into it" },
    { "11509 11510 11512 12003 12103 12303 12503 12525 12750 12752 12980 15024 15045 15047", "policy",
      "the policy set does not allow this protocol: look at its Allowed Protocols" },
    { "5434 5449", "policy", "ISE rejects the endpoint for a while because it failed too often: mend the cause, then ise.endpoint_release" },
    { "12514", "certificate", "the client's certificate comes from an authority that ISE does not trust: import it, or give the client another one" },
    { "12516 12530", "certificate", "the client's certificate has expired or is not good yet: renew it, and look at the client's clock" },
    { "12517 12555", "certificate", "the client's certificate was revoked: give it another one" },
    { "12515 12831 12557 12993 12954", "certificate", "ISE cannot tell whether the client's certificate was revoked: look at the CRL or OCSP server of its authority" },
    { "12518 12519 12857 11594 22047 22049 22055", "certificate", "the client's certificate cannot be used: look at its fields and its purpose" },
    { "12520 12321 12153 12972 11601 11514 12511", "certificate", "the client does not trust ISE's certificate: give it the authority's certificate, or renew ISE's" },
    { "12508 12309 12322 12521 12974 12986 12968 11633", "certificate",
      "the client and ISE do not agree on TLS: look at versions, ciphers, and whether the client trusts ISE's certificate" },
    { "61074 33505 33507", "certificate", "ISE's own certificate is bad or has expired: ise.certificates" },
    { "5411 12930 12931 12934 12935 12937 12940 12943 12981", "supplicant", "the client stopped answering in the middle: look at its signal and at its 802.1X settings" },
    { "5440 5441 12918", "supplicant", "the client gave up and began anew: look at its signal and at its 802.1X settings" },
    { "5405", "radius", "ISE dropped the request: check the shared secret and whether the AP is a network device of ISE" },
    { "11007 11205", "radius", "the AP is no network device of ISE: add it" },
    { "11036 11038 11021", "radius", "the shared secrets of the AP and of ISE differ: set both anew" },
    { "11213 5417", "radius", "the device did not answer ISE's CoA: does it accept CoA from this node (port 1700 or 3799, shared secret)?" },
    { "5442 5443", "radius", "ISE is overloaded: look at the number of sessions and the load of the node" },
    { "24300 24302 24401 24405 24427 24428 24429 24446 24454 24494 24495 25046 25047", "directory",
      "the domain controllers do not answer ISE: look at its external identity sources, Active Directory" },
    { "24447 24465 24493 25058", "directory", "ISE's own account in Active Directory is gone or bad: join it anew" },
    { "24001 24002 24019 24030", "directory", "ISE does not reach the LDAP server, or may not log in there" },
};

static ssize_t known(const char *code)
{
    size_t len = code ? strlen(code) : 0;

    for (size_t i = 0; len && i < ARRAY_LEN(known_reasons); i++)
        for (const char *at = known_reasons[i].codes; *at; at += strcspn(at, " "), at += *at == ' ')
            if (strcspn(at, " ") == len && strncmp(at, code, len) == 0)
                return (ssize_t)i;
    return -1;
}

static const char *kind_of(const char *code)
{
    return known(code) >= 0 ? known_reasons[known(code)].kind : "other";
}

static const char *own_resolution(const char *code)
{
    return known(code) >= 0 ? known_reasons[known(code)].resolution : NULL;
}

/* "22040 Wrong password" → "22040"; NULL: no number in front. */
const char *ise_code_of(struct ft_call *call, const char *text)
{
    size_t n = text ? strspn(text, "0123456789") : 0;

    return n && n <= 10 ? host->printf(call, "%.*s", (int)n, text) : NULL;
}

const char *ise_words_of(const char *text)
{
    size_t n = text ? strspn(text, "0123456789") : 0;

    return text ? text + n + strspn(text + n, " ") : NULL;
}

static void reasons_here(struct ft_call *call, json_t *answer)
{
    struct ise_call *st = ise_state(call);
    struct ise *ise = ise_of(call);
    json_t *list = ise_each(json_object_get(answer, "failureReasonList"), "failureReason"), *item;
    size_t i;

    json_decref(ise->reasons);
    ise->reasons = json_object();
    ise->reasons_at = host->wall_ms(call);
    json_array_foreach(list, i, item) {
        const char *text = ise_str(item, "code"), *code = ise_code_of(call, text ? text : ise_str(item, "@id"));
        json_t *entry = json_object();

        set_text(entry, "text", ise_words_of(text));
        set_str(entry, "cause", item, "cause");
        set_str(entry, "resolution", item, "resolution");
        json_object_set_new(ise->reasons, code ? code : "", entry);
    }
    json_decref(list);
    st->found(call, ise_hold(call, json_incref(ise->reasons)));
}

void ise_reasons(struct ft_call *call, ise_then *then)
{
    struct ise_call *st = ise_state(call);
    struct ise *ise = ise_of(call);
    uint64_t now = host->wall_ms(call);

    st->found = then;
    if (ise->reasons && now >= ise->reasons_at && now - ise->reasons_at < REASONS_KEEP_MS)
        then(call, ise_hold(call, json_incref(ise->reasons)));
    else
        ise_get(call, ISE_MNT, true, ise_url(call, ISE_MNT, "/FailureReasons"), reasons_here);
}

void ise_set_reason(json_t *out, const json_t *reasons, const char *code, const char *text)
{
    const json_t *entry = code ? json_object_get(reasons, code) : NULL;

    set_text(out, "failure_reason_code", code);
    set_text(out, "failure_reason", text ? text : ise_str(entry, "text"));
    set_text(out, "cause", ise_str(entry, "cause"));
    set_text(out, "resolution", ise_str(entry, "resolution") ? ise_str(entry, "resolution") : own_resolution(code));
    json_object_set_new(out, "kind", code ? json_string(kind_of(code)) : json_null());
}

static void reason_shown(struct ft_call *call, json_t *reasons)
{
    const char *code = ise_state(call)->own;
    json_t *out = json_object();

    ise_set_reason(out, reasons, code, NULL);
    json_object_set_new(out, "found", json_boolean(json_object_get(reasons, code)));
    ise_done(call, out);
}

static void reason_begin(struct ft_call *call)
{
    const json_t *code = json_object_get(host->params(call), "code");

    if (json_is_integer(code))
        ise_state(call)->own = host->printf(call, "%" JSON_INTEGER_FORMAT, json_integer_value(code));
    else
        ise_state(call)->own = (void *)ise_code_of(call, json_string_value(code));
    if (ise_state(call)->own)
        ise_reasons(call, reason_shown);
    else
        ise_fail(call, FT_INVALID, "code: '%.60s' does not begin with a number", json_string_value(code) ? json_string_value(code) : "");
}
ISE_BEGIN(ISE_LOOK, reason_begin, reason_start)

const struct ft_action ise_failure_reason = {
    ISE_READ(reason_start),
    .name = "failure_reason", .summary = "what a failure reason of ISE means, and what to do about it",
    .params_schema = ISE_PARAMS("\"code\"", JSON("code": {"type": ["integer", "string"], "description": "number of the reason; words behind it are ignored"})),
    .result_schema = ISE_OBJ(ISE_P_BOOL("found", "the catalogue of ISE has this number") "," ISE_REASON_PROPERTIES),
    .about = "`GET /admin/API/mnt/FailureReasons`, asked for once a day.",
    .example = "- id: reason\n  run: ise.failure_reason\n  with: {code: \"${auth.failure_reason_code}\"}\n",
};

/* ---- what sessions and attempts have in common */

double ise_record_time(const json_t *record)
{
    static const char *const names[] = { "acs_timestamp", "auth_acs_timestamp", "acsview_timestamp", "auth_acsview_timestamp" };
    double time = 0;

    for (size_t i = 0; i < ARRAY_LEN(names) && !time; i++)
        time = ise_time(ise_str(record, names[i]));
    return time;
}

void ise_set_auth(struct ft_call *call, json_t *out, const json_t *record)
{
    double time = ise_record_time(record), now = (double)host->wall_ms(call) / 1000;
    const char *port = ise_str(record, "nas_port_id");

    set_str(out, "user_name", record, "user_name");
    set_str(out, "auth_protocol", record, "authentication_protocol");
    set_str(out, "auth_method", record, "authentication_method");
    set_str(out, "identity_store", record, "identity_store");
    set_str(out, "identity_group", record, "identity_group");
    set_text(out, "policy_set", ise_other(call, record, "ISEPolicySetName"));
    set_text(out, "authorization_rule", ise_other(call, record, "AuthorizationPolicyMatchedRule"));
    set_str(out, "authorization_profile", record, "selected_azn_profiles");
    set_text(out, "nas_ip", ise_str(record, "nas_ip_address") ? ise_str(record, "nas_ip_address") : ise_str(record, "device_ip_address"));
    set_text(out, "nas_port", port ? port : ise_other(call, record, "NAS-Port"));
    set_str(out, "nas_name", record, "network_device_name");
    set_text(out, "called_station", ise_other(call, record, "Called-Station-ID"));
    set_text(out, "server", ise_str(record, "acs_server") ? ise_str(record, "acs_server") : ise_str(record, "server"));
    set_time(out, "timestamp", time);
    json_object_set_new(out, "age_s", time > 0 ? json_real(now > time ? now - time : 0) : json_null());
    set_str(out, "message_code", record, "message_code");
    set_str(out, "response", record, "response");
}

/* Either of the two elements says it: <passed> true or 1, else <failed> false or 0. */
bool ise_passed(const json_t *record)
{
    if (json_object_get(record, "passed"))
        return ise_true(record, "passed");
    return json_object_get(record, "failed") && !ise_true(record, "failed");
}

/* ---- auth_status: GET /AuthStatus/MACAddress/{MAC}/{seconds}/{records}/All */

struct auth_look {
    json_t *newest;
    int attempts, failures;
};

static void status_over(struct ft_call *call, json_t *reasons)
{
    struct auth_look *look = ise_state(call)->own;
    const char *text = ise_str(look->newest, "failure_reason");
    bool passed = ise_passed(look->newest);
    json_t *out = json_pack("{s:b, s:b, s:i, s:i}", "found", look->newest != NULL, "passed", look->newest && passed,
                            "attempts_in_window", look->attempts, "failures_in_window", look->failures);

    ise_set_reason(out, reasons, passed ? NULL : ise_code_of(call, text), passed ? NULL : ise_words_of(text));
    ise_set_auth(call, out, look->newest);
    ise_done(call, out);
}

/* Neither the lists nor their elements are in the order of time. */
static void weigh_attempts(struct auth_look *look, const json_t *answer)
{
    json_t *lists = ise_each(json_object_get(answer, "authStatusOutputList"), "authStatusList"), *list;
    size_t i;

    json_array_foreach(lists, i, list) {
        json_t *elements = ise_each(list, "authStatusElements"), *element;
        size_t j;

        json_array_foreach(elements, j, element) {
            if (!json_is_object(element))
                continue;
            look->attempts++;
            look->failures += !ise_passed(element);
            if (!look->newest || ise_record_time(element) > ise_record_time(look->newest))
                look->newest = element;
        }
        json_decref(elements);
    }
    json_decref(lists);
}

static void status_here(struct ft_call *call, json_t *answer)
{
    struct auth_look *look = ise_state(call)->own;

    if (answer && !json_object_get(answer, "authStatusOutputList")) {
        ise_fail(call, FT_INVALID, "GET %s: the answer is not an authStatusOutputList", ise_state(call)->ask.url);
        return;
    }
    weigh_attempts(look, answer);
    if (look->newest && !ise_passed(look->newest))
        ise_reasons(call, status_over);
    else
        status_over(call, NULL);
}

unsigned long ise_window_s(struct ft_call *call)
{
    static const struct { char unit; unsigned long s; } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
    const json_t *window = json_object_get(host->params(call), "window");
    const char *text = json_string_value(window);
    char *unit;
    unsigned long n;

    if (!text)
        return json_is_number(window) && json_number_value(window) >= 1000 ? (unsigned long)(json_number_value(window) / 1000) : 1;
    n = strtoul(text, &unit, 10);
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (*unit == units[i].unit)
            return n * units[i].s;
    return n;
}

static void status_begin(struct ft_call *call)
{
    if (!ise_find_mac(call))
        return;
    ise_state(call)->own = host->alloc(call, sizeof(struct auth_look));
    ise_get(call, ISE_MNT, true, ise_url(call, ISE_MNT, "/AuthStatus/MACAddress/%s/%lu/%d/All", ise_state(call)->mac, ise_window_s(call), MAX_ATTEMPTS),
            status_here);
}
ISE_BEGIN(ISE_LOOK, status_begin, status_start)

const struct ft_action ise_auth_status = {
    ISE_READ(status_start),
    .name = "auth_status", .summary = "whether an endpoint's newest authentication passed, and why not",
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC "," ISE_WINDOW("1h")),
    .result_schema = ISE_OBJ(
        ISE_P_BOOL("found", "ISE saw an attempt within the window") "," ISE_P_BOOL("passed", "the newest attempt passed") ","
        ISE_P("attempts_in_window", "\"integer\"", "attempts within the window, at most 100") ","
        ISE_P("failures_in_window", "\"integer\"", "those that failed") "," ISE_REASON_PROPERTIES "," ISE_AUTH_PROPERTIES),
    .about = "`GET /admin/API/mnt/AuthStatus/MACAddress/{mac}/{seconds}/100/All`. The newest attempt is chosen by its time. The number of the failure\n"
             "is explained by ISE's own catalogue, by fettle's where that has no advice.",
    .example = "- id: auth\n  run: ise.auth_status\n  with: {mac: \"${client}\", window: 1h}\n  branch:\n    - if: result.found and not result.passed\n"
               "      then: auth_failed\n    - else: dhcp\n",
};

/* ---- active_count: GET /Session/ActiveCount */

static void count_here(struct ft_call *call, json_t *answer)
{
    json_t *count = ise_int_or_null(json_object_get(answer, "sessionCount"), "count");

    if (json_is_integer(count)) {
        ise_done(call, json_pack("{s:o}", "count", count));
        return;
    }
    json_decref(count);
    ise_fail(call, FT_INVALID, "GET %s: the answer holds no sessionCount", ise_state(call)->ask.url);
}

static void count_begin(struct ft_call *call)
{
    ise_get(call, ISE_MNT, false, ise_url(call, ISE_MNT, "/Session/ActiveCount"), count_here);
}
ISE_BEGIN(ISE_LOOK, count_begin, count_start)

const struct ft_action ise_active_count = {
    ISE_READ(count_start),
    .name = "active_count", .summary = "how many sessions are active",
    .params_schema = ISE_PARAMS("", ""),
    .result_schema = ISE_OBJ(ISE_P("count", "\"integer\"", "active sessions of the deployment")),
    .about = "`GET /admin/API/mnt/Session/ActiveCount`.",
    .example = "- id: sessions\n  run: ise.active_count\n",
};
