/* ERS resources that are created, changed and deleted; lists; certificates; repeated reads. */
#include "ise_test.h"

#define ID "79aac430-7cc8-11eb-ad58-005056926583"
#define NEW "88aac430-7cc8-11eb-ad58-005056926583"
#define NOT_FOUND "{'ERSResponse': {'messages': [{'title': 'Resource not found'}]}}"
#define DEVICE(more) "{'NetworkDevice': {'id': '" ID "', 'name': 'AP-1', 'description': 'old', 'coaPort': 1700, 'authenticationSettings': {'radiusSharedSecret': 'do-not-show'}," \
    "'NetworkDeviceIPList': [{'ipaddress': '10.0.0.1', 'mask': 32, 'getIpaddressExclude': null}], 'NetworkDeviceGroupList': ['Location#All Locations']" more "}}"
#define USER(enabled) "{'InternalUser': {'id': '" ID "', 'name': 'bob', 'enabled': " enabled ", 'changePassword': false, 'password': '*******', 'enablePassword': '*******'," \
    "'identityGroups': 'g1', 'expiryDateEnabled': false, 'customAttributes': {}}}"
#define POINT "{'ERSEndPoint': {'id': '" ID "', 'name': '" MAC "', 'mac': '" MAC "', 'description': 'x', 'groupId': 'g1', 'staticGroupAssignment': 'true', 'link': {}}}"
#define GROUP "{'EndPointGroup': {'id': '" ID "', 'name': 'Lab', 'description': 'x', 'systemDefined': false}}"

/* ---- each write: what it sends, from what ISE has */

static const struct {
    const char *action, *params, *has;            /* has NULL: ISE has none */
    const char *method, *url, *body;              /* NULL method: nothing to do */
    enum ft_class class;                          /* or it fails */
} writes[] = {
    { "endpoint_create", "{'mac': 'd4-be-d9-3d-25-e2', 'description': 'x'}", NULL, "POST", ERS "/endpoint",
      "{'ERSEndPoint':{'description':'x','name':'" MAC "','mac':'" MAC "'}}", 0 },
    { "endpoint_create", "{'mac': '" MAC "', 'group': '" ID "'}", NULL, "POST", ERS "/endpoint",
      "{'ERSEndPoint':{'name':'" MAC "','mac':'" MAC "','groupId':'" ID "','staticGroupAssignment':true}}", 0 },
    { "endpoint_create", "{'mac': '" MAC "', 'description': 'x'}", POINT, NULL, NULL, NULL, 0 },
    { "endpoint_create", "{'mac': '" MAC "', 'description': 'y'}", POINT, NULL, NULL, NULL, FT_CONFLICT },
    { "endpoint_delete", "{'mac': '" MAC "'}", POINT, "DELETE", ERS "/endpoint/" ID, NULL, 0 },
    { "endpoint_delete", "{'mac': '" MAC "'}", NULL, NULL, NULL, NULL, 0 },
    { "endpoint_release", "{'mac': '" MAC "'}", POINT, "PUT", ERS "/endpoint/" ID "/releaserejectedendpoint", NULL, 0 },
    { "endpoint_release", "{'mac': '" MAC "'}", NULL, NULL, NULL, NULL, FT_NOT_FOUND },
    { "endpoint_group_create", "{'name': 'Lab', 'description': 'x'}", NULL, "POST", ERS "/endpointgroup", "{'EndPointGroup':{'name':'Lab','description':'x'}}", 0 },
    { "endpoint_group_create", "{'name': 'Lab', 'description': 'x'}", GROUP, NULL, NULL, NULL, 0 },
    { "endpoint_group_delete", "{'name': 'Lab'}", GROUP, "DELETE", ERS "/endpointgroup/" ID, NULL, 0 },
    { "network_device_create", "{'name': 'AP-1', 'ips': ['10.0.0.1', '10.1.0.0/24'], 'radius_secret': 'new-secret'}", NULL, "POST", ERS "/networkdevice",
      "{'NetworkDevice':{'NetworkDeviceIPList':[{'ipaddress':'10.0.0.1','mask':32},{'ipaddress':'10.1.0.0','mask':24}],'name':'AP-1',"
      "'authenticationSettings':{'networkProtocol':'RADIUS','radiusSharedSecret':'new-secret','keyInputFormat':'ASCII'}}}", 0 },
    { "network_device_create", "{'name': 'AP-1', 'ips': ['10.0.0.1'], 'radius_secret': 'new-secret'}", DEVICE(""), NULL, NULL, NULL, 0 },
    { "network_device_create", "{'name': 'AP-1', 'ips': ['10.0.0.2'], 'radius_secret': 'new-secret'}", DEVICE(""), NULL, NULL, NULL, FT_CONFLICT },
    { "network_device_update", "{'name': 'AP-1', 'coa_port': 3799}", DEVICE(""), "PATCH", ERS "/networkdevice/" ID, "{'NetworkDevice':{'coaPort':3799}}", 0 },
    { "network_device_update", "{'name': 'AP-1', 'coa_port': 1700}", DEVICE(""), NULL, NULL, NULL, 0 },
    { "network_device_update", "{'name': 'AP-1', 'radius_secret': 'new-secret'}", DEVICE(""), "PATCH", ERS "/networkdevice/" ID,
      "{'NetworkDevice':{'authenticationSettings':{'networkProtocol':'RADIUS','radiusSharedSecret':'new-secret','keyInputFormat':'ASCII'}}}", 0 },
    { "network_device_update", "{'name': 'AP-1'}", DEVICE(""), NULL, NULL, NULL, FT_INVALID },
    { "network_device_update", "{'name': 'AP-1', 'coa_port': 1}", NULL, NULL, NULL, NULL, FT_NOT_FOUND },
    { "network_device_delete", "{'name': 'AP-1'}", DEVICE(""), "DELETE", ERS "/networkdevice/" ID, NULL, 0 },
    { "internal_user_disable", "{'name': 'bob'}", USER("true"), "PUT", ERS "/internaluser/" ID,
      "{'InternalUser':{'id':'" ID "','name':'bob','enabled':false,'changePassword':false,'identityGroups':'g1','expiryDateEnabled':false,'customAttributes':{}}}", 0 },
    { "internal_user_disable", "{'name': 'bob'}", USER("'false'"), NULL, NULL, NULL, 0 },
    { "internal_user_enable", "{'name': 'bob'}", NULL, NULL, NULL, NULL, FT_NOT_FOUND },
    { "internal_user_password", "{'name': 'bob', 'password': 'new-secret'}", USER("true"), "PUT", ERS "/internaluser/" ID,
      "{'InternalUser':{'id':'" ID "','name':'bob','enabled':true,'changePassword':true,'identityGroups':'g1','expiryDateEnabled':false,'customAttributes':{},'password':'new-secret'}}", 0 },
};

static struct fake_host *world(const char *has)
{
    struct fake_host *f = ise_host();

    if (has)
        FAKE_HTTP(f, .method = "GET", .status = 200, .body = has);
    else
        FAKE_HTTP(f, .method = "GET", .status = 404, .body = NOT_FOUND);
    FAKE_HTTP(f, .method = "POST", .status = 201);
    FAKE_HTTP(f, .method = "PUT", .status = 200, .body = "{'UpdatedFieldsList': {}}");
    FAKE_HTTP(f, .method = "PATCH", .status = 200, .body = "{'UpdatedFieldsList': {}}");
    FAKE_HTTP(f, .method = "DELETE", .status = 204);
    return f;
}

static char *quoted(const char *text)
{
    char *copy = strdup(text ? text : "");

    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    return copy;
}

static void hides(const json_t *value, const char *what)
{
    char *text = text_of(value);

    cr_expect(!text || (!strstr(text, "new-secret") && !strstr(text, "do-not-show") && !strstr(text, "sesame")), "%s: %s", what, text);
    free(text);
}

/* The request of a plan is the request of the run, but for what is a secret. */
static void as_planned(size_t i, const json_t *plan, const json_t *sent)
{
    char *body = quoted(writes[i].body);

    cr_expect_str_eq(fake_str(sent, "method"), writes[i].method, "%zu %s", i, writes[i].action);
    cr_expect_str_eq(fake_str(sent, "url"), writes[i].url, "%zu %s", i, writes[i].action);
    cr_expect_str_eq(fake_str(sent, "body") ? fake_str(sent, "body") : "", body, "%zu %s", i, writes[i].action);
    cr_expect_str_eq(fake_str(plan, "requests.0.method"), writes[i].method, "%zu %s", i, writes[i].action);
    cr_expect_str_eq(fake_str(plan, "requests.0.url"), writes[i].url, "%zu %s", i, writes[i].action);
    if (!strstr(body, "new-secret"))
        same_as_planned(plan, sent, writes[i].action);
    free(body);
}

static const json_t *write_of(const struct fake_result *r)
{
    size_t i;
    json_t *request;

    json_array_foreach(r->requests, i, request)
        if (strcmp(fake_str(request, "method"), "GET") != 0)
            return request;
    return NULL;
}

Test(resources, plan_and_run)
{
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        struct fake_host *f = world(writes[i].has);
        const struct fake_result *r = fake_run(f, writes[i].action, "plan", writes[i].params, NULL);
        json_t *plan = json_deep_copy(r->result);
        char *receipt = text_of(fake_at(plan, "receipt"));

        cr_expect(writes[i].class ? !r->ok && r->class == writes[i].class : r->ok, "%zu %s: %s", i, writes[i].action, r->error);
        cr_expect(!write_of(r), "%zu: a plan touches nothing", i);
        hides(plan, writes[i].action);
        r = fake_run(f, writes[i].action, "run", writes[i].params, receipt);
        cr_expect(writes[i].class ? !r->ok && r->class == writes[i].class : r->ok, "%zu %s: %s", i, writes[i].action, r->error);
        if (!writes[i].class && !writes[i].method)
            cr_expect(!write_of(r) && json_is_true(fake_at(plan, "nothing_to_do")) && json_is_false(fake_at(r->result, "changed")), "%zu %s", i, writes[i].action);
        if (writes[i].method && write_of(r))
            as_planned(i, plan, write_of(r));
        cr_expect(!writes[i].method == !write_of(r), "%zu %s", i, writes[i].action);
        hides(r->result, writes[i].action);
        hides(r->kept, writes[i].action);
        json_decref(plan);
        free(receipt);
        fake_host_free(f);
    }
}

/* ---- undo and probe */

static const struct {
    const char *action, *entry, *params, *receipt, *has;
    const char *method, *body;                    /* NULL: nothing sent */
    enum ft_class class;
    int happened;                                 /* of a probe: 0 or 1; -1: no probe */
} backs[] = {
    { "endpoint_create", "undo", "{'mac': '" MAC "'}", "{'after': {'mac': '" MAC "', 'description': 'x'}}", POINT, "DELETE", NULL, 0, -1 },
    { "endpoint_create", "undo", "{'mac': '" MAC "'}", "{'after': {'mac': '" MAC "', 'description': 'z'}}", POINT, NULL, NULL, FT_CONFLICT, -1 },
    { "endpoint_create", "undo", "{'mac': '" MAC "'}", "{'after': {'mac': '" MAC "'}}", NULL, NULL, NULL, 0, -1 },
    { "endpoint_create", "probe", "{'mac': '" MAC "'}", "{'after': {'mac': '" MAC "'}}", NULL, NULL, NULL, 0, 0 },
    { "endpoint_create", "probe", "{'mac': '" MAC "'}", "{'after': {'mac': '" MAC "'}}", POINT, NULL, NULL, 0, 1 },
    { "endpoint_delete", "undo", "{'mac': '" MAC "'}", "{'before': {'id': '" ID "', 'mac': '" MAC "', 'description': 'x'}}", NULL, "POST",
      "{'ERSEndPoint':{'mac':'" MAC "','description':'x'}}", 0, -1 },
    { "endpoint_delete", "undo", "{'mac': '" MAC "'}", "{'before': {'mac': '" MAC "'}}", POINT, NULL, NULL, 0, -1 },
    { "endpoint_delete", "probe", "{'mac': '" MAC "'}", "{'before': {}}", POINT, NULL, NULL, 0, 0 },
    { "endpoint_delete", "probe", "{'mac': '" MAC "'}", "{'before': {}}", NULL, NULL, NULL, 0, 1 },
    { "endpoint_group_delete", "undo", "{'name': 'Lab'}", "{'before': {'id': '" ID "', 'name': 'Lab'}}", NULL, "POST", "{'EndPointGroup':{'name':'Lab'}}", 0, -1 },
    { "endpoint_group_create", "undo", "{'name': 'Lab'}", "{'after': {'name': 'Lab'}}", GROUP, "DELETE", NULL, 0, -1 },
    { "network_device_update", "undo", "{'name': 'AP-1'}", "{'before': {'coaPort': 3799}, 'after': {'coaPort': 1700}}", DEVICE(""), "PATCH", "{'NetworkDevice':{'coaPort':3799}}", 0, -1 },
    { "network_device_update", "undo", "{'name': 'AP-1'}", "{'before': {'coaPort': 1}, 'after': {'coaPort': 2}}", DEVICE(""), NULL, NULL, FT_CONFLICT, -1 },
    { "network_device_update", "undo", "{'name': 'AP-1'}", "{'before': {}, 'after': {}, 'secret': true}", DEVICE(""), NULL, NULL, FT_REFUSED, -1 },
    { "network_device_create", "undo", "{'name': 'AP-1'}", "{'after': {'name': 'AP-1', 'NetworkDeviceIPList': [{'ipaddress': '10.0.0.1', 'mask': 32}]}}", DEVICE(""), "DELETE", NULL, 0, -1 },
    { "network_device_delete", "probe", "{'name': 'AP-1'}", "{'before': {}}", NULL, NULL, NULL, 0, 1 },
    { "internal_user_disable", "undo", "{'name': 'bob'}", "{'before': {'enabled': true}, 'after': {'enabled': false}}", USER("false"), "PUT",
      "{'InternalUser':{'id':'" ID "','name':'bob','enabled':true,'changePassword':false,'identityGroups':'g1','expiryDateEnabled':false,'customAttributes':{}}}", 0, -1 },
    { "internal_user_disable", "undo", "{'name': 'bob'}", "{'before': {'enabled': true}, 'after': {'enabled': false}}", USER("true"), NULL, NULL, 0, -1 },
    { "internal_user_disable", "undo", "{'name': 'bob'}", "{'before': {'enabled': true}, 'after': {'enabled': false}}", NULL, NULL, NULL, FT_NOT_FOUND, -1 },
};

/* Parameters that an action wants, whatever the case is about. */
static const char *all_params(size_t i)
{
    return strcmp(backs[i].action, "network_device_create") == 0 ? "{'name': 'AP-1', 'ips': ['10.0.0.1'], 'radius_secret': 'new-secret'}" : backs[i].params;
}

Test(resources, undo_and_probe)
{
    for (size_t i = 0; i < ARRAY_LEN(backs); i++) {
        struct fake_host *f = world(backs[i].has);
        const struct fake_result *r = fake_run(f, backs[i].action, backs[i].entry, all_params(i), backs[i].receipt);
        const json_t *sent = write_of(r);
        char *body = quoted(backs[i].body);

        cr_expect(backs[i].class ? !r->ok && r->class == backs[i].class : r->ok, "%zu %s: %s", i, backs[i].action, r->error);
        cr_expect(!sent == !backs[i].method, "%zu %s", i, backs[i].action);
        if (sent && backs[i].method) {
            cr_expect_str_eq(fake_str(sent, "method"), backs[i].method, "%zu %s", i, backs[i].action);
            cr_expect_str_eq(fake_str(sent, "body") ? fake_str(sent, "body") : "", body, "%zu %s", i, backs[i].action);
        }
        if (backs[i].happened >= 0)
            cr_expect_eq(is_true_at(r->result, "happened"), backs[i].happened, "%zu %s", i, backs[i].action);
        free(body);
        fake_host_free(f);
    }
}

Test(resources, a_creation_gives_the_id_that_ise_made)
{
    struct fake_host *f = ise_host();

    FAKE_HTTP(f, .method = "GET", .status = 404, .body = NOT_FOUND);
    FAKE_HTTP(f, .method = "POST", .status = 201);
    FAKE_HTTP(f, .method = "GET", .status = 200, .body = GROUP);
    const struct fake_result *r = fake_run(f, "endpoint_group_create", "run", "{'name': 'Lab', 'description': 'x'}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(r->result, "id"), ID);
    cr_expect(fake_at(r->kept, "after.name") != NULL, "what undo needs is in the journal before");
    fake_host_free(f);
}

Test(resources, somebody_changed_it_since_the_plan)
{
    struct fake_host *f = world(DEVICE(""));
    const struct fake_result *r = fake_run(f, "network_device_update", "run", "{'name': 'AP-1', 'coa_port': 3799}", "{'before': {'coaPort': 1}, 'after': {'coaPort': 3799}}");

    cr_expect(!r->ok && r->class == FT_CONFLICT && strstr(r->error, "since the plan"), "%s", r->error);
    fake_host_free(f);
}

Test(resources, patch_is_unknown_to_an_old_release)
{
    struct fake_host *f = ise_host();

    ANSWER(f, NULL, DEVICE(""));
    FAKE_HTTP(f, .method = "PATCH", .status = 405, .body = "{'ERSResponse': {'messages': [{'title': 'Method not allowed'}]}}");
    const struct fake_result *r = fake_run(f, "network_device_update", "run", "{'name': 'AP-1', 'coa_port': 3799}", NULL);
    cr_expect(!r->ok && strstr(r->error, "3.2"), "%s", r->error);
    fake_host_free(f);
}

/* ---- reads */

Test(network_device, without_its_secrets)
{
    struct fake_host *f = ise_host();

    ANSWER(f, "/networkdevice?filter=ipaddress.EQ.10.0.0.1&size=100&page=1", "{'SearchResult': {'total': 1, 'resources': [{'id': '" ID "', 'name': 'AP-1'}]}}");
    ANSWER(f, "/networkdevice/" ID, DEVICE(""));
    const struct fake_result *r = fake_run(f, "network_device", "run", "{'ip': '10.0.0.1'}", NULL);
    GOOD(r);
    cr_expect(is_true_at(r->result, "found") && is_true_at(r->result, "radius"));
    cr_expect_str_eq(fake_str(r->result, "ips.0"), "10.0.0.1/32");
    hides(r->result, "network_device");
    r = fake_run(f, "network_device", "run", "{}", NULL);
    cr_expect(!r->ok && r->class == FT_INVALID, "%s", r->error);
    fake_host_free(f);
}

Test(lists, filters_pages_and_limits)
{
    struct fake_host *f = ise_host();

    ANSWER(f, "/networkdevice?filter=name.CONTAINS.lab%20x&filter=name.STARTSW.a&size=100&page=1",
           "{'SearchResult': {'total': 4, 'resources': [{'id': 'a', 'name': 'A'}, {'id': 'b'}], 'nextPage': {'href': 'https://ise/ers/config/networkdevice?size=100&page=2'}}}");
    ANSWER(f, "&page=2", "{'SearchResult': {'total': 4, 'resources': [{'id': 'c'}, {'id': 'd'}, 'odd']}}");
    const struct fake_result *r = fake_run(f, "network_devices", "run", "{'filter': ['name.CONTAINS.lab x', 'name.STARTSW.a']}", NULL);
    GOOD(r);
    cr_expect(json_array_size(fake_at(r->result, "items")) == 5 && is_true_at(r->result, "complete"));
    r = fake_run(f, "network_devices", "run", "{'filter': ['name.CONTAINS.lab x', 'name.STARTSW.a'], 'limit': 3}", NULL);
    GOOD(r);
    cr_expect(json_array_size(fake_at(r->result, "items")) == 3 && !is_true_at(r->result, "complete"));
    r = fake_run(f, "network_devices", "run", "{'filter': ['name.CONTAINS.lab x', 'name.STARTSW.a'], 'limit': 2}", NULL);
    GOOD(r);
    cr_expect(json_array_size(fake_at(r->result, "items")) == 2 && json_array_size(r->requests) == 1 && !is_true_at(r->result, "complete"));
    fake_host_free(f);
}

/* A next page that leads back, or nowhere: the walk ends all the same. */
Test(lists, pages_that_go_round)
{
    static const char *const nexts[] = { "{'href': 'https://x?size=100&page=1'}", "{'href': 7}", "{}", "{'href': 'https://x?page=99999999999'}" };

    for (size_t i = 0; i < ARRAY_LEN(nexts); i++) {
        struct fake_host *f = ise_host();
        char body[300];

        snprintf(body, sizeof(body), "{'SearchResult': {'resources': [{'id': 'a'}], 'nextPage': %s}}", nexts[i]);
        FAKE_HTTP(f, .status = 200, .body = body);
        const struct fake_result *r = fake_run(f, "internal_users", "run", "{}", NULL);
        GOOD(r);
        cr_expect(json_array_size(r->requests) == 50 && !is_true_at(r->result, "complete"), "case %zu: %zu", i, json_array_size(r->requests));
        fake_host_free(f);
    }
}

Test(lists, endpoints_of_a_group)
{
    struct fake_host *f = ise_host();

    ANSWER(f, "/endpointgroup/name/Lab", GROUP);
    ANSWER(f, "/endpoint?filter=groupId.EQ." ID "&filter=mac.CONTAINS.00%3A0C&size=100&page=1", "{'SearchResult': {'resources': [{'id': 'e1', 'name': '" MAC "'}]}}");
    const struct fake_result *r = fake_run(f, "endpoints", "run", "{'group': 'Lab', 'mac': '00:0C'}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(r->result, "items.0.name"), MAC);
    fake_host_free(f);
}

Test(lists, each_looked_at)
{
    struct fake_host *f = ise_host();

    ANSWER(f, "/ancpolicy?size=100&page=1", "{'SearchResult': {'resources': [{'id': 'p1'}, {'id': 'p2'}, {'name': 'no id'}]}}");
    ANSWER(f, "/ancpolicy/p1", "{'ErsAncPolicy': {'id': 'p1', 'name': 'Quarantine', 'actions': ['QUARANTINE']}}");
    FAKE_HTTP(f, .url = "/ancpolicy/p2", .status = 404, .body = NOT_FOUND);
    const struct fake_result *r = fake_run(f, "anc_policies", "run", "{}", NULL);
    GOOD(r);
    cr_expect(fake_equals(r->result, "{'policies': [{'id': 'p1', 'name': 'Quarantine', 'actions': ['QUARANTINE']}], 'complete': true}"));
    ANSWER(f, "/ancendpoint?size=100&page=1", "{'SearchResult': {'resources': [{'id': 'a1'}]}}");
    ANSWER(f, "/ancendpoint/a1", "{'ErsAncEndpoint': {'id': 'a1', 'macAddress': 'd4:be:d9:3d:25:e2', 'policyName': 'Quarantine'}}");
    r = fake_run(f, "anc_endpoints", "run", "{}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(r->result, "endpoints.0.mac"), MAC);
    ANSWER(f, "/node?size=100&page=1", "{'SearchResult': {'resources': [{'id': 'n1', 'name': 'ise-1'}]}}");
    ANSWER(f, "/node/n1", "{'Node': {'id': 'n1', 'name': 'ise-1', 'passWord': 'do-not-show', 'papNode': true, 'primaryPapNode': 'true', 'nodeServiceTypes': 'Session'}}");
    r = fake_run(f, "nodes", "run", "{}", NULL);
    GOOD(r);
    cr_expect(is_true_at(r->result, "nodes.0.primary_admin"));
    hides(r->result, "nodes");
    ANSWER(f, "/endpoint/getrejectedendpoints", "{'OperationResult': {'resultValue': [{'name': 'e1', 'value': '" MAC "'}, 7]}}");
    r = fake_run(f, "rejected_endpoints", "run", "{}", NULL);
    GOOD(r);
    cr_expect_str_eq(fake_str(r->result, "endpoints.0.mac"), MAC);
    fake_host_free(f);
}

/* ---- certificates */

#define CERT(name, used, until) "{'id': '" name "', 'friendlyName': '" name "', 'issuedTo': 'x', 'usedBy': '" used "', 'expirationDate': " until ", 'selfSigned': true}"

Test(certificates, which_end_soon)
{
    struct fake_host *f = ise_host();

    fake_wall(f, 1795651200000);          /* 2026-11-26 */
    ANSWER(f, "/ers/config/node?size=100&page=1", "{'SearchResult': {'resources': [{'id': 'n1', 'name': 'ise-1'}, {'id': 'n2', 'name': 'ise-2'}]}}");
    ANSWER(f, "/api/v1/certs/system-certificate/ise-1?size=100&page=0", "{'response': [" CERT("far", "Admin", "'Tue Jun 14 09:15:27 UTC 2033'") "," CERT("soon", "EAP Authentication, Portal", "'Thu Dec 10 00:00:00 UTC 2026'")
           "], 'version': '1.0.0', 'nextPage': {'href': 'https://ise/api/v1/certs/system-certificate/ise-1?size=100&page=2'}}");
    ANSWER(f, "/api/v1/certs/system-certificate/ise-1?size=100&page=2", "{'response': [" CERT("gone", "pxGrid", "'Mon Nov 16 00:00:00 UTC 2026'") "]}");
    ANSWER(f, "/api/v1/certs/system-certificate/ise-2?size=100&page=0", "{'response': [" CERT("odd", "EAP Authentication", "'next summer'") "]}");
    ANSWER(f, "/api/v1/certs/trusted-certificate?size=100&page=0", "{'response': [" CERT("root", "", "'2030-01-01T00:00:00Z'") ", 7]}");
    const struct fake_result *r = fake_run(f, "certificates", "run", "{}", NULL);
    GOOD(r);
    cr_expect_eq(fake_int(r->result, "count"), 5);
    cr_expect_eq(json_array_size(fake_at(r->result, "expiring")), 2);
    cr_expect_str_eq(fake_str(r->result, "expiring.0.name"), "gone");
    cr_expect(is_true_at(r->result, "expiring.0.expired") && !is_true_at(r->result, "expiring.1.expired"));
    cr_expect_eq(fake_int(r->result, "unreadable"), 1);
    cr_expect_str_eq(fake_str(r->result, "certificates.0.name"), "odd", "what nobody could read comes first");
    cr_expect_float_eq(json_number_value(fake_at(r->result, "next_days_left")), -10, 0.01);
    cr_expect_str_eq(fake_str(r->result, "certificates.3.kind"), "trusted");
    cr_expect_str_eq(fake_str(last(r->requests), "headers.Accept"), "application/json");
    r = fake_run(f, "certificates", "run", "{'node': 'ise-2', 'used_by': 'eap'}", NULL);
    GOOD(r);
    cr_expect_eq(fake_int(r->result, "count"), 1);
    cr_expect_eq(json_array_size(r->requests), 1);
    fake_host_free(f);
}

static const struct { const char *text; double time; } dates[] = {
    { "'Tue Jun 14 09:15:27 UTC 2033'", 2002353327 }, { "'Tue Jun 14 09:15:27 CEST 2033'", 2002353327 }, { "'Tue, 14 Jun 2033 09:15:27 GMT'", 2002353327 },
    { "'2033-06-14T11:15:27+02:00'", 2002353327 }, { "'2033-06-14 09:15:27'", 2002353327 }, { "'2002353327000'", 2002353327 }, { "'2033-06-14'", 2002320000 },
    { "'Jun 14, 2033'", 2002320000 }, { "'14 Jun 2033 09:15:27'", 2002353327 }, { "'Tue Jun 14 09:15:27 GMT+01:00 2033'", 2002353327 }, { "'soon'", 0 }, { "''", 0 }, { "null", 0 }, { "12", 0 },
    { "'99999999999999999999999999'", 0 }, { "'Tue Jun 99 09:15:27 UTC 2033'", 0 },
};

Test(certificates, dates_in_many_forms)
{
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        struct fake_host *f = ise_host();
        char body[300];

        snprintf(body, sizeof(body), "{'response': [{'id': 'x', 'expirationDate': %s}]}", dates[i].text);
        FAKE_HTTP(f, .status = 200, .body = body);
        const struct fake_result *r = fake_run(f, "certificates", "run", "{'kind': 'trusted'}", NULL);
        GOOD(r);
        cr_expect_float_eq(json_number_value(fake_at(r->result, "certificates.0.not_after")), dates[i].time, 0.5, "%s", dates[i].text);
        fake_host_free(f);
    }
}

Test(certificates, the_api_is_off)
{
    static const struct { int status; const char *body; enum ft_class fault; } cases[] = {
        { 200, "<html>login</html>", 0 }, { 404, "<html>Not Found</html>", 0 }, { 403, "{'message': 'Forbidden'}", 0 }, { 0, NULL, FT_UNREACHABLE },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();

        FAKE_HTTP(f, .status = cases[i].status, .body = cases[i].body, .fault = cases[i].fault, .why = "refused");
        const struct fake_result *r = fake_run(f, "certificates", "run", "{'kind': 'trusted'}", NULL);
        cr_expect(!r->ok && strstr(r->error, "API Service Settings"), "case %zu: %s", i, r->error);
        fake_host_free(f);
    }
}

/* ---- a gateway that is busy: reads are repeated, writes never */

Test(busy, reads_are_repeated)
{
    static const struct { int status; size_t requests; bool ok; } cases[] = { { 503, 2, true }, { 502, 2, true }, { 504, 2, true }, { 500, 1, false } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = ise_host();

        FAKE_HTTP(f, .status = cases[i].status, .body = "<html>busy</html>");
        ANSWER(f, NULL, GROUP);
        const struct fake_result *r = fake_run(f, "endpoint_group_create", "plan", "{'name': 'Lab', 'description': 'x'}", NULL);
        cr_expect(r->ok == cases[i].ok && json_array_size(r->requests) == cases[i].requests, "case %zu: %s", i, r->error);
        fake_host_free(f);
    }
    struct fake_host *f = ise_host();

    FAKE_HTTP(f, .method = "GET", .status = 404, .body = NOT_FOUND);
    FAKE_HTTP(f, .method = "POST", .status = 503, .body = "busy");
    const struct fake_result *r = fake_run(f, "endpoint_group_create", "run", "{'name': 'Lab'}", NULL);
    cr_expect(!r->ok && json_array_size(r->requests) == 2, "a write is never repeated: %s", r->error);
    fake_host_free(f);
    f = ise_host();
    FAKE_HTTP(f, .status = 503);
    r = fake_run(f, "nodes", "run", "{}", NULL);
    cr_expect(!r->ok && r->class == FT_REFUSED && json_array_size(r->requests) == 3, "three times is enough: %s", r->error);
    fake_host_free(f);
}

/* What ISE never should say. */
Test(resources, odd_answers)
{
    static const char *const bodies[] = { "[]", "{}", "7", "{'NetworkDevice': []}", "{'NetworkDevice': {}}", "{'SearchResult': []}", "{'response': {}}", "<html>", "{'a':" };
    static const struct { const char *action, *params; } reads[] = {
        { "network_device", "{'name': 'x'}" }, { "network_devices", "{}" }, { "certificates", "{'kind': 'trusted'}" }, { "nodes", "{}" }, { "anc_endpoints", "{}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        for (size_t k = 0; k < ARRAY_LEN(reads); k++) {
            struct fake_host *f = ise_host();
            const struct fake_result *r;

            FAKE_HTTP(f, .status = 200, .body = bodies[i]);
            r = fake_run(f, reads[k].action, "run", reads[k].params, NULL);
            if (!r->ok)
                cr_expect(r->class == FT_INVALID, "%s %s: %s", reads[k].action, bodies[i], r->error);
            else
                cr_expect(strcmp(reads[k].action, "certificates") == 0 && strcmp(bodies[i], "[]") != 0, "%s %s", reads[k].action, bodies[i]);
            fake_host_free(f);
        }
}

/* Answers with the members of the real ones and "string" or 0 as values, where the shared samples are there. */
Test(samples, mock_answers)
{
    static const struct { const char *file, *action, *params, *expect; } cases[] = {
        { "network_device_get_network_device_by_id", "network_device", "{'name': 'x'}", "found" }, { "network_device_get_network_device", "network_devices", "{'limit': 3}", "items" },
        { "certificates_get_system_certificates", "certificates", "{'node': 'x', 'kind': 'system'}", "certificates" },
        { "certificates_get_trusted_certificates", "certificates", "{'kind': 'trusted'}", "certificates" },
        { "endpoint_get_endpoints", "endpoints", "{'limit': 3}", "items" }, { "endpoint_get_rejected_endpoints", "rejected_endpoints", "{}", "endpoints" },
        { "internal_user_get_internal_user", "internal_users", "{'limit': 3}", "items" }, { "internal_user_get_internal_user_by_id", "internal_user", "{'name': 'x'}", "found" },
        { "endpoint_get_endpoint_by_name", "endpoint", "{'mac': '" MAC "'}", "found" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[120], *text, *body;
        json_t *sample;

        snprintf(name, sizeof(name), "ise-mock/%s.json", cases[i].file);
        text = shared_sample(name);
        if (!text)
            continue;
        sample = json_loads(text, 0, NULL);
        body = json_dumps(json_object_get(sample, "body"), 0);
        struct fake_host *f = ise_host();

        FAKE_HTTP(f, .status = 200, .body = body);
        const struct fake_result *r = fake_run(f, cases[i].action, "run", cases[i].params, NULL);
        cr_expect(r->ok && fake_at(r->result, cases[i].expect), "%s: %s", cases[i].file, r->error);
        fake_host_free(f);
        json_decref(sample);
        free(body);
        free(text);
    }
}
