/* Tests of netbox.so on the fake host: no network, no clock. */
#include <stdio.h>
#include <string.h>
#include <fettle/fake_host.h>

static int failures;

#define CHECK(what, ok, why) do { if (!(ok)) { failures++; printf("FAILED: %s: %s\n", what, why); } } while (0)

static struct fake_host *new_host(void)
{
    struct fake_host *f = fake_host_new("./netbox.so");

    fake_config(f, "{'url': 'https://netbox.test', 'token': 'sesame'}");
    return f;
}

static const char found[] = "{'count': 1, 'results': [{'id': 7, 'name': 'sw-3f-1', 'status': {'value': 'active'}, 'site': {'name': 'HQ'}}]}";

static void a_device_is_read(void)
{
    struct fake_host *f = new_host();
    const struct fake_result *r;

    FAKE_HTTP(f, .url = "/api/dcim/devices/?name=sw-3f-1", .status = 200, .body = found);
    r = fake_run(f, "device", "run", "{'name': 'sw-3f-1'}", NULL);
    CHECK("device", r->ok && fake_equals(r->result, "{'id': 7, 'status': 'active', 'site': 'HQ'}"), r->error);
    fake_host_free(f);
}

/* What the world may answer, and what becomes of it. */
static const struct { const char *body; int status; enum ft_class class; } worlds[] = {
    { "{'count': 0, 'results': []}", 200, FT_NOT_FOUND },
    { "{'detail': 'Invalid token'}", 403, FT_DENIED },
    { "<html>log in</html>", 200, FT_INVALID },
    { "{'results': 5}", 200, FT_INVALID },
    { "", 502, FT_REFUSED },
};

static void a_bad_world_is_told_apart(void)
{
    for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
        struct fake_host *f = new_host();
        const struct fake_result *r;

        FAKE_HTTP(f, .status = worlds[i].status, .body = worlds[i].body);
        r = fake_run(f, "device", "run", "{'name': 'sw-3f-1'}", NULL);
        CHECK(worlds[i].body, !r->ok && r->class == worlds[i].class && !strstr(r->error, "sesame"), r->error);
        fake_host_free(f);
    }
}

static void a_write_is_planned_done_and_taken_back(void)
{
    struct fake_host *f = new_host();
    const struct fake_result *r;
    char *receipt;

    FAKE_HTTP(f, .method = "GET", .status = 200, .body = found);
    FAKE_HTTP(f, .method = "PATCH", .url = "/api/dcim/devices/7/", .request_has = "offline", .status = 200, .body = "{'status': {'value': 'offline'}}");
    FAKE_HTTP(f, .method = "PATCH", .url = "/api/dcim/devices/7/", .request_has = "active", .status = 200, .body = "{'status': {'value': 'active'}}");
    r = fake_run(f, "set_status", "plan", "{'name': 'sw-3f-1', 'status': 'offline'}", NULL);
    CHECK("plan", r->ok && strcmp(fake_str(r->result, "requests.0.method"), "PATCH") == 0, r->error);
    receipt = json_dumps(fake_at(r->result, "receipt"), 0);
    r = fake_run(f, "set_status", "run", "{'name': 'sw-3f-1', 'status': 'offline'}", receipt);
    CHECK("run", r->ok && fake_equals(r->result, "{'status': 'offline'}"), r->error);
    r = fake_run(f, "set_status", "undo", "{'name': 'sw-3f-1', 'status': 'offline'}", receipt);
    CHECK("undo", r->ok && fake_equals(r->result, "{'status': 'active'}"), r->error);
    free(receipt);
    fake_host_free(f);
}

int main(void)
{
    a_device_is_read();
    a_bad_world_is_told_apart();
    a_write_is_planned_done_and_taken_back();
    printf("%s\n", failures ? "some checks failed" : "all checks passed");
    return failures != 0;
}
