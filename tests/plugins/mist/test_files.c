/* Backups, restores, keys and captures: what goes into files, what comes out of them, and what is never shown. Blocklists, which lie in a store. */
#include "mist_test.h"

#define S "/sites/" SITE
#define SITE_ANSWER "{'id': '" SITE "', 'name': 'HQ', 'rftemplate_id': 't1'}"
#define WLAN(vlan, psk) "{'id': 'w1', 'ssid': 'staff', 'vlan_id': " vlan ", 'auth': {'type': 'psk', 'psk': '" psk "'}, 'modified_time': 5}"

static void world(struct fake_host *f, const char *vlan)
{
    char wlans[400], wlan[400];

    snprintf(wlan, sizeof(wlan), "{'id': 'w1', 'ssid': 'staff', 'vlan_id': %s, 'auth': {'type': 'psk', 'psk': 'hush-%s'}, 'modified_time': 5}", vlan, vlan);
    snprintf(wlans, sizeof(wlans), "[%s]", wlan);
    ANSWER(f, S, SITE_ANSWER);
    ANSWER(f, S "/setting", "{'vars': {'a': '1'}, 'modified_time': 3}");
    ANSWER(f, S "/wlans?limit=1000", wlans);
    ANSWER(f, S "/wlans/w1", wlan);
    ANSWER(f, S "/devices?type=all&limit=1000", "[{'id': 'd1', 'name': 'ap', 'led': {'enabled': true}}]");
    ANSWER(f, S "/devices/d1", "{'id': 'd1', 'name': 'ap', 'led': {'enabled': true}, 'notes': 'new'}");
    ANSWER(f, "/rftemplates/t1", "{'id': 't1', 'name': 'offices'}");
}

static void shows_no_secret(const struct fake_result *r, const char *what)
{
    char *result = r->result ? json_dumps(r->result, 0) : strdup(""), *kept = r->kept ? json_dumps(r->kept, 0) : strdup("");

    cr_expect(!strstr(result, "hush") && !strstr(kept, "hush") && !strstr(r->error, "hush"), "%s shows a secret: %s %s", what, result, kept);
    free(result);
    free(kept);
}

/* The file that an export wrote, as text. */
static char *exported(const char *vlan)
{
    struct fake_host *f = mist_host();
    char *text;

    world(f, vlan);
    const struct fake_result *r = fake_run(f, "config_export", "run", "{'site': '" SITE "', 'file': 'b.json'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_eq(fake_int(r->result, "objects"), 5);
    cr_expect_eq(fake_int(r->result, "by_kind.wlan"), 1);
    cr_expect_eq(strlen(fake_str(r->result, "sha256")), 64);
    cr_expect_eq(writes_in(r->requests), 0);
    shows_no_secret(r, "config_export");
    text = strdup(fake_str(r->files, "0.text"));
    cr_expect(strstr(text, "hush") && strstr(text, "fettle-mist-config"), "the file holds all");
    fake_host_free(f);
    return text;
}

static struct fake_host *with_backup(const char *text, const char *vlan_now)
{
    struct fake_host *f = mist_host();

    fake_file(f, "b.json", text, strlen(text));
    world(f, vlan_now);
    return f;
}

#define RESTORE "{'file': 'b.json', 'what': ['wlan', 'setting', 'device']}"

Test(backup, restores_what_differs_and_nothing_else)
{
    char *text = exported("10"), *receipt;
    struct fake_host *f = with_backup(text, "20");

    const struct fake_result *r = fake_run(f, "config_restore", "plan", RESTORE, NULL);
    cr_assert(r->ok, "%s", r->error);
    shows_no_secret(r, "the plan");
    cr_expect_eq(json_array_size(fake_at(r->result, "requests")), 1);
    cr_expect_str_eq(fake_str(r->result, "requests.0.url"), AT S "/wlans/w1");
    cr_expect_eq(json_array_size(fake_at(r->result, "changes")), 2);
    receipt = receipt_of(fake_at(r->result, "receipt"));

    FAKE_HTTP(f, .method = "PUT", .status = 200, .body = "{}");
    r = fake_run(f, "config_restore", "run", RESTORE, receipt);
    cr_assert(r->ok, "%s", r->error);
    shows_no_secret(r, "the run");
    cr_expect_eq(writes_in(r->requests), 1);
    cr_expect(strstr(fake_str(write_in(r->requests), "body"), "\"vlan_id\":10") && strstr(fake_str(write_in(r->requests), "body"), "hush-10"));
    cr_expect(!strstr(fake_str(write_in(r->requests), "body"), "ssid"), "only keys that differ: %s", fake_str(write_in(r->requests), "body"));
    cr_expect_eq(json_array_size(r->files), 1, "a copy of what was there");
    cr_expect(strstr(fake_str(r->files, "0.text"), "hush-20"));
    cr_expect_str_eq(fake_str(r->result, "left.0"), "device ap.notes");
    free(receipt);
    receipt = receipt_of(r->kept);

    /* undo puts the copy back; in Mist there is now what the restore wrote */
    struct fake_host *g = with_backup(text, "10");
    fake_file(g, fake_str(r->kept, "copy"), fake_str(r->files, "0.text"), strlen(fake_str(r->files, "0.text")));
    FAKE_HTTP(g, .method = "PUT", .status = 200, .body = "{}");
    const struct fake_result *u = fake_run(g, "config_restore", "undo", RESTORE, receipt);
    cr_assert(u->ok, "%s", u->error);
    cr_expect_eq(writes_in(u->requests), 1);
    cr_expect(strstr(fake_str(write_in(u->requests), "body"), "hush-20"));
    fake_host_free(g);

    /* somebody else changed it since: left alone */
    g = with_backup(text, "30");
    fake_file(g, fake_str(r->kept, "copy"), fake_str(r->files, "0.text"), strlen(fake_str(r->files, "0.text")));
    u = fake_run(g, "config_restore", "undo", RESTORE, receipt);
    cr_expect(!u->ok && u->class == FT_CONFLICT && writes_in(u->requests) == 0, "%s", u->error);
    fake_host_free(g);
    free(receipt);
    free(text);
    fake_host_free(f);
}

Test(backup, restores_nothing_that_moved_since_the_plan)
{
    char *text = exported("10"), *receipt;
    struct fake_host *f = with_backup(text, "20");
    const struct fake_result *r = fake_run(f, "config_restore", "plan", RESTORE, NULL);

    cr_assert(r->ok, "%s", r->error);
    receipt = receipt_of(fake_at(r->result, "receipt"));
    fake_host_free(f);
    f = with_backup(text, "21");
    r = fake_run(f, "config_restore", "run", RESTORE, receipt);
    cr_expect(!r->ok && r->class == FT_CONFLICT && writes_in(r->requests) == 0, "%s", r->error);
    fake_host_free(f);
    free(receipt);
    free(text);
}

Test(backup, has_nothing_to_do_where_all_is_the_same)
{
    char *text = exported("10");
    struct fake_host *f = with_backup(text, "10");
    const struct fake_result *r = fake_run(f, "config_restore", "plan", RESTORE, NULL);

    cr_expect(r->ok && is_true_at(r->result, "nothing_to_do"), "%s", r->error);
    r = fake_run(f, "config_restore", "run", RESTORE, NULL);
    cr_expect(r->ok && json_is_false(fake_at(r->result, "changed")) && writes_in(r->requests) == 0 && json_array_size(r->files) == 0, "%s", r->error);
    free(text);
    fake_host_free(f);
}

/* ---- files that are not what they should be */

static const struct { const char *text, *says; enum ft_class class; } odd_files[] = {
    { "", "no backup", FT_INVALID }, { "hello", "no backup", FT_INVALID }, { "[]", "no backup", FT_INVALID }, { "{}", "no backup", FT_INVALID },
    { "{\"format\": \"fettle-mist-config\", \"objects\": 7}", "no backup", FT_INVALID },
    { "{\"format\": \"fettle-mist-config\", \"objects\": []}", "another organisation", FT_INVALID },
    { "{\"format\": \"fettle-mist-config\", \"org_id\": \"other\", \"objects\": []}", "another organisation", FT_INVALID },
    { "{\"format\": \"fettle-mist-config\", \"org_id\": \"" ORG "\", \"objects\": []}", "no such object", FT_NOT_FOUND },
    { "{\"format\": \"fettle-mist-config\", \"org_id\": \"" ORG "\", \"objects\": [{\"kind\": \"wlan\", \"path\": \"/orgs/other/wlans/1\", \"object\": {}}]}", "names no object", FT_INVALID },
    { "{\"format\": \"fettle-mist-config\", \"org_id\": \"" ORG "\", \"objects\": [{\"kind\": \"wlan\", \"path\": \"/sites/../self\", \"object\": {}}]}", "names no object", FT_INVALID },
    { "{\"format\": \"fettle-mist-config\", \"org_id\": \"" ORG "\", \"objects\": [{\"kind\": \"wlan\", \"path\": \"https://evil/\", \"object\": {}}]}", "names no object", FT_INVALID },
    { "{\"format\": \"fettle-mist-config\", \"org_id\": \"" ORG "\", \"objects\": [{\"kind\": \"wlan\", \"path\": \"/sites/x\", \"object\": 7}]}", "names no object", FT_INVALID },
    { "{\"format\": \"fettle-mist-config\", \"org_id\": \"" ORG "\", \"objects\": [null, 7]}", "names no object", FT_INVALID },
};

Test(backup, a_file_that_is_none_is_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(odd_files); i++) {
        struct fake_host *f = mist_host();

        fake_file(f, "b.json", odd_files[i].text, strlen(odd_files[i].text));
        const struct fake_result *r = fake_run(f, "config_restore", "plan", "{'file': 'b.json'}", NULL);
        cr_expect(!r->ok && r->class == odd_files[i].class && strstr(r->error, odd_files[i].says) && json_array_size(r->requests) == 0, "%s: %s", odd_files[i].text, r->error);
        fake_host_free(f);
    }
}

Test(backup, the_digest_must_fit)
{
    char *text = exported("10");
    struct fake_host *f = with_backup(text, "20");
    const struct fake_result *r = fake_run(f, "config_restore", "plan",
        "{'file': 'b.json', 'sha256': '0000000000000000000000000000000000000000000000000000000000000000'}", NULL);

    cr_expect(!r->ok && r->class == FT_CONFLICT && strstr(r->error, "digest"), "%s", r->error);
    r = fake_run(f, "config_restore", "plan", "{'file': 'nowhere.json'}", NULL);
    cr_expect(!r->ok && r->class == FT_NOT_FOUND, "%s", r->error);
    fake_host_free(f);
    free(text);
}

Test(backup, a_request_that_fails_leaves_no_file)
{
    static const char *const broken[] = { S, S "/setting", S "/wlans?limit=1000", S "/devices?type=all&limit=1000", "/rftemplates/t1" };

    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct fake_host *f = mist_host();

        FAKE_HTTP(f, .method = "GET", .url = broken[i], .status = 503, .body = "{}");
        world(f, "10");
        const struct fake_result *r = fake_run(f, "config_export", "run", "{'site': '" SITE "'}", NULL);
        cr_expect(!r->ok && r->class == FT_REFUSED && json_array_size(r->files) == 0, "%s: %s", broken[i], r->error);
        fake_host_free(f);
    }
}

/* ---- the key of a WLAN */

#define PSK "{'site': '" SITE "', 'wlan': 'staff', 'psk': 'hush-new-1'}"

static struct fake_host *psk_host(const char *wlan)
{
    struct fake_host *f = mist_host();
    char list[500];

    snprintf(list, sizeof(list), "[%s]", wlan);
    ANSWER(f, "/wlans/derived?resolve=true", list);
    ANSWER(f, "/wlans/w1", wlan);
    ANSWER(f, "/stats/clients?limit=1000", "[{'wlan_id': 'w1'}]");
    FAKE_HTTP(f, .method = "PUT", .status = 200, .body = "{}");
    return f;
}

Test(psk, is_changed_and_put_back_and_never_shown)
{
    struct fake_host *f = psk_host(WLAN("10", "hush-old-1"));
    const struct fake_result *r = fake_run(f, "wlan_psk", "plan", PSK, NULL);
    char *receipt, *copy;

    cr_assert(r->ok, "%s", r->error);
    shows_no_secret(r, "the plan");
    cr_expect_eq(fake_int(r->result, "users"), 1);
    r = fake_run(f, "wlan_psk", "run", PSK, NULL);
    cr_assert(r->ok, "%s", r->error);
    shows_no_secret(r, "the run");
    cr_expect_str_eq(fake_str(write_in(r->requests), "body"), "{\"auth\":{\"type\":\"psk\",\"psk\":\"hush-new-1\"}}");
    receipt = receipt_of(r->kept);
    copy = strdup(fake_str(r->files, "0.text"));
    cr_expect(strstr(copy, "hush-old-1"));
    struct fake_host *g = psk_host(WLAN("10", "hush-new-1"));
    fake_file(g, fake_str(r->kept, "copy"), copy, strlen(copy));
    const struct fake_result *u = fake_run(g, "wlan_psk", "undo", PSK, receipt);
    cr_assert(u->ok, "%s", u->error);
    cr_expect_str_eq(fake_str(write_in(u->requests), "body"), "{\"auth\":{\"psk\":\"hush-old-1\",\"type\":\"psk\"}}");
    fake_host_free(g);
    g = psk_host(WLAN("10", "hush-third"));
    fake_file(g, fake_str(r->kept, "copy"), copy, strlen(copy));
    u = fake_run(g, "wlan_psk", "undo", PSK, receipt);
    cr_expect(!u->ok && u->class == FT_CONFLICT, "%s", u->error);
    fake_host_free(g);
    free(receipt);
    free(copy);
    fake_host_free(f);
}

Test(psk, odd_ones)
{
    static const struct { const char *wlan, *says; bool runs, undo; } cases[] = {
        { "{'id': 'w1', 'ssid': 'staff', 'auth': {'type': 'eap'}}", "no pre-shared key", false, false },
        { "{'id': 'w1', 'ssid': 'staff', 'auth': {'type': 'psk', 'psk': '********'}}", "", true, false },
        { "{'id': 'w1', 'ssid': 'staff', 'auth': {'type': 'psk'}}", "", true, false },
        { "{'id': 'w1', 'ssid': 'staff', 'template_id': 't', 'auth': {'type': 'psk', 'psk': 'hush-old-1'}}", "template", false, false },
        { WLAN("10", "hush-old-1"), "", true, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = psk_host(cases[i].wlan);
        const struct fake_result *r = fake_run(f, "wlan_psk", "run", PSK, NULL);

        cr_expect(r->ok == cases[i].runs && strstr(r->ok ? "" : r->error, cases[i].says), "%s: %s", cases[i].wlan, r->error);
        if (r->ok)
            cr_expect_eq(is_true_at(r->result, "can_undo"), cases[i].undo, "%s", cases[i].wlan);
        fake_host_free(f);
    }
}

/* ---- captures */

#define CAPTURES "{'results': [{'id': 'c1', 'timestamp': 5, 'pcap_url': 'https://store.test/c1.pcap?key=hush'}, {'id': 'c2', 'timestamp': 9, 'url': 'https://store.test/c2.pcap?key=hush'}, {'id': 'c3', 'timestamp': 10}]}"

Test(pcap, is_fetched_without_the_token)
{
    static const char body[] = "\xd4\xc3\xb2\xa1 and so on, for more than twenty-four bytes";
    static const struct { const char *params, *store, *body; size_t len; int status; enum ft_class class; const char *path; } cases[] = {
        { "{'site': '" SITE "'}", "https://store.test/c2.pcap?key=hush", body, sizeof(body) - 1, 200, FT_CLASS_NONE, "/fake/files/mist/pcap-c2.pcap" },
        { "{'site': '" SITE "', 'id': 'c1', 'file': 'x.pcap'}", "https://store.test/c1.pcap?key=hush", body, sizeof(body) - 1, 200, FT_CLASS_NONE, "/fake/files/x.pcap" },
        { "{'site': '" SITE "', 'id': 'c3'}", NULL, "", 0, 200, FT_NOT_FOUND, "" },
        { "{'site': '" SITE "'}", "https://store.test/c2.pcap?key=hush", "<html>expired</html> long enough to be looked at", 0, 200, FT_INVALID, "" },
        { "{'site': '" SITE "'}", "https://store.test/c2.pcap?key=hush", "gone", 0, 403, FT_NOT_FOUND, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, "/pcaps?duration=1d&limit=1000", CAPTURES);
        FAKE_HTTP(f, .method = "GET", .url = cases[i].store ? cases[i].store : "nothing", .status = cases[i].status, .body = cases[i].body, .body_len = cases[i].len);
        const struct fake_result *r = fake_run(f, "pcap_download", "run", cases[i].params, NULL);
        cr_expect(r->ok == (cases[i].class == FT_CLASS_NONE) && (r->ok || r->class == cases[i].class), "%zu: %s", i, r->error);
        if (r->ok)
            cr_expect_str_eq(fake_str(r->result, "file"), cases[i].path);
        if (json_array_size(r->requests) > 1)
            cr_expect(!fake_at(r->requests, "1.headers.Authorization") && !fake_at(r->requests, "1.headers.authorization"), "the token stays at home");
        shows_no_secret(r, "pcap_download");
        fake_host_free(f);
    }
}

Test(pcap, one_at_a_time)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/pcaps/capture", "{'id': 'c', 'type': 'client', 'started_time': 9999999999, 'duration': 60}");
    const struct fake_result *r = fake_run(f, "pcap_start", "plan", "{'site': '" SITE "', 'type': 'wireless'}", NULL);
    cr_expect(!r->ok && r->class == FT_CONFLICT, "%s", r->error);
    FAKE_HTTP(f, .method = "DELETE", .status = 200);
    r = fake_run(f, "pcap_stop", "run", "{'site': '" SITE "'}", NULL);
    cr_expect(r->ok && is_true_at(r->result, "changed"), "%s", r->error);
    r = fake_run(f, "pcap_start", "undo", "{'site': '" SITE "', 'type': 'wireless'}", "{'site_id': '" SITE "', 'at': 1}");
    cr_expect(r->ok && !strcmp(fake_str(write_in(r->requests), "method"), "DELETE"), "%s", r->error);
    fake_host_free(f);
}

/* ---- blocklists */

#define STORE "https://store.test/list?key=hush"

static const struct { const char *list; int status; const char *sent; enum ft_class class; } lists[] = {
    { "{'macs': ['18-65-90-de-f4-c6']}", 200, "{\"macs\":[\"186590def4c6\",\"" CLIENT "\"]}", FT_CLASS_NONE },
    { "['186590def4c6']", 200, "{\"macs\":[\"186590def4c6\",\"" CLIENT "\"]}", FT_CLASS_NONE },
    { "186590def4c6\n18:65:90:de:f4:c7\n", 200, "{\"macs\":[\"186590def4c6\",\"186590def4c7\",\"" CLIENT "\"]}", FT_CLASS_NONE },
    { "", 200, "{\"macs\":[\"" CLIENT "\"]}", FT_CLASS_NONE }, { "[]", 200, "{\"macs\":[\"" CLIENT "\"]}", FT_CLASS_NONE },
    { "", 404, "{\"macs\":[\"" CLIENT "\"]}", FT_CLASS_NONE },
    { "<html>please log in</html>", 200, NULL, FT_INVALID }, { "{'macs': ['x']}", 200, NULL, FT_INVALID }, { "{'other': 1}", 200, NULL, FT_INVALID }, { "7", 200, NULL, FT_INVALID },
    { "no", 403, NULL, FT_REFUSED }, { "no", 503, NULL, FT_REFUSED },
};

/* The others stay; where the present list cannot be read nothing is written. */
Test(blocklist, keeps_the_others)
{
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, S "/setting", "{'blacklist_url': '" STORE "'}");
        FAKE_HTTP(f, .method = "GET", .url = STORE, .status = lists[i].status, .body = lists[i].list);
        FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{}");
        const struct fake_result *r = fake_run(f, "client_block", "run", "{'site': '" SITE "', 'mac': '" CLIENT "'}", NULL);
        cr_expect(r->ok == !lists[i].class && (r->ok || r->class == lists[i].class), "%s: %s", lists[i].list, r->error);
        cr_expect_eq(writes_in(r->requests), lists[i].class ? 0 : 1, "%s", lists[i].list);
        if (r->ok)
            cr_expect_str_eq(fake_str(write_in(r->requests), "body"), lists[i].sent, "%s", fake_str(write_in(r->requests), "body"));
        cr_expect(!fake_at(r->requests, "1.headers.Authorization") && !fake_at(r->requests, "1.headers.authorization"), "the token stays at home");
        fake_host_free(f);
    }
}

/* The store still shows the old list when the next client is blocked: the first one must not be lost. */
Test(blocklist, two_in_a_row)
{
    struct fake_host *f = mist_host();

    ANSWER(f, S "/setting", "{'blacklist_url': '" STORE "'}");
    FAKE_HTTP(f, .method = "GET", .url = STORE, .status = 200, .body = "['186590def4c6']");
    FAKE_HTTP(f, .method = "POST", .status = 200, .body = "{}");
    FAKE_HTTP(f, .method = "DELETE", .status = 200);
    const struct fake_result *r = fake_run(f, "client_block", "run", "{'site': '" SITE "', 'mac': '" CLIENT "'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    r = fake_run(f, "client_block", "run", "{'site': '" SITE "', 'mac': 'aaaaaaaaaaaa'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(write_in(r->requests), "body"), "{\"macs\":[\"186590def4c6\",\"" CLIENT "\",\"aaaaaaaaaaaa\"]}");
    r = fake_run(f, "client_unblock", "run", "{'site': '" SITE "', 'mac': '18:65:90:de:f4:c6'}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(write_in(r->requests), "body"), "{\"macs\":[\"" CLIENT "\",\"aaaaaaaaaaaa\"]}");
    r = fake_run(f, "client_block", "undo", "{'site': '" SITE "', 'mac': 'aaaaaaaaaaaa'}", "{'site_id': '" SITE "', 'mac': 'aaaaaaaaaaaa', 'was': false}");
    cr_assert(r->ok, "%s", r->error);
    cr_expect_str_eq(fake_str(write_in(r->requests), "body"), "{\"macs\":[\"" CLIENT "\"]}");
    fake_host_free(f);
}

/* ---- what a 200 does not mean */

Test(firmware, is_checked_before_it_is_sent)
{
    static const struct { const char *params; enum ft_class class; const char *says; bool idle; } cases[] = {
        { "{'site': '" SITE "', 'version': '9'}", FT_INVALID, "offers no 9 for model AP43", false }, { "{'site': '" SITE "', 'version': '9', 'force': true}", FT_CLASS_NONE, "", false },
        { "{'site': '" SITE "', 'version': '1'}", FT_CLASS_NONE, "", true }, { "{'site': '" SITE "', 'version': '2', 'model': 'AP12'}", FT_CLASS_NONE, "", true },
        { "{'site': '" SITE "', 'version': '2'}", FT_CLASS_NONE, "", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, "/stats/devices?type=ap&status=all&limit=1000", "[{'id': 'd1', 'mac': '" AP_MAC "', 'name': 'ap', 'model': 'AP43', 'version': '1'}]");
        ANSWER(f, "/devices/versions?type=ap", "[{'model': 'AP43', 'version': '2'}]");
        const struct fake_result *r = fake_run(f, "firmware_upgrade", "plan", cases[i].params, NULL);
        cr_expect(r->ok == !cases[i].class && strstr(r->ok ? "" : r->error, cases[i].says), "%s: %s", cases[i].params, r->error);
        if (r->ok)
            cr_expect_eq(is_true_at(r->result, "nothing_to_do"), cases[i].idle, "%s", cases[i].params);
        fake_host_free(f);
    }
}

Test(inventory, a_200_with_errors_in_it_is_none)
{
    struct fake_host *f = mist_host();

    ANSWER(f, "/inventory?limit=1000", "[{'mac': '5c5b35000099'}]");
    FAKE_HTTP(f, .method = "PUT", .status = 200, .body = "{'op': 'assign', 'success': [], 'error': ['5c5b35000099'], 'reason': ['already assigned']}");
    const struct fake_result *r = fake_run(f, "inventory_assign", "run", "{'site': '" SITE "', 'devices': ['5c5b35000099']}", NULL);
    cr_expect(!r->ok && r->class == FT_REFUSED && strstr(r->error, "already assigned"), "%s", r->error);
    fake_host_free(f);
}

/* ---- undo of the others */

static const struct { const char *action, *params, *receipt, *get, *answer, *method, *url, *body; } undos[] = {
    { "alarms_ack", "{}", "{'site_id': null, 'alarms': ['a', 'b']}", "x", "{}", "POST", "/alarms/unack", "{\"alarm_ids\":[\"a\",\"b\"]}" },
    { "alarm_suppress", "{'site': '" SITE "'}", "{'site_id': '" SITE "', 'was_silent': false}", "/suppress", "{'results': [{'scope': 'site', 'site_id': '" SITE "', 'expire_time': 9999999999}]}",
      "POST", "/suppress", "{\"scope\":\"site\",\"applies\":{\"site_ids\":[\"" SITE "\"]},\"duration\":0}" },
    { "inventory_assign", "{'site': '" SITE "', 'devices': ['" AP_MAC "']}", "{'before': {'" AP_MAC "': null}, 'macs': ['" AP_MAC "']}", "x", "{}", "PUT", "/inventory", "{\"op\":\"unassign\",\"macs\":[\"" AP_MAC "\"]}" },
    { "inventory_unassign", "{'devices': ['" AP_MAC "']}", "{'before': {'" AP_MAC "': '" SITE "'}, 'macs': ['" AP_MAC "']}", "x", "{}", "PUT", "/inventory",
      "{\"op\":\"assign\",\"macs\":[\"" AP_MAC "\"],\"site_id\":\"" SITE "\"}" },
    { "device_replace", "{'device': 'x', 'spare': '5c5b35000099'}", "{'site_id': '" SITE "', 'mac': 'aaaaaaaaaaaa', 'inventory_mac': '5c5b35000099'}", "x", "{}", "POST", "/replace",
      "{\"site_id\":\"" SITE "\",\"mac\":\"5c5b35000099\",\"inventory_mac\":\"aaaaaaaaaaaa\"}" },
    { "radio_reset", "{'site': '" SITE "', 'bands': ['5']}", "{'site_id': '" SITE "', 'manual': [{'device_id': 'd1', 'radio_config': {'band_5': {'channel': 44}}}]}", "x", "{}", "PUT", "/devices/d1",
      "{\"radio_config\":{\"band_5\":{\"channel\":44}}}" },
    { "wlan_create", "{'site': '" SITE "', 'ssid': 'event', 'auth': 'open'}", "{'site_id': '" SITE "', 'ssid': 'event'}", "/wlans", "[{'id': 'w9', 'ssid': 'event'}]", "DELETE", "/wlans/w9", "" },
    { "ap_radio", "{'device': 'x', 'band': '5'}", "{'path': '/sites/s/devices/d1', 'what': 'x', 'before': {'radio_config': null}, 'after': {'radio_config': {'band_5': {'channel': 44}}}}", "/devices/d1",
      "{'radio_config': {'band_5': {'channel': 44}}}", "PUT", "/devices/d1", "{\"radio_config\":null}" },
};

Test(undo_of_more, puts_back)
{
    for (size_t i = 0; i < ARRAY_LEN(undos); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, undos[i].get, undos[i].answer);
        FAKE_HTTP(f, .method = undos[i].method, .url = undos[i].url, .status = 200, .body = "{}");
        const struct fake_result *r = fake_run(f, undos[i].action, "undo", undos[i].params, undos[i].receipt);
        cr_expect(r->ok, "%s: %s", undos[i].action, r->error);
        if (r->ok) {
            cr_expect_eq(writes_in(r->requests), 1, "%s", undos[i].action);
            cr_expect_str_eq(fake_str(write_in(r->requests), "body") ? fake_str(write_in(r->requests), "body") : "", undos[i].body, "%s", undos[i].action);
        }
        fake_host_free(f);
    }
}

static const struct { const char *action, *params, *receipt, *get, *answer; int happened; } probes[] = {
    { "firmware_upgrade", "{'site': '" SITE "', 'version': '2'}", "{'site_id': '" SITE "', 'version': '2', 'at': 1000, 'device_ids': []}", "/devices/upgrade", "[{'id': 'u', 'target_version': '2', 'start_time': 1001}]", 1 },
    { "firmware_upgrade", "{'site': '" SITE "', 'version': '2'}", "{'site_id': '" SITE "', 'version': '2', 'at': 1000, 'device_ids': []}", "/devices/upgrade", "[{'id': 'u', 'target_version': '2', 'start_time': 100}]", 0 },
    { "wlan_create", "{'site': '" SITE "', 'ssid': 'event', 'auth': 'open'}", "{'site_id': '" SITE "', 'ssid': 'event'}", "/wlans", "[{'id': 'w9', 'ssid': 'event'}]", 1 },
    { "wlan_create", "{'site': '" SITE "', 'ssid': 'event', 'auth': 'open'}", "{'site_id': '" SITE "', 'ssid': 'event'}", "/wlans", "[]", 0 },
    { "spectrum_start", "{'site': '" SITE "', 'band': '5'}", "{'site_id': '" SITE "', 'at': 1000}", "/analyze_spectrum", "{'started_time': 1001}", 1 },
    { "spectrum_start", "{'site': '" SITE "', 'band': '5'}", "{'site_id': '" SITE "', 'at': 1000}", "/analyze_spectrum", "{}", 0 },
    { "device_replace", "{'device': 'x', 'spare': '5c5b35000099'}", "{'site_id': '" SITE "', 'mac': 'aaaaaaaaaaaa', 'inventory_mac': '5c5b35000099'}", "/inventory?limit=1000", "[{'mac': '5c5b35000099', 'site_id': '" SITE "'}]", 1 },
    { "device_replace", "{'device': 'x', 'spare': '5c5b35000099'}", "{'site_id': '" SITE "', 'mac': 'aaaaaaaaaaaa', 'inventory_mac': '5c5b35000099'}", "/inventory?limit=1000", "[{'mac': '5c5b35000099'}]", 0 },
    { "pcap_start", "{'site': '" SITE "', 'type': 'wireless'}", "{'site_id': '" SITE "', 'at': 1000}", "/capture", "{'id': 'c', 'started_time': 1001}", 1 },
    { "client_block", "{'mac': '" CLIENT "'}", "{'mac': '" CLIENT "', 'was': false}", "/setting", "{}", 0 },
};

Test(undo_of_more, probes_tell)
{
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        struct fake_host *f = mist_host();

        ANSWER(f, probes[i].get, probes[i].answer);
        const struct fake_result *r = fake_run(f, probes[i].action, "probe", probes[i].params, probes[i].receipt);
        cr_expect(r->ok && is_true_at(r->result, "happened") == probes[i].happened, "%zu %s: %s", i, probes[i].action, r->error);
        fake_host_free(f);
    }
}
