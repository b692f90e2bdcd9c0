/* ise.c: the RADIUS server and its APIs: MnT (XML, monitoring and CoA), ERS (JSON, configuration), certificates.
 * It keeps what real ones keep strange: MnT wants MAC addresses in capitals, CoA is a GET, attempts come in no order, booleans come
 * in two types, ERS wants an Accept header. */
#include <stdarg.h>
#include "lab.h"

static const struct { const char *code, *text, *cause, *resolution; } reasons[] = {
    { "12516", "EAP-TLS failed SSL/TLS handshake because of an expired certificate in the client certificates chain",
      "The client certificate, or one above it, is past its validity.", "Enrol a new certificate on the client." },
    { "12514", "EAP-TLS failed SSL/TLS handshake because of an unknown CA in the client certificates chain",
      "The issuer of the client certificate is not among the trusted certificates.", "Import the issuer, or enrol the client with a trusted one." },
    { "12520", "EAP-TLS failed SSL/TLS handshake because the client rejected the ISE local-certificate",
      "The client does not trust the certificate that ISE shows.", "Install the issuer of the ISE certificate on the client." },
    { "15039", "Rejected per authorization profile", "The matched authorization rule ends in a profile that denies access.",
      "Check the authorization rule that matched and the endpoint's identity group." },
    { "11007", "Could not locate Network Device or AAA Client", "The device that asked is none of ISE's network devices.", "Add the device in Network Resources." },
    { "24206", "User disabled", "The account is disabled.", "Enable the account." },
    { "22040", "Wrong password or invalid shared secret", "The user gave an incorrect password.", "Check the credentials." },
    { "22056", "Subject not found in the applicable identity store(s)", "The name is in none of the identity stores of the matched rule.",
      "Check the spelling of the name and the identity source sequence." },
    { "24408", "User authentication against Active Directory failed since user has entered the wrong password",
      "The password did not match.", "Have the user enter the right password or reset it." },
    { "5411", "Supplicant stopped responding to ISE", "No answer to the last EAP message.", "Check the radio conditions and the supplicant." },
    { "5440", "Endpoint abandoned EAP session and started new", "The supplicant restarted the conversation.", "Check the supplicant's timeouts." },
    { "11036", "The Message-Authenticator RADIUS attribute is invalid", "The shared secrets differ.", "Compare the shared secrets." },
};

static const char *const group_names[] = { "Unknown", "Workstation", "Blocked List", "RegisteredDevices", "Employee" };

/* ---- the directory and the policy ---- */

static json_t *endpoint_of(struct lab *lab, const char *mac_upper)
{
    size_t i;
    json_t *e;

    json_array_foreach(lab->endpoints, i, e)
        if (ft_streq(json_string_value(json_object_get(e, "mac")), mac_upper))
            return e;
    return NULL;
}

static const char *group_id(struct lab *lab, const char *name)
{
    size_t i;
    json_t *g;

    json_array_foreach(lab->groups, i, g)
        if (ft_streq(json_string_value(json_object_get(g, "name")), name))
            return json_string_value(json_object_get(g, "id"));
    return "";
}

static const char *group_name(struct lab *lab, const char *id)
{
    size_t i;
    json_t *g;

    json_array_foreach(lab->groups, i, g)
        if (ft_streq(json_string_value(json_object_get(g, "id")), id))
            return json_string_value(json_object_get(g, "name"));
    return "Unknown";
}

static void add_endpoint(struct lab *lab, const struct lab_client *c)
{
    char mac[18], id[37];

    lab_colons(c->mac, ':', true, mac);
    lab_uuid(lab, mac, id);
    json_array_append_new(lab->endpoints, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:b, s:s, s:s, s:s}", "id", id, "name", mac,
        "description", "", "mac", mac, "profileId", "", "staticProfileAssignment", 0, "groupId", group_id(lab, "Workstation"),
        "staticGroupAssignment", 0, "portalUser", "", "identityStore", "", "identityStoreId", ""));
}

void lab_ise_init(struct lab *lab)
{
    lab->auths = json_array();
    lab->endpoints = json_array();
    lab->groups = json_array();
    lab->anc = json_array();
    for (size_t i = 0; i < ARRAY_LEN(group_names); i++) {
        char id[37];

        lab_uuid(lab, group_names[i], id);
        json_array_append_new(lab->groups, json_pack("{s:s, s:s, s:s, s:b}", "id", id, "name", group_names[i], "description", group_names[i],
                                                     "systemDefined", 1));
    }
    lab_ise_config_init(lab);
    for (int i = 0; i < lab->n_clients; i++)
        if (lab->wlans[lab->clients[i].wlan].dot1x)
            add_endpoint(lab, &lab->clients[i]);
}

static json_t *anc_of(struct lab *lab, const char *mac)
{
    size_t i;
    json_t *a;

    json_array_foreach(lab->anc, i, a)
        if (ft_streq(json_string_value(json_object_get(a, "macAddress")), mac))
            return a;
    return NULL;
}

struct verdict { const char *reason, *rule, *profile, *steps; };

static struct verdict judge(struct lab *lab, const struct lab_client *c, const char *mac)
{
    json_t *endpoint = endpoint_of(lab, mac);
    const char *group = endpoint ? group_name(lab, json_string_value(json_object_get(endpoint, "groupId"))) : "Unknown";

    if (c->old_certificate)
        return (struct verdict){ "12516 EAP-TLS failed SSL/TLS handshake because of an expired certificate in the client certificates chain", "",
                                 "", "11001,11017,15049,15008,11507,12500,12625,11006,11001,11018,12502,12800,12805,12806,12801,12516,12507,61025,12506,11504,11003" };
    if (c->ap >= 0 && !lab_ise_knows_device(lab, lab->aps[c->ap].ip))
        return (struct verdict){ "11007 Could not locate Network Device or AAA Client", "", "", "11001,11017,11007,5405" };
    if (!lab_ise_user_enabled(lab, c->user))
        return (struct verdict){ "24206 User disabled", "", "", "11001,11017,15049,15008,15048,15041,15013,24210,24206,22057,11003" };
    if (c->unlisted)
        return (struct verdict){ "22056 Subject not found in the applicable identity store(s)", "", "",
                                 "11001,11017,15049,15008,15048,15041,15013,24430,24412,24209,24217,22056,22058,22061,11003" };
    if (anc_of(lab, mac))
        return (struct verdict){ "15039 Rejected per authorization profile", "ANC Quarantine", "DenyAccess", "11001,11017,15049,15008,15041,24209,24211,22037,15036,15048,15016,15039,11003" };
    if (strcmp(group, "Blocked List") == 0)
        return (struct verdict){ "15039 Rejected per authorization profile", "Wireless Block List Default", "DenyAccess", "11001,11017,15049,15008,15041,24209,24211,22037,15036,15048,15016,15039,11003" };
    return (struct verdict){ NULL, c->site == 0 ? "Staff" : "Branch", "PermitAccess", "11001,11017,15049,15008,11507,12500,12625,11006,11001,11018,12502,12800,12805,12806,12801,12816,12509,22037,15036,15048,15016,11002" };
}

const char *lab_ise_authenticate(struct lab *lab, struct lab_client *c)
{
    char mac[18], session[40];
    struct verdict v;

    lab_colons(c->mac, ':', true, mac);
    v = judge(lab, c, mac);
    snprintf(session, sizeof(session), "0A0A0015%08lX%08X", ++lab->serial, lab_hash(c->mac));
    if (json_array_size(lab->auths) >= LAB_MAX_EVENTS)
        json_array_remove(lab->auths, 0);
    json_array_append_new(lab->auths, json_pack("{s:s, s:f, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "mac", mac, "wall", lab->wall,
        "passed", !v.reason, "reason", v.reason ? v.reason : "", "user", c->user, "ap", lab->aps[c->ap].name, "nas", lab->aps[c->ap].ip,
        "session", session, "rule", v.rule, "profile", v.profile, "steps", v.steps, "vlan", v.reason ? 0 : lab->wlans[c->wlan].vlan));
    return v.reason;
}

/* ---- MnT ---- */

static void xml_text(struct ft_buf *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': ft_buf_adds(out, "&amp;"); break;
        case '<': ft_buf_adds(out, "&lt;"); break;
        case '>': ft_buf_adds(out, "&gt;"); break;
        default: ft_buf_addc(out, *text);
        }
}

static void element(struct ft_buf *out, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void element(struct ft_buf *out, const char *name, const char *fmt, ...)
{
    char text[1500];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ft_buf_addf(out, "<%s>", name);
    xml_text(out, text);
    ft_buf_addf(out, "</%s>", name);
}

static const char xml_head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
#define XSI "xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""

/* Both types of both truths have been seen from real servers. */
static void truth(struct ft_buf *out, const char *name, bool value, bool as_string)
{
    ft_buf_addf(out, "<%s xsi:type=\"xs:%s\" " XSI ">%s</%s>", name, as_string ? "string" : "boolean",
                as_string ? (value ? "1" : "0") : (value ? "true" : "false"), name);
}

static void xml_done(struct lab_res *res, struct ft_buf *out)
{
    res->text = ft_buf_take(out);
    res->type = "application/xml";
}

static void mnt_error(struct lab_res *res, int status, const char *why, const char *operation)
{
    struct ft_buf out = FT_BUF_INIT(0);

    ft_buf_adds(&out, xml_head);
    ft_buf_addf(&out, "<mnt-rest-result><http-code>%d</http-code><cpm-code>34110</cpm-code><description>Server has encountered error while "
                "processing the REST request</description><module-name>MnT</module-name>", status);
    element(&out, "internal-error-info", "%s", why);
    element(&out, "requested-operation", "%s", operation);
    ft_buf_adds(&out, "<resource-type>Session</resource-type><status>SERVER_ERROR</status></mnt-rest-result>");
    res->status = status;
    xml_done(res, &out);
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

/* "…EA:BD" only in capitals with colons, as the real one. */
static bool mnt_mac(const char *text)
{
    if (strlen(text) != 17)
        return false;
    for (int i = 0; i < 17; i++)
        if (i % 3 == 2 ? text[i] != ':' : !strchr("0123456789ABCDEF", text[i]))
            return false;
    return true;
}

static json_t *last_auth(struct lab *lab, const char *mac)
{
    for (size_t i = json_array_size(lab->auths); i-- > 0;) {
        json_t *a = json_array_get(lab->auths, i);

        if (strcmp(text_of(a, "mac"), mac) == 0)
            return a;
    }
    return NULL;
}

static void session_who(struct lab *lab, struct ft_buf *out, const json_t *a, const char *mac, const char *dashes, bool passed)
{
    element(out, "user_name", "%s", text_of(a, "user"));
    element(out, "nas_ip_address", "%s", text_of(a, "nas"));
    if (!passed)
        element(out, "failure_reason", "%s", text_of(a, "reason"));
    element(out, "calling_station_id", "%s", mac);
    element(out, "orig_calling_station_id", "%s", dashes);
    element(out, "nas_port_type", "Wireless - IEEE 802.11");
    element(out, "cpmsession_id", "%s", text_of(a, "session"));
    element(out, "destination_ip_address", "10.10.0.21");
    element(out, "device_ip_address", "%s", text_of(a, "nas"));
    element(out, "identity_group", "%s", group_name(lab, text_of(endpoint_of(lab, mac), "groupId")));
    element(out, "network_device_name", "%s", text_of(a, "ap"));
    element(out, "acs_server", "ise-1");
    element(out, "authentication_method", "dot1x");
    element(out, "authentication_protocol", "EAP-TLS");
}

static void session_what(struct ft_buf *out, const json_t *a, const char *dashes, bool passed)
{
    char when[40];

    lab_iso(json_number_value(json_object_get(a, "wall")), when, sizeof(when));
    element(out, "auth_acs_timestamp", "%s", when);
    element(out, "execution_steps", "%s", text_of(a, "steps"));
    if (passed)
        element(out, "response", "{RadiusPacketType=AccessAccept; AuthenticationResult=Passed; Tunnel-Private-Group-ID=(tag=1) %d; }",
                (int)json_integer_value(json_object_get(a, "vlan")));
    else
        element(out, "response", "{RadiusPacketType=AccessReject; AuthenticationResult=Failed; }");
    element(out, "audit_session_id", "%s", text_of(a, "session"));
    element(out, "posture_status", "%s", "");
    element(out, "selected_azn_profiles", "%s", text_of(a, "profile"));
    element(out, "service_type", "Framed");
    element(out, "message_code", "%s", passed ? "5200" : "5400");
    element(out, "auth_acsview_timestamp", "%s", when);
    element(out, "identity_store", "corp.example");
    element(out, "response_time", "%d", passed ? 21 : 9);
    ft_buf_adds(out, "<framed_ipv6_address><ipv6_address></ipv6_address></framed_ipv6_address>");
    element(out, "other_attr_string", ":!:ConfigVersionId=99:!:RadiusPacketType=AccessRequest:!:Protocol=Radius:!:AcsSessionID=ise-1/4149/%s"
            ":!:SelectedAuthenticationIdentityStores=corp.example:!:IdentityPolicyMatchedRule=Wi-Fi 802.1X:!:AuthorizationPolicyMatchedRule=%s"
            ":!:EndPointMACAddress=%s:!:ISEPolicySetName=Wi-Fi:!:Called-Station-ID=%s:!:StepLatency=1=0;2=1;3=9:!:",
            text_of(a, "session"), text_of(a, "rule"), dashes, text_of(a, "ap"));
}

static void session_of(struct lab_req *req, struct lab_res *res, json_t *a)
{
    struct lab *lab = req->lab;
    const char *mac = a ? text_of(a, "mac") : "";
    int client = lab_find_client(lab, mac);
    struct ft_buf out = FT_BUF_INIT(0);
    bool passed;
    char ip[16], dashes[18];

    if (!a) {
        mnt_error(res, 404, "No session found", "Get By MAC Address");
        return;
    }
    passed = json_is_true(json_object_get(a, "passed"));
    snprintf(dashes, sizeof(dashes), "%s", mac);
    for (char *p = dashes; *p; p++)
        *p = *p == ':' ? '-' : *p;
    ft_buf_addf(&out, "%s<sessionParameters>", xml_head);
    truth(&out, "passed", passed, false);
    truth(&out, "failed", !passed, false);
    session_who(lab, &out, a, mac, dashes, passed);
    if (passed && client >= 0 && lab->clients[client].ip)
        element(&out, "framed_ip_address", "%s", lab_ip(lab->clients[client].ip, ip));
    session_what(&out, a, dashes, passed);
    ft_buf_adds(&out, "</sessionParameters>");
    xml_done(res, &out);
}

static void session_by_mac(struct lab_req *req, struct lab_res *res)
{
    session_of(req, res, mnt_mac(req->arg[0]) ? last_auth(req->lab, req->arg[0]) : NULL);
}

/* The newest authentication in which `key` is what the route names. */
static json_t *last_with(struct lab_req *req, const char *key)
{
    for (size_t i = json_array_size(req->lab->auths); i-- > 0;) {
        json_t *a = json_array_get(req->lab->auths, i);

        if (strcasecmp(text_of(a, key), req->arg[0]) == 0)
            return a;
    }
    return NULL;
}

static void session_by_user(struct lab_req *req, struct lab_res *res)
{
    session_of(req, res, last_with(req, "user"));
}

static void session_by_nas(struct lab_req *req, struct lab_res *res)
{
    session_of(req, res, last_with(req, "nas"));
}

static void session_by_ip(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    uint32_t ip;
    char mac[18];

    for (int i = 0; lab_ip_parse(req->arg[0], &ip) && i < lab->n_clients; i++)
        if (lab->clients[i].ip == ip) {
            lab_colons(lab->clients[i].mac, ':', true, mac);
            session_of(req, res, last_auth(lab, mac));
            return;
        }
    session_of(req, res, NULL);
}

static void auth_element(struct ft_buf *out, const json_t *a, bool as_string)
{
    bool passed = json_is_true(json_object_get(a, "passed"));
    char when[40];

    lab_iso(json_number_value(json_object_get(a, "wall")), when, sizeof(when));
    ft_buf_adds(out, "<authStatusElements>");
    truth(out, "passed", passed, as_string);
    truth(out, "failed", !passed, as_string);
    element(out, "user_name", "%s", text_of(a, "user"));
    element(out, "nas_ip_address", "%s", text_of(a, "nas"));
    if (!passed)
        element(out, "failure_reason", "%s", text_of(a, "reason"));
    element(out, "calling_station_id", "%s", text_of(a, "mac"));
    element(out, "network_device_name", "%s", text_of(a, "ap"));
    element(out, "acs_server", "ise-1");
    element(out, "acs_timestamp", "%s", when);
    element(out, "authentication_method", "dot1x");
    element(out, "authentication_protocol", "EAP-TLS");
    element(out, "execution_steps", "%s", text_of(a, "steps"));
    element(out, "audit_session_id", "%s", text_of(a, "session"));
    element(out, "message_code", "%s", passed ? "5200" : "5400");
    element(out, "selected_azn_profiles", "%s", text_of(a, "profile"));
    ft_buf_adds(out, "</authStatusElements>");
}

static void auth_status(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    double since = lab->wall - atof(req->arg[1]);
    size_t most = (size_t)atol(req->arg[2]), n = 0, i;
    json_t *a, *found = json_array();
    struct ft_buf out = FT_BUF_INIT(0);

    for (i = json_array_size(lab->auths); i-- > 0 && (most == 0 || n < most);) {
        a = json_array_get(lab->auths, i);
        if (strcmp(text_of(a, "mac"), req->arg[0]) == 0 && json_number_value(json_object_get(a, "wall")) >= since)
            json_array_append(found, a), n++;
    }
    ft_buf_addf(&out, "%s<authStatusOutputList>", xml_head);
    if (n)
        ft_buf_addf(&out, "<authStatusList key=\"%s\">", req->arg[0]);
    for (size_t half = 2; half-- > 0;)               /* in no order, as real ones come */
        json_array_foreach(found, i, a)
            if (i % 2 == half)
                auth_element(&out, a, i % 3 == 1);
    if (n)
        ft_buf_adds(&out, "</authStatusList>");
    ft_buf_adds(&out, "</authStatusOutputList>");
    json_decref(found);
    xml_done(res, &out);
}

static void failure_reasons(struct lab_req *req, struct lab_res *res)
{
    struct ft_buf out = FT_BUF_INIT(0);

    (void)req;
    ft_buf_addf(&out, "%s<failureReasonList>", xml_head);
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        ft_buf_addf(&out, "<failureReason id=\"%s\">", reasons[i].code);
        element(&out, "code", "%s %s", reasons[i].code, reasons[i].text);
        element(&out, "cause", "%s", reasons[i].cause);
        element(&out, "resolution", "%s", reasons[i].resolution);
        ft_buf_adds(&out, "</failureReason>");
    }
    ft_buf_adds(&out, "</failureReasonList>");
    xml_done(res, &out);
}

static bool in_session(const struct lab *lab, const struct lab_client *c)
{
    return lab_associated(c) && lab->wlans[c->wlan].dot1x;
}

static void active_count(struct lab_req *req, struct lab_res *res)
{
    struct ft_buf out = FT_BUF_INIT(0);
    int n = 0;

    for (int i = 0; i < req->lab->n_clients; i++)
        n += in_session(req->lab, &req->lab->clients[i]);
    ft_buf_addf(&out, "%s<sessionCount><count>%d</count></sessionCount>", xml_head, n);
    xml_done(res, &out);
}

/* arg[0]: an audit session id, or nothing. Those whose client asked for something else are left out. */
static void active_list(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    struct ft_buf list = FT_BUF_INIT(0), out = FT_BUF_INIT(0);
    const char *session;
    char mac[18], ip[16];
    int n = 0;

    for (int i = 0; i < lab->n_clients; i++) {
        const struct lab_client *c = &lab->clients[i];

        if (!in_session(lab, c))
            continue;
        lab_colons(c->mac, ':', true, mac);
        session = text_of(last_auth(lab, mac), "session");
        if (req->arg[0] && req->arg[0][0] && strstr(req->path, "/SessionID/") && strcmp(session, req->arg[0]) != 0)
            continue;
        n++;
        ft_buf_adds(&list, "<activeSession>");
        element(&list, "user_name", "%s", c->user);
        element(&list, "calling_station_id", "%s", mac);
        element(&list, "nas_ip_address", "%s", lab->aps[c->ap].ip);
        if (c->ip)
            element(&list, "framed_ip_address", "%s", lab_ip(c->ip, ip));
        element(&list, "audit_session_id", "%s", session);
        element(&list, "server", "ise-1");
        ft_buf_adds(&list, "</activeSession>");
    }
    ft_buf_addf(&out, "%s<activeList noOfActiveSession=\"%d\">%s</activeList>", xml_head, n, ft_buf_str(&list));
    ft_buf_done(&list);
    xml_done(res, &out);
}

static void no_count(struct lab_req *req, struct lab_res *res)
{
    struct ft_buf out = FT_BUF_INIT(0);

    (void)req;
    ft_buf_addf(&out, "%s<sessionCount><count>0</count></sessionCount>", xml_head);
    xml_done(res, &out);
}

static void version(struct lab_req *req, struct lab_res *res)
{
    struct ft_buf out = FT_BUF_INIT(0);

    (void)req;
    ft_buf_addf(&out, "%s<product name=\"Cisco Identity Services Engine\"><version>3.3.0.430</version><type_of_node>0</type_of_node></product>", xml_head);
    xml_done(res, &out);
}

/* The client loses its session for a moment and comes back through authentication. */
static bool change_of_authorization(struct lab *lab, const char *mac)
{
    int client = mnt_mac(mac) ? lab_find_client(lab, mac) : -1;

    if (client < 0 || !in_session(lab, &lab->clients[client]))
        return false;
    lab_client_leave(lab, client, "RADIUS_DAS_NOTIFY", "RADIUS CoA from 10.10.0.21", LAB_REJOIN);
    return true;
}

static void coa(struct lab_req *req, struct lab_res *res, const char *type)
{
    struct ft_buf out = FT_BUF_INIT(0);

    req->write = true;
    if (strcmp(req->arg[0], "ise-1") != 0) {
        mnt_error(res, 500, "The node is not known to this host", "CoA");
        return;
    }
    req->done = change_of_authorization(req->lab, req->arg[1]);
    ft_buf_addf(&out, "%s<remoteCoA requestType=\"%s\"><results>%s</results></remoteCoA>", xml_head, type, req->done ? "true" : "false");
    xml_done(res, &out);
}

static void coa_reauth(struct lab_req *req, struct lab_res *res)
{
    coa(req, res, "reauth");
}

static void coa_disconnect(struct lab_req *req, struct lab_res *res)
{
    coa(req, res, "disconnect");
}

static void session_delete(struct lab_req *req, struct lab_res *res)
{
    struct ft_buf out = FT_BUF_INIT(0);

    req->done = true;
    ft_buf_addf(&out, "%s<mnt-rest-result><status>SUCCESSFUL</status></mnt-rest-result>", xml_head);
    xml_done(res, &out);
}

/* ---- ERS ---- */

void lab_ers_error(struct lab_res *res, int status, const char *operation, const char *title, const char *code)
{
    res->status = status;
    res->json = json_pack("{s:{s:s, s:[{s:s, s:s, s:s}], s:{s:s, s:s, s:s}}}", "ERSResponse", "operation", operation, "messages", "title", title,
        "type", "ERROR", "code", code, "link", "rel", "related", "href", "https://ise-1:9060/ers/config", "type", "application/xml");
}

static json_t *ers_link(struct lab *lab, const char *resource, const char *id)
{
    return json_pack("{s:s, s:o, s:s}", "rel", "self", "href", json_sprintf("%s/ers/config/%s/%s", lab->ise_url, resource, id), "type", "application/json");
}

/* "mac.EQ.AA:BB:…", "name.CONTAINS.x" */
static bool ers_filtered(struct lab_req *req, const json_t *item)
{
    const char *filter = lab_query(req, "filter");
    char field[32], op[16], value[128];
    const char *have;

    if (!filter || sscanf(filter, "%31[^.].%15[^.].%127[^\n]", field, op, value) != 3)
        return false;
    have = text_of(item, field);
    if (strcmp(op, "EQ") == 0)
        return strcasecmp(have, value) != 0;
    if (strcmp(op, "NEQ") == 0)
        return strcasecmp(have, value) == 0;
    if (strcmp(op, "STARTSW") == 0)
        return strncasecmp(have, value, strlen(value)) != 0;
    return strcasestr(have, value) == NULL;
}

void lab_ers_list(struct lab_req *req, struct lab_res *res, const char *resource, json_t *items)
{
    const char *size_text = lab_query(req, "size"), *page_text = lab_query(req, "page");
    size_t size = size_text ? (size_t)atol(size_text) : 20, page = page_text ? (size_t)atol(page_text) : 1, n = 0, i;
    json_t *item, *resources = json_array(), *search;

    if (size < 1 || size > 100 || page < 1) {
        json_decref(resources);
        lab_ers_error(res, 400, "GET", "size must be between 1 and 100, page from 1", "QUERY_VALIDATION exception");
        return;
    }
    json_array_foreach(items, i, item) {
        if (ers_filtered(req, item))
            continue;
        n++;
        if (n > (page - 1) * size && n <= page * size)
            json_array_append_new(resources, json_pack("{s:s, s:s, s:s, s:o}", "id", text_of(item, "id"), "name", text_of(item, "name"),
                "description", text_of(item, "description"), "link", ers_link(req->lab, resource, text_of(item, "id"))));
    }
    search = json_pack("{s:i, s:o}", "total", (int)n, "resources", resources);
    if (n > page * size)
        json_object_set_new(search, "nextPage", json_pack("{s:s, s:o, s:s}", "rel", "next", "href",
            json_sprintf("%s/ers/config/%s?size=%zu&page=%zu", req->lab->ise_url, resource, size, page + 1), "type", "application/json"));
    res->json = json_pack("{s:o}", "SearchResult", search);
}

void lab_ers_one(struct lab_req *req, struct lab_res *res, const char *resource, const char *wrapper, json_t *items, const char *key)
{
    size_t i;
    json_t *item, *copy;

    json_array_foreach(items, i, item)
        if (strcasecmp(text_of(item, key), req->arg[0]) == 0) {
            copy = json_deep_copy(item);
            json_object_set_new(copy, "link", ers_link(req->lab, resource, text_of(item, "id")));
            res->json = json_pack("{s:o}", wrapper, copy);
            return;
        }
    lab_ers_error(res, 404, "GET-by-id", "Resource not found", "CRUD operation exception");
}

static void endpoint_list(struct lab_req *req, struct lab_res *res)
{
    lab_ers_list(req, res, "endpoint", req->lab->endpoints);
}

static void endpoint_get(struct lab_req *req, struct lab_res *res)
{
    lab_ers_one(req, res, "endpoint", "ERSEndPoint", req->lab->endpoints, "id");
}

static void endpoint_by_name(struct lab_req *req, struct lab_res *res)
{
    lab_ers_one(req, res, "endpoint", "ERSEndPoint", req->lab->endpoints, "name");
}

static void endpoint_put(struct lab_req *req, struct lab_res *res)
{
    json_t *change = json_object_get(req->json, "ERSEndPoint"), *item, *value, *fields = json_array();
    const char *key;
    size_t i;

    json_array_foreach(req->lab->endpoints, i, item) {
        if (strcmp(text_of(item, "id"), req->arg[0]) != 0)
            continue;
        if (!json_is_object(change)) {
            json_decref(fields);
            lab_ers_error(res, 400, "PUT-update-endpoint", "ERSEndPoint is missing", "SCHEMA_VALIDATION exception");
            return;
        }
        json_object_foreach(change, key, value) {
            if (json_equal(json_object_get(item, key), value) || strcmp(key, "link") == 0)
                continue;
            json_array_append_new(fields, json_pack("{s:s, s:O, s:O}", "field", key, "oldValue",
                json_object_get(item, key) ? json_object_get(item, key) : json_null(), "newValue", value));
            json_object_set(item, key, value);
        }
        req->done = true;
        res->json = json_pack("{s:{s:o}}", "UpdatedFieldsList", "updatedField", fields);
        return;
    }
    json_decref(fields);
    lab_ers_error(res, 404, "PUT-update-endpoint", "Resource not found", "CRUD operation exception");
}

static void endpoint_post(struct lab_req *req, struct lab_res *res)
{
    json_t *new = json_object_get(req->json, "ERSEndPoint");
    char id[37];

    if (!text_of(new, "mac")[0]) {
        lab_ers_error(res, 400, "POST-create-endpoint", "mac is mandatory", "APPLICATION_RESOURCE_VALIDATION exception");
        return;
    }
    if (endpoint_of(req->lab, text_of(new, "mac"))) {
        lab_ers_error(res, 500, "POST-create-endpoint", "endpoint already exists", "CRUD operation exception");
        return;
    }
    new = json_deep_copy(new);
    lab_uuid(req->lab, text_of(new, "mac"), id);
    json_object_set_new(new, "id", json_string(id));
    json_object_set(new, "name", json_object_get(new, "mac"));
    json_array_append_new(req->lab->endpoints, new);
    lab_add_header(res, "Location", "%s/ers/config/endpoint/%s", req->lab->ise_url, id);
    res->status = 201;
    req->done = true;
}

static void endpoint_delete(struct lab_req *req, struct lab_res *res)
{
    size_t i;
    json_t *item;

    json_array_foreach(req->lab->endpoints, i, item)
        if (strcmp(text_of(item, "id"), req->arg[0]) == 0) {
            json_array_remove(req->lab->endpoints, i);
            res->status = 204;
            req->done = true;
            return;
        }
    lab_ers_error(res, 404, "DELETE-delete-endpoint", "Resource not found", "CRUD operation exception");
}

static void group_list(struct lab_req *req, struct lab_res *res)
{
    lab_ers_list(req, res, "endpointgroup", req->lab->groups);
}

static void group_get(struct lab_req *req, struct lab_res *res)
{
    lab_ers_one(req, res, "endpointgroup", "EndPointGroup", req->lab->groups, "id");
}

static void group_by_name(struct lab_req *req, struct lab_res *res)
{
    lab_ers_one(req, res, "endpointgroup", "EndPointGroup", req->lab->groups, "name");
}

static void anc_list(struct lab_req *req, struct lab_res *res)
{
    lab_ers_list(req, res, "ancendpoint", req->lab->anc);
}

static void anc_get(struct lab_req *req, struct lab_res *res)
{
    lab_ers_one(req, res, "ancendpoint", "ErsAncEndpoint", req->lab->anc, "id");
}

/* Either body that the documents show. */
static void anc_body(const json_t *body, const char **ret_mac, const char **ret_policy)
{
    json_t *pair, *old = json_object_get(body, "ErsAncEndpoint");
    size_t i;

    *ret_mac = json_string_value(json_object_get(old, "macAddress"));
    *ret_policy = json_string_value(json_object_get(old, "policyName"));
    json_array_foreach(json_object_get(json_object_get(body, "OperationAdditionalData"), "additionalData"), i, pair) {
        if (strcmp(text_of(pair, "name"), "macAddress") == 0)
            *ret_mac = text_of(pair, "value");
        if (strcmp(text_of(pair, "name"), "policyName") == 0)
            *ret_policy = text_of(pair, "value");
    }
}

static void anc_change(struct lab_req *req, struct lab_res *res, bool apply)
{
    struct lab *lab = req->lab;
    const char *mac, *policy;
    char id[37], seed[32];
    size_t i = 0;
    json_t *now;

    anc_body(req->json, &mac, &policy);
    if (!mac || !mnt_mac(mac) || !policy) {
        lab_ers_error(res, 400, apply ? "PUT-apply-ancendpoint" : "PUT-clear-ancendpoint", "macAddress and policyName are mandatory",
                  "Application resource validation exception");
        return;
    }
    now = anc_of(lab, mac);
    if (apply && !now) {
        snprintf(seed, sizeof(seed), "anc %s", mac);
        lab_uuid(lab, seed, id);
        json_array_append_new(lab->anc, json_pack("{s:s, s:s, s:s, s:s}", "id", id, "name", mac, "macAddress", mac, "policyName", policy));
    } else if (apply) {
        json_object_set_new(now, "policyName", json_string(policy));
    } else if (now) {
        while (json_array_get(lab->anc, i) != now)
            i++;
        json_array_remove(lab->anc, i);
    }
    change_of_authorization(lab, mac);
    req->done = true;
    res->status = 204;
}

static void anc_apply(struct lab_req *req, struct lab_res *res)
{
    anc_change(req, res, true);
}

static void anc_clear(struct lab_req *req, struct lab_res *res)
{
    anc_change(req, res, false);
}

static void node_list(struct lab_req *req, struct lab_res *res)
{
    json_t *nodes = json_pack("[{s:s, s:s, s:s}]", "id", "d6c2ed6d-16f6-4d43-9d57-0f2b0c1f9a01", "name", "ise-1", "description", "");

    lab_ers_list(req, res, "node", nodes);
    json_decref(nodes);
}

static void node_get(struct lab_req *req, struct lab_res *res)
{
    json_t *nodes = json_pack("[{s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:s, s:s}]", "id", "d6c2ed6d-16f6-4d43-9d57-0f2b0c1f9a01", "name", "ise-1",
        "displayName", "ise-1", "ipAddress", "10.10.0.21", "papNode", 1, "primaryPapNode", 1, "pxGridNode", 0, "nodeServiceTypes",
        "Session, Profiler", "fqdn", "ise-1.corp.example");

    lab_ers_one(req, res, "node", "Node", nodes, strcmp(req->arg[0], "ise-1") == 0 ? "name" : "id");
    json_decref(nodes);
}

/* ---- */

static const struct lab_route routes[] = {
    { "GET", "/admin/API/mnt/Version", version },
    { "GET", "/admin/API/mnt/Session/ActiveCount", active_count },
    { "GET", "/admin/API/mnt/Session/ActiveList", active_list },
    { "GET", "/admin/API/mnt/Session/AuthList/{}/{}", active_list },
    { "GET", "/admin/API/mnt/Session/PostureCount", no_count },
    { "GET", "/admin/API/mnt/Session/ProfilerCount", active_count },
    { "GET", "/admin/API/mnt/Session/MACAddress/{}", session_by_mac },
    { "GET", "/admin/API/mnt/Session/UserName/{}", session_by_user },
    { "GET", "/admin/API/mnt/Session/IPAddress/{}", session_by_nas },
    { "GET", "/admin/API/mnt/Session/EndPointIPAddress/{}", session_by_ip },
    { "GET", "/admin/API/mnt/Session/Active/SessionID/{}/0", active_list },
    { "GET", "/admin/API/mnt/AuthStatus/MACAddress/{}/{}/{}/All", auth_status },
    { "GET", "/admin/API/mnt/FailureReasons", failure_reasons },
    { "GET", "/admin/API/mnt/CoA/Reauth/{}/{}/{}", coa_reauth },
    { "GET", "/admin/API/mnt/CoA/Disconnect/{}/{}/{}", coa_disconnect },
    { "DELETE", "/admin/API/mnt/Session/Delete/MACAddress/{}", session_delete },
    { "GET", "/ers/config/endpoint", endpoint_list },
    { "POST", "/ers/config/endpoint", endpoint_post },
    { "GET", "/ers/config/endpoint/name/{}", endpoint_by_name },
    { "GET", "/ers/config/endpoint/{}", endpoint_get },
    { "PUT", "/ers/config/endpoint/{}", endpoint_put },
    { "PATCH", "/ers/config/endpoint/{}", endpoint_put },
    { "DELETE", "/ers/config/endpoint/{}", endpoint_delete },
    { "GET", "/ers/config/endpointgroup", group_list },
    { "GET", "/ers/config/endpointgroup/name/{}", group_by_name },
    { "GET", "/ers/config/endpointgroup/{}", group_get },
    { "GET", "/ers/config/ancendpoint", anc_list },
    { "GET", "/ers/config/ancendpoint/{}", anc_get },
    { "PUT", "/ers/config/ancendpoint/apply", anc_apply },
    { "PUT", "/ers/config/ancendpoint/clear", anc_clear },
    { "GET", "/ers/config/node", node_list },
    { "GET", "/ers/config/node/name/{}", node_get },
    { "GET", "/ers/config/node/{}", node_get },
    { "GET", "/ers/config/sessionservicenode", node_list },
    { 0 },
};

void lab_ise(struct lab_req *req, struct lab_res *res)
{
    const char *accept = lab_header(req, "Accept");
    bool other_method, other = false;
    lab_handler *handle = lab_route(req, lab_ise_config_routes, &other_method);

    if (!handle) {
        handle = lab_route(req, routes, &other);
        other_method = other_method || other;
    }

    if (!lab_basic_auth(req, "fettle", req->lab->ise_password)) {
        res->status = 401;
        lab_add_header(res, "WWW-Authenticate", "Basic realm=\"ISE\"");
        return;
    }
    if (strncmp(req->path, "/ers/", 5) == 0 && (!accept || !strstr(accept, "application/json"))) {
        lab_ers_error(res, 415, req->method, "Accept header is missing or its media type is not supported", "UNSUPPORTED_RESOURCE exception");
        return;
    }
    if (!handle) {
        if (strncmp(req->path, "/admin/", 7) == 0)
            mnt_error(res, 404, "No such resource", req->method);
        else
            lab_ers_error(res, other_method ? 405 : 404, req->method, "No such resource", "UNSUPPORTED_RESOURCE exception");
        return;
    }
    handle(req, res);
}
