/* set.c: one value set, and set back. */
#include <stdlib.h>
#include "job.h"

/* ---- What both ways need ---- */

static int fill(struct job *job, const char *oid, const char *type, const json_t *value, struct ft_err *reterr)
{
    int r = job_add(job, oid, reterr);

    return r < 0 ? r : value_letter(type, value, &job->letter, job->text, sizeof(job->text), reterr);
}

static int work_set(struct job *job, struct snmp_talk *s, struct ft_err *reterr)
{
    netsnmp_pdu *pdu, *answer;
    int r = 0;

    snmp_lock();
    pdu = snmp_pdu_create(SNMP_MSG_SET);
    if (snmp_add_var(pdu, job->ids[0], job->lens[0], job->letter, job->text) != 0) {
        snmp_free_pdu(pdu);
        r = ft_fault(reterr, FT_INVALID, "the value '%.80s' cannot be sent as the type that was given", job->text);
    }
    snmp_unlock();
    if (r == 0)
        r = snmp_exchange(s, pdu, 1, &answer, reterr);             /* once: what was lost on the way may have arrived */
    if (r < 0)
        return r;
    if (answer->errstat != SNMP_ERR_NOERROR)
        r = snmp_status_error(s, answer, reterr);
    else if (answer->variables)
        job->result = value_json(answer->variables);
    else
        r = ft_fault(reterr, FT_AMBIGUOUS, "%s (%s) answered the set without an error and without the value", job->agent.name, job->agent.host);
    snmp_drop(answer);
    return r;
}

static void take_value(void *arg, size_t at, const netsnmp_variable_list *v)
{
    struct job *job = arg;

    (void)at;
    json_decref(job->result);
    job->result = value_json(v);
    json_object_set_new(job->result, "exists", json_boolean(value_exists(v)));
    if (v->type == ASN_OCTET_STR)
        json_object_set_new(job->result, "hex", hex_json(v->val.string, v->val_len));       /* exactly, for the comparison and the undo */
}

static int work_look(struct job *job, struct snmp_talk *s, struct ft_err *reterr)
{
    return snmp_get(s, job->ids, job->lens, 1, take_value, job, reterr);
}

/* A job with the step's object and value. */
static struct job *job_of_step(struct ft_call *call, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    struct job *job = job_new(call, reterr);

    if (job && fill(job, ft_str(params, "oid"), ft_str(params, "type"), ft_get(params, "value"), reterr) < 0)
        return job_free(job);
    return job;
}

/* Whether the agent's value is the one that the step wants. Its type may be another name of the same (gauge32, unsigned). */
static bool is_wanted(const json_t *seen, const json_t *params)
{
    const json_t *is = ft_get(seen, "value"), *want = ft_get(params, "value");
    const char *text = json_string_value(want), *hex = ft_str(seen, "hex");
    json_t *bytes;
    bool same;

    if (!ft_true(seen, "exists"))
        return false;
    if (!hex || !text)
        return json_equal(is, want);
    if (ft_same(ft_str(params, "type"), "hex"))
        return strcasecmp(hex, text) == 0;
    bytes = hex_json((const unsigned char *)text, strlen(text));
    same = ft_same(hex, json_string_value(bytes));
    json_decref(bytes);
    return same;
}

/* ---- run ---- */

static void set_over(struct ft_call *call, struct job *job)
{
    host->done(call, job_take(job));
}

static int set_start(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job = job_of_step(call, reterr);

    return job ? job_start(call, job, work_set, set_over, reterr) : -EINVAL;
}

/* ---- plan ---- */

static void plan_over(struct ft_call *call, struct job *job)
{
    const json_t *params = host->params(call);
    json_t *before = job->result, *want = json_object_get(params, "value");
    char *text = json_dumps(want, JSON_ENCODE_ANY | JSON_COMPACT);
    const char *command = host->printf(call, "set %s = %s: %s", ft_str(before, "oid"), ft_str(params, "type"), text ? text : "");

    free(text);
    host->done(call, json_pack("{s:o, s:[{s:o, s:[s]}], s:[{s:O, s:O, s:O}], s:O, s:b, s:{s:O}}", "summary",
        json_sprintf("set %s of %s", ft_str(params, "oid"), job->agent.name), "requests", "target", json_sprintf("%s (%s port %u)", job->agent.name, job->agent.host, job->agent.port),
        "commands", command, "changes", "path", json_object_get(before, "oid"), "from", json_object_get(before, "value"), "to", want, "before", before,
        "nothing_to_do", is_wanted(before, params), "receipt", "old", before));
}

static int plan_start(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job = job_of_step(call, reterr);

    return job ? job_start(call, job, work_look, plan_over, reterr) : -EINVAL;
}

/* ---- undo: the old value, as it was when the plan looked ---- */

static int undo_start(struct ft_call *call, struct ft_err *reterr)
{
    const json_t *old = ft_get(host->receipt(call), "old"), *hex = ft_get(old, "hex");
    struct job *job;

    if (!old)
        return ft_fault(reterr, FT_INVALID, "the old value of %s is not known", ft_str(host->params(call), "oid"));
    if (!ft_true(old, "exists"))
        return ft_fault(reterr, FT_REFUSED, "%s did not exist before it was set, and SNMP has no way to remove it in general: take the row away as its MIB says", ft_str(old, "oid"));
    job = job_new(call, reterr);
    if (job && fill(job, ft_str(old, "oid"), hex ? "hex" : ft_str(old, "type"), hex ? hex : ft_get(old, "value"), reterr) < 0)
        job = job_free(job);
    return job ? job_start(call, job, work_set, set_over, reterr) : -EINVAL;
}

/* ---- probe ---- */

static void probe_over(struct ft_call *call, struct job *job)
{
    bool happened = is_wanted(job->result, host->params(call));
    json_t *result = happened ? json_pack("{s:O, s:O, s:O}", "oid", json_object_get(job->result, "oid"), "type", json_object_get(job->result, "type"), "value",
                                          json_object_get(job->result, "value")) : NULL;
    json_t *answer = json_pack("{s:b, s:O}", "happened", happened, "seen", job->result);

    if (result)
        json_object_set_new(answer, "result", result);
    host->done(call, answer);
}

static int probe_start(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job = job_of_step(call, reterr);

    return job ? job_start(call, job, work_look, probe_over, reterr) : -EINVAL;
}

static const char params_schema[] = SNMP_OBJECT("[\"agent\", \"oid\", \"type\", \"value\"]", ", "
    FT_JSON("oid": {"type": "string", "minLength": 1, "maxLength": 500, "description": "object with its instance: sysContact.0, ifAdminStatus.12"},
            "type": {"enum": ["integer", "unsigned", "gauge32", "counter32", "counter64", "timeticks", "string", "hex", "ip", "oid"], "description": "its type, as the MIB says"},
            "value": {"type": ["integer", "string"], "description": "a number for the types of numbers; text, hex digits, an address or an object identifier for the others"}));
static const char result_schema[] = "{\"type\": \"object\", \"properties\": {" SNMP_VALUE_FIELDS "}}";

const struct ft_action snmp_set_action = {
    .size = sizeof(snmp_set_action), .name = "set", .summary = "set one value", .effects = FT_EFFECT_WRITE, .params_schema = params_schema, .result_schema = result_schema,
    .state_size = sizeof(struct job_state), .run = { .start = set_start, .cancel = job_cancel }, .plan = { .start = plan_start, .cancel = job_cancel },
    .undo = { .start = undo_start, .cancel = job_cancel }, .probe = { .start = probe_start, .cancel = job_cancel }, .timeout_ms = 60000,
    .about = "Sent once, never again: an answer that is lost is `ambiguous`, and the probe looks whether the value is there. The old value is read before and kept for the undo. "
             "Objects that do something when they are written (a reload, a row's status) have no old value that takes that back: say `undo: none`.",
    .example = "run: snmp.set\nwith: {agent: core-1, oid: ifAdminStatus.12, type: integer, value: 2}\nundo: auto\n",
};
