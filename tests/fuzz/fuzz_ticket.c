/* What a ticket system answers, through the plugin's way: the first byte chooses system and action, the rest is the answers' bodies, parted by zero bytes. The fake
 * host checks what a plugin may do, and that results have the shape that was promised. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define MAX_ANSWERS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const configs[] = {
    "{'system': 'servicenow', 'url': 'https://t.test', 'user': 'u', 'password': 'sesame42'}",
    "{'system': 'jira', 'url': 'https://t.atlassian.net', 'user': 'u', 'token': 'sesame42', 'project': 'NOC'}",
    "{'system': 'jira', 'url': 'https://t.test', 'token': 'sesame42', 'project': 'NOC'}",
    "{'system': 'rt', 'url': 'https://t.test', 'token': 'sesame42'}",
};

static const struct { const char *action, *entry, *params, *receipt; } calls[] = {
    { "find", "run", "{'about': 'AP-3F'}", NULL }, { "get", "run", "{'number': 'NOC-1', 'notes': true}", NULL }, { "open", "run", "{'title': 'x', 'correlation_id': 'c'}", NULL },
    { "open", "probe", "{'title': 'x', 'correlation_id': 'c'}", NULL }, { "update", "run", "{'number': 'NOC-1', 'note': 'n', 'state': 'on_hold', 'severity': 'P1'}", NULL },
    { "update", "probe", "{'number': 'NOC-1', 'note': 'n'}", NULL }, { "resolve", "run", "{'number': 'NOC-1', 'notes': 'n'}", NULL }, { "link", "run", "{'number': 'NOC-1', 'parent': 'NOC-2'}", NULL },
    { "link", "undo", "{'number': 'NOC-1', 'parent': 'NOC-2'}", "{'id': '1', 'before': {'Relates': null}}" }, { "attach", "run", "{'number': 'NOC-1', 'file_name': 'e.txt', 'text': 't'}", NULL },
    { "attach", "probe", "{'number': 'NOC-1', 'file_name': 'e.txt', 'text': 't'}", NULL }, { "update", "undo", "{'number': 'NOC-1', 'note': 'n'}", "{'id': '1', 'before': {'status': 'Open', 'Status': 'new'}}" },
    { "change_status", "run", "{'number': 'NOC-1'}", NULL }, { "reopen", "plan", "{'number': 'NOC-1', 'note': 'n'}", NULL }, { "close", "run", "{'number': 'NOC-1', 'notes': 'n'}", NULL },
    { "change_open", "run", "{'title': 'x'}", NULL },
};

/* The fuzzer keeps counters within the plugin: it must never be unloaded. */
static void stay_loaded(void)
{
    static void *handle;
    char path[1000];

    if (handle)
        return;
    snprintf(path, sizeof(path), "%s/plugins/ticket.so", getenv("FETTLE_BUILD") ?: ".");
    handle = dlopen(path, RTLD_NOW | RTLD_NODELETE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fake_host *f;
    unsigned system, call;
    char *text, *part;

    stay_loaded();
    if (size < 2 || size > 4000)
        return 0;
    system = data[0] & 3;
    call = data[0] >> 2 & 15;
    text = calloc(1, size + 1);
    memcpy(text, data + 1, size - 1);
    f = fake_host_new("ticket");
    fake_config(f, configs[system]);
    part = text;
    for (int i = 0; i < MAX_ANSWERS && part < text + size; i++) {
        FAKE_HTTP(f, .status = *part == '!' ? 404 : 200, .body = part + (*part == '!'));
        part += strlen(part) + 1;
    }
    fake_run(f, calls[call].action, calls[call].entry, calls[call].params, calls[call].receipt);
    fake_host_free(f);
    free(text);
    return 0;
}
