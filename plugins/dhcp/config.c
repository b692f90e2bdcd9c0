/* config.c: the server's configuration as a whole.
 *
 * config_set and config_restore are edits (edits.c) that replace everything. What was there goes into a file before, with all its passwords and
 * readable by this user only: the journal must not have passwords, and without them a configuration cannot be put back. Undo takes it from there,
 * unless somebody else changed the configuration in the meantime, which it would silently take back too. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <fettle/kit.h>
#include "diff.h"
#include "edits.h"
#include "subnets.h"

#define INSTEAD "its configuration cannot be had or set as a whole; make a backup of the grid with its own means"

#define MAX_CHANGES 300
#define MASKED "'%s' is masked (***) in the configuration that is wanted, and the server has none there: take one from dhcp.config_backup"

static const char server_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {" SERVER_PARAM "}}";

/* ---- Which configuration is wanted: a parameter, or a file ---- */

static bool is_mask(const char *text)
{
    return *text && strspn(text, "*") == strlen(text);
}

/* A password in a parameter stands in the playbook and in the journal. NULL: there is none; else its name. */
static const char *plain_password(const json_t *config)
{
    const char *key, *found;
    json_t *value;
    size_t i;

    json_object_foreach((json_t *)config, key, value) {
        if (json_is_string(value) && kea_is_secret(key) && json_string_length(value) && !is_mask(json_string_value(value)))
            return key;
        if ((found = plain_password(value)))
            return found;
    }
    json_array_foreach(config, i, value) {
        if ((found = plain_password(value)))
            return found;
    }
    return NULL;
}

/* Every *** becomes what the running configuration has at the same place. NULL: done; else the name of one that it has not. */
static const char *fill_masked(json_t *wanted, const json_t *running)
{
    const char *key, *missing;
    json_t *value;
    size_t i;

    json_object_foreach(wanted, key, value) {
        const json_t *there = json_object_get(running, key);

        if (json_is_string(value) && kea_is_secret(key) && is_mask(json_string_value(value))) {
            if (!json_is_string(there) || is_mask(json_string_value(there)))
                return key;
            json_object_set(wanted, key, (json_t *)there);
        } else if ((missing = fill_masked(value, there))) {
            return missing;
        }
    }
    json_array_foreach(wanted, i, value) {
        if ((missing = fill_masked(value, json_counterpart(running, wanted, i))))
            return missing;
    }
    return NULL;
}

/* st->wanted_config is complete after this. False: the call has failed. */
static bool complete_wanted(struct ft_call *call)
{
    struct dhcp *st = host->state(call);
    const char *missing;

    st->wanted_config = dhcp_hold(call, json_deep_copy(st->wanted_config));
    missing = fill_masked(st->wanted_config, st->before);
    if (!missing)
        return true;
    dhcp_fail(call, FT_INVALID, MASKED, missing);
    return false;
}

/* The part below Dhcp4, without the hash that newer servers put beside it or into it. NULL with a sentence. */
static json_t *dhcp4_part(struct ft_call *call, json_t *config, const char *where, struct ft_err *reterr)
{
    json_t *inner = json_object_get(config, "Dhcp4");

    if (!json_is_object(config) || (inner && !json_is_object(inner)) || json_object_get(config, "Dhcp6")) {
        ft_fault(reterr, FT_INVALID, "%s is no configuration of a DHCPv4 server: an object with Dhcp4 is wanted", where);
        return NULL;
    }
    inner = dhcp_hold(call, json_copy(inner ? inner : config));
    json_object_del(inner, "hash");
    hide_passwords(call, inner);
    return inner;
}

static void file_seen(struct ft_call *call, const struct ft_file_res *res)
{
    struct dhcp *st = host->state(call);
    const char *sha = ft_str(host->receipt(call), "sha256");
    struct ft_err err = { 0 };
    json_error_t where;
    json_t *json;

    if (res->class != FT_CLASS_NONE) {
        dhcp_fail(call, res->class, "%s", res->error);
        return;
    }
    if (st->phase == PHASE_UNDO && sha && strcmp(sha, res->sha256) != 0) {
        dhcp_fail(call, FT_CONFLICT, "%s is not the copy any more that was made before the change: it is not sent", res->path);
        return;
    }
    json = json_loadb(res->bytes, res->len, JSON_REJECT_DUPLICATES, &where);
    if (!json) {
        dhcp_fail(call, FT_INVALID, "%s is no JSON: line %d: %s", res->path, where.line, where.text);
        return;
    }
    st->wanted_config = dhcp4_part(call, dhcp_hold(call, json), res->path, &err);
    if (st->wanted_config)
        st->then(call);
    else
        dhcp_fail(call, err.class, "%s", err.text);
}

/* Goes on with st->wanted_config. */
static int with_wanted(struct ft_call *call, void (*then)(struct ft_call *call), struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    const json_t *params = host->params(call), *config = ft_get(params, "config");
    const char *file = st->phase == PHASE_UNDO ? ft_str(host->receipt(call), "file") : ft_str(params, "file");

    st->then = then;
    if (config && plain_password(config))
        return ft_fault(reterr, FT_INVALID, "'%s' in the parameter config would stand in the journal: write *** there, and the server's own stays; or give the "
                        "configuration as a file", plain_password(config));
    if (file)
        return host->file_read(call, file, 0, file_seen, reterr);
    if (st->phase == PHASE_UNDO)
        return ft_fault(reterr, FT_INVALID, "no copy of the configuration was kept before the change, so none can be put back");
    st->wanted_config = dhcp4_part(call, (json_t *)config, "the parameter config", reterr);
    if (!st->wanted_config) {
        dhcp_cancel(call);                       /* lets go of what is held */
        return -EINVAL;
    }
    then(call);
    return 0;
}

/* ---- config_backup ---- */

static const char *server_label(struct ft_call *call)
{
    return ft_str(host->params(call), "server") ?: "kea";
}

static char *config_text(const json_t *dhcp4)
{
    json_t *whole = json_pack("{s:O}", "Dhcp4", dhcp4);
    char *text = json_dumps(whole, JSON_INDENT(2));

    json_decref(whole);
    return text;
}

static void backup_written(struct ft_call *call, const struct ft_file_res *res)
{
    const struct dhcp *st = host->state(call);

    if (res->class != FT_CLASS_NONE) {
        dhcp_fail(call, res->class, "%s", res->error);
        return;
    }
    dhcp_done(call, json_pack("{s:s, s:s, s:I, s:s, s:i}", "file", res->path, "sha256", res->sha256, "bytes", (json_int_t)res->len,
                              "digest", config_digest(call, st->before), "subnets", (int)subnets_count(st->before)));
}

static void backup_read(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const char *file = ft_str(host->params(call), "file");
    struct ft_err err = { 0 };
    char when[32], *text;
    time_t now = (time_t)dhcp_now_s(call);
    struct tm tm;

    if (!kea_accept(call, reply))
        return;
    st->before = dhcp4_part(call, reply->arguments, "this Kea's answer to config-get", &err);
    if (!st->before) {
        dhcp_fail(call, err.class, "%s", err.text);
        return;
    }
    if (!hide_passwords(call, st->before)) {
        dhcp_fail(call, FT_REFUSED, "this Kea masks passwords in config-get, so a copy could not be put back: copy the server's own file");
        return;
    }
    gmtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
    if (!file)
        file = host->printf(call, "dhcp/%s/%s-%.8s.json", server_label(call), when, config_digest(call, st->before));
    text = config_text(st->before);
    if (!text || host->file_write(call, file, text, strlen(text), backup_written, &err) < 0)
        dhcp_fail(call, err.class ? err.class : FT_INVALID, "%s", text ? err.text : "the configuration could not be written as JSON");
    free(text);
}

static int backup_run(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0)
        kea_ask(call, "config-get", NULL, backup_read);
    return r;
}

static const char backup_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    FT_JSON("file": {"type": "string", "minLength": 1,
            "description": "where to write it; a relative path lies below fettle's data folder, in files/. Left out: dhcp/SERVER/TIME-DIGEST.json"})
    ", " SERVER_PARAM "}}";

static const char backup_result[] = FT_JSON({"type": "object", "properties": {
    "file": {"type": "string", "description": "absolute path of the copy; the parameter of dhcp.config_restore"},
    "sha256": {"type": "string", "description": "of the file"},
    "bytes": {"type": "integer", "description": "size of the file"},
    "digest": {"type": "string", "description": "changes when the configuration does; the same as dhcp.config_get gives"},
    "subnets": {"type": "integer", "description": "subnets in it, those of shared networks included"}}});

const struct ft_action dhcp_config_backup = {
    .size = sizeof(dhcp_config_backup), .name = "config_backup", .summary = "write the running configuration to a file here",
    .effects = FT_EFFECT_READ, .params_schema = backup_params, .result_schema = backup_result, .state_size = sizeof(struct dhcp),
    .run = { backup_run, dhcp_cancel },
    .about = "The server is only read. The file has the passwords of the configuration as they are (else it could not be put back), and mode 0600; "
             "a file that is there is never overwritten with other content.",
    .example = "run: dhcp.config_backup\n",
};

/* ---- config_get ---- */

static void config_seen(struct ft_call *call, const struct kea_reply *reply)
{
    json_t *config, *shown;

    if (!kea_accept(call, reply))
        return;
    config = json_object_get(reply->arguments, "Dhcp4");
    if (!json_is_object(config)) {
        dhcp_fail(call, FT_INVALID, "Kea's configuration has no Dhcp4 part: is the service a DHCPv4 server?");
        return;
    }
    hide_passwords(call, config);
    shown = json_deep_copy(config);
    kea_mask_passwords(shown);
    json_object_del(config, "hash");
    dhcp_done(call, json_pack("{s:o, s:s, s:i}", "config", shown, "digest", config_digest(call, config), "subnets", (int)subnets_count(config)));
}

static int config_start(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0)
        kea_ask(call, "config-get", NULL, config_seen);
    return r;
}

static const char config_result[] = FT_JSON({"type": "object", "properties": {
    "config": {"type": "object", "additionalProperties": true, "description": "the running configuration, below Dhcp4; passwords in it are masked"},
    "digest": {"type": "string", "description": "changes when the configuration does"},
    "subnets": {"type": "integer", "description": "subnets in it, those of shared networks included"}}});

const struct ft_action dhcp_config_get = {
    .size = sizeof(dhcp_config_get), .name = "config_get", .summary = "the running configuration",
    .effects = FT_EFFECT_READ, .params_schema = server_params, .result_schema = config_result, .state_size = sizeof(struct dhcp),
    .run = { config_start, dhcp_cancel },
    .about = "To look at it, or to compare servers. Passwords in it are replaced by ***; dhcp.config_set puts the server's own in for them. "
             "dhcp.config_backup makes a copy that has them.",
    .example = "run: dhcp.config_get\n",
};

/* ---- config_test ---- */

static void test_seen(struct ft_call *call, const struct kea_reply *reply)
{
    const struct dhcp *st = host->state(call);
    json_t *changes;

    if (reply->class != FT_CLASS_NONE && reply->result != KEA_ERROR) {
        (void)kea_accept(call, reply);
        return;
    }
    changes = json_diff(st->before, st->wanted_config, MAX_CHANGES);
    kea_mask_changes(changes);
    dhcp_done(call, json_pack("{s:b, s:s, s:o}", "valid", reply->result == KEA_OK, "text", reply->text, "changes", changes));
}

static void test_compare(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);

    if (!kea_accept(call, reply))
        return;
    hide_passwords(call, json_object_get(reply->arguments, "Dhcp4"));
    st->before = dhcp_hold(call, json_incref(json_object_get(reply->arguments, "Dhcp4") ?: json_null()));
    if (complete_wanted(call))
        kea_ask(call, "config-test", json_pack("{s:O}", "Dhcp4", st->wanted_config), test_seen);
}

static void test_go(struct ft_call *call)
{
    kea_ask(call, "config-get", NULL, test_compare);
}

static int test_run(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    return r < 0 ? r : with_wanted(call, test_go, reterr);
}

#define WANTED_PARAMS \
    FT_JSON("config": {"type": "object", "additionalProperties": true, "description": "the whole configuration: {Dhcp4: …}, or what is below Dhcp4"}, \
         "file": {"type": "string", "minLength": 1, \
                 "description": "a file with it (JSON, as dhcp.config_backup writes it); a relative path lies below fettle's data folder, in files/"})

static const char test_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"oneOf\": [{\"required\": [\"config\"]}, {\"required\": [\"file\"]}], \"properties\": {"
    WANTED_PARAMS ", " SERVER_PARAM "}}";

#define CHANGES_PROPERTY \
    FT_JSON("changes": {"type": "array", "description": "what differs, at most 300; passwords masked", "items": {"type": "object", "properties": { \
        "path": {"type": "string", "description": "where: subnet4[1].pools[10.0.0.10-10.0.0.20]"}, \
        "from": {"description": "as it is; null: not there"}, "to": {"description": "as it would be; null: not there"}}}})

static const char test_result[] =
    "{\"type\": \"object\", \"properties\": {"
    FT_JSON("valid": {"type": "boolean", "description": "the server would take it"},
         "text": {"type": "string", "description": "what the server says about it, with the place of a mistake"}) ", " CHANGES_PROPERTY "}}";

const struct ft_action dhcp_config_test = {
    .size = sizeof(dhcp_config_test), .name = "config_test", .summary = "would the server take this configuration",
    .effects = FT_EFFECT_READ, .params_schema = test_params, .result_schema = test_result, .state_size = sizeof(struct dhcp),
    .run = { test_run, dhcp_cancel },
    .about = "Kea checks it and changes nothing. A configuration that it would not take is the result `valid: false` with Kea's words, no error.",
    .example = "run: dhcp.config_test\nwith: {file: dhcp/kea/wanted.json}\n",
};

/* ---- config_set, config_restore ---- */

static int whole_apply(struct ft_call *call, struct dhcp *st, struct ft_err *reterr)
{
    const char *missing;
    json_t *changes;
    size_t n;

    st->after = st->wanted_config = dhcp_hold(call, json_deep_copy(st->wanted_config));
    missing = fill_masked(st->after, st->before);
    if (missing)
        return ft_fault(reterr, FT_INVALID, MASKED, missing);
    changes = json_diff(st->before, st->after, MAX_CHANGES);
    n = json_array_size(changes);
    kea_mask_changes(changes);
    st->summary = host->printf(call, "set the whole configuration: %zu%s difference%s", n, n == MAX_CHANGES ? " or more" : "", n == 1 ? "" : "s");
    json_object_set_new(st->result, "changes", changes);
    return n ? 1 : 0;
}

static int whole_revert(struct ft_call *call, struct dhcp *st, struct ft_err *reterr)
{
    const char *set = ft_str(host->receipt(call), "digest_after");

    st->after = st->wanted_config;
    if (json_equal(st->before, st->wanted_config))
        return 0;
    if (set && strcmp(set, config_digest(call, st->before)) != 0)
        return ft_fault(reterr, FT_CONFLICT, "the configuration was changed again since; the copy from before is in %s: look at both, then use "
                        "dhcp.config_restore",
                        ft_str(host->receipt(call), "file"));
    return 1;
}

static void copy_written(struct ft_call *call, const struct ft_file_res *res)
{
    struct dhcp *st = host->state(call);

    if (res->class != FT_CLASS_NONE) {
        dhcp_fail(call, res->class, "no copy of the present configuration could be kept, so nothing was changed: %s", res->error);
        return;
    }
    json_object_set_new(st->receipt, "file", json_string(res->path));
    json_object_set_new(st->receipt, "sha256", json_string(res->sha256));
    json_object_set_new(st->result, "backup", json_string(res->path));
    edit_keep(call);
}

static void keep_copy(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);
    struct ft_err err = { 0 };
    char *text = config_text(st->before);
    const char *file = host->printf(call, "dhcp/%s/before-%s-%.8s.json", server_label(call), host->run_id(call), config_digest(call, st->before));

    if (!text || host->file_write(call, file, text, strlen(text), copy_written, &err) < 0)
        dhcp_fail(call, err.class ? err.class : FT_INVALID, "no copy of the present configuration could be kept: %s", text ? err.text : "it is no JSON");
    free(text);
}

static void after_kept(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);

    dhcp_done(call, json_incref(st->result));
}

/* The server writes defaults in: only its own words tell later whether somebody else changed something. */
static void after_seen(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    json_t *now = json_object_get(reply->arguments, "Dhcp4");
    struct ft_err err = { 0 };

    if (reply->class == FT_CLASS_NONE && json_is_object(now)) {
        json_object_del(now, "hash");
        json_object_set_new(st->receipt, "digest_after", json_string(config_digest(call, now)));
        json_object_set_new(st->result, "digest", json_string(config_digest(call, now)));
    }
    if (host->keep(call, json_incref(st->receipt), after_kept, &err) < 0)
        dhcp_done(call, json_incref(st->result));
}

static void look_after(struct ft_call *call)
{
    kea_ask(call, "config-get", NULL, after_seen);
}

static const struct edit whole_edit = { .apply = whole_apply, .revert = whole_revert, .before_set = keep_copy, .after_write = look_after };

static void whole_go(struct ft_call *call)
{
    edit_go(call);
}

static int whole_start(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    const json_t *write = ft_get(host->params(call), "write");
    int r = dhcp_begin(call, phase, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r < 0)
        return r;
    st->edit = &whole_edit;
    st->leave_file = json_is_false(write);
    return with_wanted(call, whole_go, reterr);
}

static void whole_looked_for(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    json_t *now = json_object_get(reply->arguments, "Dhcp4");
    const char *before = ft_str(host->receipt(call), "digest"), *digest;
    bool happened;

    if (!kea_accept(call, reply))
        return;
    json_object_del(now, "hash");
    digest = config_digest(call, now);
    st->wanted_config = dhcp_hold(call, json_deep_copy(st->wanted_config));
    (void)fill_masked(st->wanted_config, now);
    happened = json_covers(now, st->wanted_config);
    if (!happened && !ft_same(before, digest)) {
        dhcp_fail(call, FT_CONFLICT, "the running configuration is neither the one from before nor the one that was sent: look at it");
        return;
    }
    dhcp_done(call, json_pack("{s:b, s:{s:s}, s:{s:b, s:s, s:[]}}", "happened", happened, "seen", "digest", digest,
                              "result", "changed", happened, "digest", digest, "changes"));
}

static void whole_probe_go(struct ft_call *call)
{
    kea_ask(call, "config-get", NULL, whole_looked_for);
}

static int whole_probe(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_PROBE, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    return r < 0 ? r : with_wanted(call, whole_probe_go, reterr);
}

static int whole_run(struct ft_call *call, struct ft_err *e) { return whole_start(call, PHASE_RUN, e); }
static int whole_plan(struct ft_call *call, struct ft_err *e) { return whole_start(call, PHASE_PLAN, e); }
static int whole_undo(struct ft_call *call, struct ft_err *e) { return whole_start(call, PHASE_UNDO, e); }

#define WRITE_PARAM \
    FT_JSON("write": {"type": "boolean", "default": true, \
            "description": "write it to the server's own file too; false: the server's next restart or config-reload loses it"})

static const char set_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"config\"], \"properties\": {"
    FT_JSON("config": {"type": "object", "additionalProperties": true, "description": "the whole configuration: {Dhcp4: …}, or what is below Dhcp4"})
    ", " WRITE_PARAM ", " SERVER_PARAM "}}";

static const char restore_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"file\"], \"properties\": {"
    FT_JSON("file": {"type": "string", "minLength": 1,
            "description": "a copy, as dhcp.config_backup writes it; a relative path lies below fettle's data folder, in files/"})
    ", " WRITE_PARAM ", " SERVER_PARAM "}}";

static const char set_result[] =
    "{\"type\": \"object\", \"properties\": {"
    FT_JSON("changed": {"type": "boolean", "description": "false: it was so already"},
         "backup": {"type": "string", "description": "absolute path of the copy that was made before; undo takes it from there"},
         "digest": {"type": "string", "description": "of the configuration that is in force now"}) ", " CHANGES_PROPERTY "}}";

#define SET_ABOUT \
    "Where it says *** for a password, the server's own stays; a password written out in a parameter is refused. The plan shows every difference " \
    "to the running configuration, and Kea has tested the new one. Before it is set, the running one is written to a file here (mode 0600, with its " \
    "passwords); undo puts that back, unless the configuration was changed again since. It fails as `conflict` when the configuration changed since " \
    "the plan; newer servers are asked for its hash right before. In a high-availability pair the server leaves the pair for a moment when it takes " \
    "a configuration: do the other one when dhcp.ha_status says `ok` again. "

const struct ft_action dhcp_config_set = {
    .size = sizeof(dhcp_config_set), .name = "config_set", .summary = "replace the whole configuration",
    .effects = FT_EFFECT_WRITE, .params_schema = set_params, .result_schema = set_result, .state_size = sizeof(struct dhcp),
    .run = { whole_run, dhcp_cancel }, .plan = { whole_plan, dhcp_cancel }, .undo = { whole_undo, dhcp_cancel }, .probe = { whole_probe, dhcp_cancel },
    .timeout_ms = 60000, .about = SET_ABOUT,
    .example = "run: dhcp.config_set\nwith: {config: \"${wanted}\"}\nundo: auto\n",
};

const struct ft_action dhcp_config_restore = {
    .size = sizeof(dhcp_config_restore), .name = "config_restore", .summary = "put a copy of the configuration back",
    .effects = FT_EFFECT_WRITE, .params_schema = restore_params, .result_schema = set_result, .state_size = sizeof(struct dhcp),
    .run = { whole_run, dhcp_cancel }, .plan = { whole_plan, dhcp_cancel }, .undo = { whole_undo, dhcp_cancel }, .probe = { whole_probe, dhcp_cancel },
    .timeout_ms = 60000, .about = SET_ABOUT,
    .example = "run: dhcp.config_restore\nwith: {file: dhcp/kea/20261121T021305Z-5c1f0a77.json}\nundo: auto\n",
};

/* ---- config_write ---- */

static void config_written(struct ft_call *call, const struct kea_reply *reply)
{
    if (kea_accept(call, reply))
        dhcp_done(call, json_pack("{s:s?, s:o}", "file", ft_str(reply->arguments, "filename"), "bytes", int_or_null(reply->arguments, "size")));
}

static int write_run(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0)
        kea_change(call, "config-write", NULL, config_written);
    return r;
}

static int write_plan(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_PLAN, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0)
        dhcp_done(call, json_pack("{s:s, s:[o], s:i}", "summary", "write the running configuration to the server's own file", "requests",
                                  kea_render(call, "config-write", NULL), "users", 0));
    return r;
}

static const char write_result[] = FT_JSON({"type": "object", "properties": {
    "file": {"type": ["string", "null"], "description": "the file on the server"},
    "bytes": {"type": ["integer", "null"], "description": "its size"}}});

const struct ft_action dhcp_config_write = {
    .size = sizeof(dhcp_config_write), .name = "config_write", .summary = "make the running configuration last",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, .params_schema = server_params, .result_schema = write_result, .state_size = sizeof(struct dhcp),
    .run = { write_run, dhcp_cancel }, .plan = { write_plan, dhcp_cancel },
    .about = "Kea writes what is in force into the file that it reads when it starts; comments in that file are lost. What was in the file before "
             "cannot be had back: there is no undo. Until then a restart, or `config-reload`, brings the file's configuration back.",
    .example = "run: dhcp.config_write\nundo: none\n",
};
