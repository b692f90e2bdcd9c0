/* session.c: talking to one switch. */
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cli.h"
#include "dialect.h"

const struct ft_host *host;

/* ---- Which device ---- */

const json_t *sw_setting_json(struct ft_call *call, const char *key)
{
    const struct sw *st = host->state(call);

    return ft_get(st->device, key) ?: ft_get(ft_get(host->config(call), "defaults"), key);
}

const char *sw_setting(struct ft_call *call, const char *key)
{
    return json_string_value(sw_setting_json(call, key));
}

static bool is_called(const char *name, const json_t *device, const char *wanted)
{
    const char *address = json_string_value(json_object_get(device, "host"));
    json_t *alias;
    size_t i;

    if (strcasecmp(name, wanted) == 0 || (address && strcasecmp(address, wanted) == 0))
        return true;
    json_array_foreach(json_object_get(device, "aliases"), i, alias) {
        char a[18], b[18];

        if (strcasecmp(json_string_value(alias), wanted) == 0)
            return true;
        if (cli_mac(json_string_value(alias), a) && cli_mac(wanted, b) && strcmp(a, b) == 0)
            return true;
    }
    return false;
}

static const json_t *find_device(struct ft_call *call, const char *wanted, const char **ret_name)
{
    const char *name;
    json_t *device;

    json_object_foreach(json_object_get(host->config(call), "devices"), name, device) {
        if (is_called(name, device, wanted)) {
            *ret_name = name;
            return device;
        }
    }
    return NULL;
}

static const struct vendor *find_vendor(const char *name)
{
    static const struct vendor *const all[] = { &vendor_junos, &vendor_ios, &vendor_eos, &vendor_frr, &vendor_netconf };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    }
    return NULL;
}

static void watch_over(struct ft_call *call);

static void *term_alloc(void *arg, size_t size)
{
    return host->alloc(arg, size);
}

int sw_begin(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    struct sw *st = host->state(call);
    const json_t *params = host->params(call);
    const char *wanted = json_string_value(json_object_get(params, "device"));
    uint64_t left = host->remaining_ms(call);

    st->phase = phase;
    st->device = find_device(call, wanted, &st->name);
    if (!st->device)
        return sw_error(reterr, FT_NOT_FOUND, "no switch '%s' in the configuration: add it to plugins.switch.devices", wanted);
    st->vendor = find_vendor(sw_setting(call, "vendor") ?: "junos");
    if (!st->vendor)
        return sw_error(reterr, FT_INVALID, "switch '%s': vendor '%s' is none of junos, ios, eos, frr, netconf", st->name, sw_setting(call, "vendor"));
    st->netconf = st->vendor == &vendor_netconf || ft_same(sw_setting(call, "transport"), "netconf");
    if (st->netconf && !st->vendor->rpcs)
        return sw_error(reterr, FT_INVALID, "switch '%s': transport netconf is for vendor junos (and netconf) only; %s is spoken to by its command line",
                        st->name, st->vendor->name);
    if (!sw_setting(call, "user"))
        return sw_error(reterr, FT_INVALID, "switch '%s' has no user: set plugins.switch.defaults.user", st->name);
    st->port = json_string_value(json_object_get(params, "port"));
    st->term.alloc = term_alloc;
    st->term.arg = call;
    /* A little before the deadline, so that what was under way can be said. */
    host->timer(call, left > 1000 ? left - 300 : left * 3 / 4, watch_over);
    return 0;
}

/* Ours is what bears this step's comment; on EOS the session bears the run's id only. */
void sw_note_commits(struct ft_call *call, const char *log)
{
    struct sw *st = host->state(call);
    const char *run = host->run_id(call);
    char session[128] = "";
    bool ours = false, of_run = false, waits;

    if (st->vendor == &vendor_eos) {
        waits = eos_pending(log, session, sizeof(session));
        of_run = strncmp(session, "fettle-", 7) == 0 && strncmp(session + 7, run, strlen(run)) == 0;
        ours = of_run && ft_same(ft_str(host->receipt(call), "session"), session);
        if (of_run)
            st->session_name = host->printf(call, "%s", session);
    } else {
        waits = commit_pending(log, change_comment(call), &ours);
        commit_pending(log, host->printf(call, "fettle run %s:", run), &of_run);
    }
    st->continues = waits && ours;
    st->foreign = waits && !ours;
    st->foreign_run = waits && of_run;
}

bool sw_refuses_foreign(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    if (!st->foreign)
        return false;
    if (st->foreign_run)
        sw_fail(call, FT_CONFLICT, "a change by an earlier step of this run waits for its confirmation on %s: confirm it first, by switch.config_confirm", st->name);
    else
        sw_fail(call, FT_CONFLICT, "a commit of somebody else waits for its confirmation on %s: a change now would confirm it. Try again when it is confirmed or taken back",
                st->name);
    return true;
}

/* ---- Ends ---- */

static void release(struct sw *st)
{
    json_decref(st->held);
    st->held = NULL;
}

json_t *sw_hold(struct ft_call *call, json_t *value)
{
    struct sw *st = host->state(call);

    if (!st->held)
        st->held = json_array();
    json_array_append_new(st->held, value);
    return value;
}

/* Callbacks that go on behind us look at this. */
static void note_over(struct sw *st)
{
    if (st->nc.over)
        *st->nc.over = true;
    st->nc.over = NULL;
}

void sw_done(struct ft_call *call, json_t *result)
{
    note_over(host->state(call));
    release(host->state(call));
    host->done(call, result);
}

static void end_now(struct ft_call *call, enum ft_class class, const char *text)
{
    note_over(host->state(call));
    release(host->state(call));
    host->fail(call, class, "%s", text);
}

static void cleaned_up(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    end_now(call, st->end_class, st->end_text);
}

static void clean_over(struct ft_call *call)
{
    host->log(call, FT_LOG_WARN, "the switch does not say that it has discarded what was not committed; it does so when the session ends");
    cleaned_up(call);
}

#define CLEAN_MS 3000

/* What is not committed would stay behind: it is discarded first, and the call ends then. */
static void clean_up(struct ft_call *call, enum ft_class class, const char *text)
{
    static const struct step abort_session[] = { { .send = "abort" } };
    struct sw *st = host->state(call);
    uint64_t left = host->remaining_ms(call) * 2 / 3;

    st->cleaning = true;
    st->end_class = class;
    st->end_text = host->printf(call, "%s", text);
    st->risky = false;
    host->timer(call, left < CLEAN_MS ? left : CLEAN_MS, clean_over);
    if (st->netconf)
        nc_clean_up(call, cleaned_up);
    else
        sw_say(call, abort_session, 1, cleaned_up);
}

void sw_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...)
{
    const struct sw *st = host->state(call);
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    cli_make_utf8(text);                               /* what a switch said may have been cut within a character */
    if (st->cleaning)
        cleaned_up(call);                              /* what went wrong first counts */
    else if ((st->nc.locked && st->nc.stream) || (st->in_session && st->stream))
        clean_up(call, class, text);
    else
        end_now(call, class, text);
}

void sw_cancel(struct ft_call *call)
{
    release(host->state(call));
}

const char *sw_takes_itself_back(const struct sw *st)
{
    return st->change.confirm_min ? "; the switch takes an unconfirmed change back by itself" : "";
}

/* Where lines are in force one by one, all of them are by the time that configuration mode is left. */
static const char *not_saved(const struct sw *st)
{
    const struct vendor *v = st->vendor;

    return st->sent && v->save && (st->sent == v->save || st->sent == v->leave) ? "; the change is in force, but not saved" : "";
}

static void watch_over(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    if (st->risky || st->pending)
        sw_fail(call, FT_AMBIGUOUS, "%s did not finish '%s' in time, so it is unknown whether the change happened%s", st->name,
                st->sent ? st->sent : "the change", sw_takes_itself_back(st));
    else if (*not_saved(st))
        sw_fail(call, FT_REFUSED, "%s gave no prompt after '%s' in time%s%s", st->name, st->sent, not_saved(st), sw_takes_itself_back(st));
    else if (st->sent)
        sw_fail(call, FT_TIMEOUT, st->netconf ? "%s did not answer '%s' in time" : "%s gave no prompt after '%s' in time", st->name, st->sent);
    else if (st->dialogue == DIALOGUE_LEARN)
        sw_fail(call, FT_TIMEOUT, "%s showed no prompt in time: is it a switch of vendor %s?", st->name, st->vendor->name);
    else
        sw_fail(call, FT_TIMEOUT, "%s did not answer '%s' in time", st->name, st->at < st->count ? st->commands[st->at] : "the connection");
}

/* ---- Opening channels ---- */

#define SSH_PORT 22
#define NETCONF_PORT 830

/* jump: {host, user, …}; what it does not say is as for the switch, except the host. */
static const struct ft_ssh_req *jump_of(struct ft_call *call)
{
    const json_t *jump = sw_setting_json(call, "jump");
    struct ft_ssh_req *req;

    if (!json_is_object(jump))
        return NULL;
    req = host->alloc(call, sizeof(*req));
    *req = (struct ft_ssh_req){
        .size = sizeof(*req), .host = ft_str(jump, "host"), .port = (uint16_t)ft_int(jump, "port"), .user = ft_str(jump, "user") ?: sw_setting(call, "user"),
        .password = ft_str(jump, "password"), .key_file = ft_str(jump, "key_file"), .passphrase = ft_str(jump, "passphrase"),
        .known_hosts = ft_str(jump, "known_hosts") ?: sw_setting(call, "known_hosts"), .library = sw_setting(call, "library"),
        .agent = ft_get(jump, "agent") ? ft_true(jump, "agent") : json_is_true(sw_setting_json(call, "agent")),
    };
    if (!req->password && !req->key_file && !ft_get(jump, "agent")) {      /* nothing of its own to log in with */
        req->password = sw_setting(call, "password");
        req->key_file = sw_setting(call, "key_file");
        req->passphrase = sw_setting(call, "passphrase");
    }
    return req;
}

static int open_channel(struct ft_call *call, enum ft_ssh_kind kind, const char *command, const struct ft_stream_events *events,
                        struct ft_stream **ret, struct ft_err *reterr)
{
    struct sw *st = host->state(call);
    json_int_t port = json_integer_value(sw_setting_json(call, "port"));
    struct ft_ssh_req req = {
        .size = sizeof(req), .host = sw_setting(call, "host") ?: st->name, .user = sw_setting(call, "user"),
        .password = sw_setting(call, "password"), .key_file = sw_setting(call, "key_file"), .passphrase = sw_setting(call, "passphrase"),
        .known_hosts = sw_setting(call, "known_hosts"), .library = sw_setting(call, "library"), .kind = kind, .command = command,
        .port = (uint16_t)(port ? port : st->netconf ? NETCONF_PORT : SSH_PORT), .agent = json_is_true(sw_setting_json(call, "agent")),
        .jump = jump_of(call), .keepalive_s = (unsigned)json_integer_value(sw_setting_json(call, "keepalive_s")), .fresh = st->fresh,
    };

    st->fresh = false;
    return host->ssh(call, &req, events, ret, reterr);
}

bool sw_open(struct ft_call *call, enum ft_ssh_kind kind, const char *command, const struct ft_stream_events *events, struct ft_stream **ret)
{
    const struct sw *st = host->state(call);
    struct ft_err err = { 0 };

    if (open_channel(call, kind, command, events, ret, &err) == 0)
        return true;
    sw_fail(call, err.class ? err.class : FT_INVALID, "%s: %s", st->name, err.text);
    return false;
}

void sw_lost(struct ft_call *call, enum ft_class class, const char *why)
{
    const struct sw *st = host->state(call);

    if (st->risky || st->pending)
        sw_fail(call, FT_AMBIGUOUS, "%s: the connection ended after '%s', so it is unknown whether the change happened%s", st->name,
                st->sent ? st->sent : "the commit", sw_takes_itself_back(st));
    else if (*not_saved(st))
        sw_fail(call, FT_REFUSED, "%s: the connection ended after '%s'%s%s", st->name, st->sent, not_saved(st), sw_takes_itself_back(st));
    else if (class != FT_CLASS_NONE || why)
        sw_fail(call, class != FT_CLASS_NONE ? class : FT_UNREACHABLE, "%s: %s", st->name, why ? why : "the connection ended");
    else
        sw_fail(call, FT_UNREACHABLE, "%s closed the connection after '%s'", st->name, st->sent ? st->sent : "the login");
}

/* ---- Asking by EXEC channels, one command each ---- */

static void ask_next(struct ft_call *call);

static void exec_data(struct ft_call *call, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct sw *st = host->state(call);

    (void)stream;
    if (is_stderr) {
        size_t had = strlen(st->complaint), room = sizeof(st->complaint) - 1 - had;

        memcpy(st->complaint + had, bytes, len < room ? len : room);
        return;
    }
    if (st->len + len + 1 > st->size) {
        size_t size = st->size ? st->size : 16384;
        char *larger;

        while (size < st->len + len + 1)
            size *= 2;
        larger = size <= TERM_MAX_TEXT ? host->alloc(call, size) : NULL;
        if (!larger) {
            sw_fail(call, FT_INVALID, "%s: the answer to '%s' is longer than %u MiB", st->name, st->commands[st->at], TERM_MAX_TEXT >> 20);
            return;
        }
        if (st->len)
            memcpy(larger, st->bytes, st->len);
        st->bytes = larger;
        st->size = size;
    }
    memcpy(st->bytes + st->len, bytes, len);
    st->len += len;
}

/* Line ends as \n, no NULs: the answer as a string of the call. */
static char *take_answer(struct ft_call *call, struct sw *st)
{
    char *text = host->alloc(call, st->len + 1);
    size_t n = 0;

    if (!text)
        return NULL;
    for (size_t i = 0; i < st->len; i++) {
        if (st->bytes[i] != '\r' && st->bytes[i] != '\0')
            text[n++] = st->bytes[i];
    }
    text[n] = '\0';
    cli_make_utf8(text);
    st->len = 0;
    return text;
}

static bool is_tolerated(const struct sw *st)
{
    return st->at < st->count && (st->tolerated >> st->at & 1);
}

static void take(struct ft_call *call, struct sw *st, const char *answer)
{
    char why[256];
    enum ft_class class;

    if (!answer) {
        sw_fail(call, FT_INVALID, "%s: its answers are longer than a call may keep", st->name);
        return;
    }
    if (!is_tolerated(st) && cli_error(answer, why, sizeof(why), &class)) {
        sw_fail(call, class, "%s answered '%s' with: %s", st->name, st->commands[st->at], why);
        return;
    }
    st->answers[st->at++] = answer;
    ask_next(call);
}

static void exec_closed(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    struct sw *st = host->state(call);

    (void)stream;
    if (class != FT_CLASS_NONE) {
        sw_fail(call, class, "%s: %s", st->name, why ? why : "the connection ended");
        return;
    }
    if (st->len == 0 && st->complaint[0] && exit_status != 0 && !is_tolerated(st)) {
        char text[256];
        enum ft_class its = FT_REFUSED;

        if (!cli_error(st->complaint, text, sizeof(text), &its))
            snprintf(text, sizeof(text), "%.*s", (int)strcspn(st->complaint, "\r\n"), st->complaint);
        sw_fail(call, its, "%s answered '%s' with: %s", st->name, st->commands[st->at], text);
        return;
    }
    take(call, st, take_answer(call, st));
}

static const struct ft_stream_events exec_events = { .size = sizeof(exec_events), .data = exec_data, .closed = exec_closed };

static const struct step *one_step(struct ft_call *call, struct sw *st)
{
    struct step *step = host->alloc(call, sizeof(*step));

    *step = (struct step){ .send = st->commands[st->at], .save = &st->answers[st->at] };
    return step;
}

static void asked_in_dialogue(struct ft_call *call)
{
    struct sw *st = host->state(call);

    take(call, st, st->answers[st->at]);
}

/* Over NETCONF: structure for the readers, or text as the command line would have given it. */
static void rpc_answered(struct ft_call *call, const struct nc_message *reply)
{
    struct sw *st = host->state(call);
    char *text;

    if (reply->failed && !is_tolerated(st)) {
        sw_fail(call, reply->class, "%s answered '%s' with: %s", st->name, st->commands[st->at], reply->error);
        return;
    }
    st->trees[st->at] = NULL;
    if (reply->failed || (st->form == NC_AS_JSON && !st->keep_logs)) {
        if (!reply->failed)
            st->trees[st->at] = sw_hold(call, nc_json(reply));
        st->answers[st->at++] = reply->failed ? host->printf(call, "error: %s", reply->error) : "";
        ask_next(call);
        return;
    }
    if (st->form == NC_AS_JSON)
        st->trees[st->at] = sw_hold(call, nc_json(reply));
    text = st->form == NC_AS_JSON ? nc_inner_xml(reply, NULL, true) : st->element ? nc_text(reply, st->element) : nc_all_text(reply);
    take(call, st, host->printf(call, "%s", text ? text : ""));
    free(text);
}

static void ask_next(struct ft_call *call)
{
    struct sw *st = host->state(call);
    struct ft_stream *stream;

    if (st->at == st->count) {
        st->asked(call);
        return;
    }
    st->complaint[0] = '\0';
    st->len = 0;
    if (st->netconf)
        nc_ask(call, st->commands[st->at], rpc_answered);
    else if (st->vendor->exec)
        sw_open(call, FT_SSH_EXEC, st->commands[st->at], &exec_events, &stream);
    else
        sw_say(call, one_step(call, st), 1, asked_in_dialogue);
}

static const char *with_port(struct ft_call *call, const char *command, const char *port)
{
    const char *at = strstr(command, "{port}");

    return at ? host->printf(call, "%.*s%s%s", (int)(at - command), command, port, at + strlen("{port}")) : command;
}

/* '?' in front: an error is an answer too. */
static void begin_asking(struct ft_call *call, const char *const *commands, size_t most, void (*then)(struct ft_call *call))
{
    struct sw *st = host->state(call);

    st->tolerated = 0;
    st->at = 0;
    for (st->count = 0; st->count < most && commands[st->count]; st->count++) {
        const char *command = commands[st->count];

        if (*command == '?')
            st->tolerated |= 1u << st->count;
        st->commands[st->count] = with_port(call, command + (*command == '?'), st->port ? st->port : "");
    }
    st->asked = then;
    ask_next(call);
}

int sw_ask(struct ft_call *call, enum question what, void (*then)(struct ft_call *call), struct ft_err *reterr)
{
    static const char *const words[] = { "the state of a port", "the list of ports", "the MAC table", "LLDP neighbours", "PoE", "facts", "changing a port" };
    struct sw *st = host->state(call);

    st->ask = &st->vendor->asks[what];
    if (!st->ask->commands[0])
        return sw_error(reterr, FT_INVALID, "%s is not supported on %s ('%s')", words[what], st->vendor->name, st->name);
    begin_asking(call, st->ask->commands, MAX_COMMANDS, then);
    return 0;
}

void sw_commands(struct ft_call *call, const char *const *commands, size_t count, void (*then)(struct ft_call *call))
{
    struct sw *st = host->state(call);

    st->ask = NULL;
    begin_asking(call, commands, count, then);
}

json_t *sw_read(struct ft_call *call)
{
    struct sw *st = host->state(call);
    struct ft_err err = { 0 };
    json_t *value = st->ask->read(call, st, &err);

    if (!value)
        sw_fail(call, err.class ? err.class : FT_INVALID, "%s: %s", st->name, err.text);
    return value ? sw_hold(call, value) : NULL;
}

/* ---- The dialogue ---- */

static void tell(struct ft_call *call, const char *text, size_t len)
{
    struct sw *st = host->state(call);
    struct ft_err err = { 0 };

    if (host->stream_write(st->stream, text, len, &err) < 0)
        sw_fail(call, st->risky ? FT_AMBIGUOUS : FT_UNREACHABLE, "%s: %s", st->name, err.text);
}

static void send_line(struct ft_call *call, const char *command)
{
    struct sw *st = host->state(call);
    char *line = host->printf(call, "%s\n", command);

    term_reset(&st->term);
    st->sent = command;
    st->until = NULL;
    tell(call, line, strlen(line));
}

/* From here on the prompt may bear another name: at once where lines are in force one by one, elsewhere with the commit. */
static void note_rename(struct sw *st, const struct step *step)
{
    st->term.renames = st->term.renames || strstr(step->send, "hostname") || strstr(step->send, "host-name");
}

static void send_step(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const struct step *step = &st->steps[st->step_at];

    st->risky = st->risky || step->risky;
    if (!step->raw) {
        note_rename(st, step);
        send_line(call, step->send);
    } else {
        term_reset(&st->term);
        st->sent = "the configuration lines";
        st->until = NULL;
        tell(call, step->send, strlen(step->send));
    }
    st->until = step->until;
}

static void next_step(struct ft_call *call)
{
    struct sw *st = host->state(call);

    if (++st->step_at < st->step_count) {
        send_step(call);
        return;
    }
    st->sent = NULL;
    st->said(call);
}

static const char *first_words(struct ft_call *call, const char *output)
{
    const char *line = output + strspn(output, " \t\n^");

    return *line ? host->printf(call, "%.*s", (int)(strcspn(line, "\n") < 200 ? strcspn(line, "\n") : 200), line) : "nothing";
}

/* Show commands that go through the dialogue: take() judges their answers. */
static bool is_asking(const struct sw *st)
{
    return st->said == asked_in_dialogue;
}

/* What the switch said around an error, in one line. */
static const char *squeezed(struct ft_call *call, const char *output)
{
    char text[321];
    size_t n = 0;

    for (; *output && n < sizeof(text) - 1; output++) {
        bool blank = (unsigned char)*output <= ' ';

        if (!blank || (n && text[n - 1] != ' '))
            text[n++] = blank ? ' ' : *output;
    }
    text[n - (n && text[n - 1] == ' ')] = '\0';
    return host->printf(call, "%s", text);
}

/* The prompt is there: what did the step's command say? */
/* A daemon of FRR that answered a moment ago is gone: what became of the lines it was given, this one or one before it, nobody knows. One that never ran
 * ("staticd is not running") got none. */
static bool is_lost(const char *output, enum ft_class class)
{
    return class == FT_UNREACHABLE || (strstr(output, "Warning: connecting to ") && !strstr(output, " is not running"));
}

static void step_ended(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const struct step *step = &st->steps[st->step_at];
    char *output = term_output(&st->term, step->raw ? "" : step->send, st->keep_logs);
    char why[256];
    enum ft_class class;
    bool missing;

    if (!output) {
        sw_fail(call, FT_INVALID, "%s: its answers are longer than a call may keep", st->name);
        return;
    }
    cli_make_utf8(output);
    missing = (step->must && !strstr(output, step->must)) || step->until;
    if (!is_asking(st) && cli_error(output, why, sizeof(why), &class)) {
        sw_fail(call, st->pending || (step->risky && is_lost(output, class)) ? FT_AMBIGUOUS : class, "%s answered '%s' with: %s%s%s", st->name, st->sent,
                step->risky ? squeezed(call, output) : why, st->pending ? sw_takes_itself_back(st) : "", not_saved(st));
        return;
    }
    if (missing) {
        sw_fail(call, step->risky || st->pending ? FT_AMBIGUOUS : FT_REFUSED, "%s answered '%s' with '%s', where '%s' was expected%s", st->name, st->sent,
                first_words(call, output), step->until ? step->until : step->must, not_saved(st));
        return;
    }
    if (step->save)
        *step->save = output;
    if (step->risky)
        st->risky = false;                             /* it is known now that it happened */
    if (step->locks || step->unlocks)
        st->in_session = step->locks;
    note_rename(st, step);
    next_step(call);
}

static bool is_shell(const struct sw *st)
{
    char end = term_prompt_end(&st->term);

    return st->vendor->commits && (end == '%' || end == '$' || strstr(st->candidate, ":~"));
}

static void setup_next(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const char *command = st->vendor->setup[st->setup_at];

    if (command) {
        st->setup_at++;
        send_line(call, command);
        return;
    }
    st->dialogue = DIALOGUE_READY;
    send_step(call);
}

static bool same_line(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);

    while (n && a[n - 1] == ' ')
        n--;
    while (m && b[m - 1] == ' ')
        m--;
    return n == m && memcmp(a, b, n) == 0;
}

/* The same line twice is the prompt: banners may hold '#' and '>', but not again after an empty line. */
static void candidate_seen(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const char *line = st->term.text + st->term.line;

    if (!same_line(st->candidate, line)) {
        snprintf(st->candidate, sizeof(st->candidate), "%s", line);
        term_reset(&st->term);
        tell(call, "\n", 1);
        return;
    }
    if (is_shell(st)) {
        st->candidate[0] = '\0';
        term_reset(&st->term);
        tell(call, "cli\n", 4);
        return;
    }
    term_learn(&st->term);
    if (term_prompt_end(&st->term) == '>' && sw_setting(call, "enable_password")) {
        st->dialogue = DIALOGUE_ENABLE;
        send_line(call, "enable");
        return;
    }
    st->dialogue = DIALOGUE_SETUP;
    setup_next(call);
}

static void prompt_seen(struct ft_call *call);

#define QUIET_MS 700

/* A prompt, no echo, and nothing more for a while: this terminal does not echo. */
static void quiet_over(struct ft_call *call)
{
    struct sw *st = host->state(call);

    if (st->cleaning || !st->sent || st->echo_known || host->wall_ms(call) < st->quiet_at_ms || term_look(&st->term, NULL) != TERM_PROMPT)
        return;
    st->echo_known = true;
    st->echoes = false;
    prompt_seen(call);
}

/* Prompts before the echo of what was sent belong to something else: an earlier empty line, a log line in between. */
static bool is_own_prompt(struct ft_call *call)
{
    struct sw *st = host->state(call);

    if (st->dialogue == DIALOGUE_READY && st->steps[st->step_at].raw)
        return true;
    if (term_echoed(&st->term, st->sent)) {
        st->echo_known = st->echoes = true;
        return true;
    }
    if (!st->echo_known) {
        st->quiet_at_ms = host->wall_ms(call) + QUIET_MS;
        host->timer(call, QUIET_MS, quiet_over);
    }
    return st->echo_known && !st->echoes;
}

static void prompt_seen(struct ft_call *call)
{
    struct sw *st = host->state(call);

    if (!is_own_prompt(call))
        return;
    if (st->term.renames)
        term_learn(&st->term);
    if (st->dialogue == DIALOGUE_ENABLE && term_prompt_end(&st->term) != '#') {
        sw_fail(call, FT_DENIED, "%s did not take the enable password", st->name);
        return;
    }
    if (st->dialogue == DIALOGUE_ENABLE)
        st->dialogue = DIALOGUE_SETUP;
    if (st->dialogue == DIALOGUE_SETUP)
        setup_next(call);
    else
        step_ended(call);
}

static void drop_line(struct term *t)
{
    t->len = t->line;
    t->text[t->len] = '\0';
}

static void question_seen(struct ft_call *call)
{
    struct sw *st = host->state(call);
    char *line = st->term.text + st->term.line;
    const char *answer = NULL;

    cli_make_utf8(line);

    if (strstr(line, "Exit with uncommitted changes"))
        answer = "yes\n";
    else if (strstr(line, "Destination filename"))
        answer = "\n";
    if (!answer) {
        sw_fail(call, st->risky ? FT_AMBIGUOUS : FT_REFUSED, "%s asks '%.200s' after '%s', and there is no answer to that", st->name, line,
                st->sent ? st->sent : "the login");
        return;
    }
    drop_line(&st->term);
    tell(call, answer, strlen(answer));
}

static void password_asked(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const char *password = sw_setting(call, "enable_password");
    char *line;

    if (st->dialogue != DIALOGUE_ENABLE) {
        sw_fail(call, FT_DENIED, "%s asks for a password after '%s'", st->name, st->sent ? st->sent : "the login");
        return;
    }
    drop_line(&st->term);
    line = host->printf(call, "%s\n", password);
    tell(call, line, strlen(line));
}

static void shell_data(struct ft_call *call, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct sw *st = host->state(call);

    (void)stream;
    (void)is_stderr;
    if (!term_feed(&st->term, bytes, len)) {
        sw_fail(call, st->risky ? FT_AMBIGUOUS : FT_INVALID, "%s: the answer to '%s' is longer than %u MiB", st->name,
                st->sent ? st->sent : "the login", TERM_MAX_TEXT >> 20);
        return;
    }
    switch (term_look(&st->term, st->until)) {
    case TERM_NOTHING: break;
    case TERM_CANDIDATE: candidate_seen(call); break;
    case TERM_PROMPT: if (st->sent) prompt_seen(call); break;
    case TERM_PAGER: drop_line(&st->term); tell(call, " ", 1); break;
    case TERM_QUESTION: question_seen(call); break;
    case TERM_PASSWORD: password_asked(call); break;
    case TERM_INPUT: next_step(call); break;
    }
}

static void shell_closed(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    struct sw *st = host->state(call);

    (void)stream;
    (void)exit_status;
    st->stream = NULL;
    sw_lost(call, class, class != FT_CLASS_NONE ? why : NULL);
}

static const struct ft_stream_events shell_events = { .size = sizeof(shell_events), .data = shell_data, .closed = shell_closed };

void sw_say(struct ft_call *call, const struct step *steps, size_t count, void (*then)(struct ft_call *call))
{
    struct sw *st = host->state(call);

    if (st->netconf) {
        nc_say(call, steps, count, then);
        return;
    }
    st->steps = steps;
    st->step_count = count;
    st->step_at = 0;
    st->said = then;
    if (st->dialogue == DIALOGUE_READY) {
        send_step(call);
        return;
    }
    st->dialogue = DIALOGUE_LEARN;
    sw_open(call, FT_SSH_SHELL_PTY, NULL, &shell_events, &st->stream);
}

/* ---- Is it still there? ---- */

#define ALIVE_MS 15000

static void alive_known(struct ft_call *call, const char *complaint)
{
    struct sw *st = host->state(call);

    if (!st->asking_alive || st->cleaning)
        return;
    st->asking_alive = false;
    snprintf(st->complaint, sizeof(st->complaint), "%s", complaint);
    st->asked(call);
}

static void alive_closed(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    const struct sw *st = host->state(call);

    (void)stream;
    (void)exit_status;
    if (class != FT_CLASS_NONE)
        alive_known(call, why && *why ? why : "it does not answer");
    else
        alive_known(call, st->len ? "" : "it says nothing on a new channel");
}

static void alive_over(struct ft_call *call)
{
    alive_known(call, "it does not answer on a new channel");
}

/* A new NETCONF session: the beginning of its hello is enough. */
static void hello_data(struct ft_call *call, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr)
{
    struct sw *st = host->state(call);
    size_t had = strlen(st->complaint), room = sizeof(st->complaint) - 1 - had;

    if (is_stderr || !st->asking_alive)
        return;
    if (len > room)
        len = room;
    memcpy(st->complaint + had, bytes, len);
    st->complaint[had + len] = '\0';
    if (!strstr(st->complaint, "hello") && len < room)
        return;
    host->stream_close(stream);
    alive_known(call, strstr(st->complaint, "hello") ? "" : "it does not say hello on a new channel");
}

static void hello_closed(struct ft_call *call, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why)
{
    (void)stream;
    (void)class;
    (void)exit_status;
    alive_known(call, why && *why ? why : "it says nothing on a new channel");
}

static const struct ft_stream_events hello_events = { .size = sizeof(hello_events), .data = hello_data, .closed = hello_closed };

static const struct ft_stream_events alive_events = { .size = sizeof(alive_events), .data = exec_data, .closed = alive_closed };

void sw_check_alive(struct ft_call *call, void (*then)(struct ft_call *call))
{
    struct sw *st = host->state(call);
    struct ft_stream *stream;
    struct ft_err err = { 0 };

    st->asked = then;
    st->asking_alive = st->fresh = true;
    st->commands[0] = st->vendor->alive;
    st->at = st->len = 0;
    st->complaint[0] = '\0';
    host->timer(call, ALIVE_MS, alive_over);
    if (st->netconf ? open_channel(call, FT_SSH_SUBSYSTEM, "netconf", &hello_events, &stream, &err) < 0
                    : open_channel(call, FT_SSH_EXEC, st->vendor->alive, &alive_events, &stream, &err) < 0)
        alive_known(call, err.text);
}
