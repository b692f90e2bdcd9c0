/* snmp.c: network devices by SNMP, v1, v2c and v3. The actions are in reads.c, tables.c, set.c and traps.c; this is what they share, and the description. */
#include <stdlib.h>
#include "job.h"

const struct ft_host *host;

/* ---- A job ---- */

struct job *job_new(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job) {
        ft_err_set(reterr, -ENOMEM, "out of memory");
        return NULL;
    }
    if (snmp_agent_fill(&job->agent, host->config(call), ft_str(host->params(call), "agent"), reterr) < 0)
        return job_free(job);
    return job;
}

struct job *job_free(struct job *job)
{
    if (!job)
        return NULL;
    json_decref(job->result);
    explicit_bzero(&job->agent, sizeof(job->agent));
    free(job);
    return NULL;
}

int job_add(struct job *job, const char *oid, struct ft_err *reterr)
{
    int r;

    if (job->count == JOB_MAX_OIDS)
        return ft_fault(reterr, FT_INVALID, "more than %d objects are too many for one step", JOB_MAX_OIDS);
    snmp_lock();
    r = oid_parse(oid, job->ids[job->count], &job->lens[job->count], reterr);
    snmp_unlock();
    if (r == 0)
        job->count++;
    return r;
}

static void job_blocking(void *arg)
{
    struct job *job = arg;
    struct snmp_talk *s;

    job->r = snmp_session_open(&job->agent, &s, &job->err);
    if (job->r == 0)
        job->r = job->work(job, s, &job->err);
    snmp_session_close(s);
    snmp_thread_end();
}

static void job_after(struct ft_call *call, void *arg)
{
    struct job *job = arg;
    const struct job_state *st = host->state(call);

    if (job->r < 0)
        host->fail(call, job->err.class ? job->err.class : FT_INVALID, "%s", job->err.text);
    else
        st->done(call, job);
}

static void job_release(void *arg)
{
    job_free(arg);
}

int job_start(struct ft_call *call, struct job *job, int (*work)(struct job *job, struct snmp_talk *s, struct ft_err *reterr), job_done *done, struct ft_err *reterr)
{
    struct job_state *st = host->state(call);
    int r;

    job->work = work;
    job->agent.until_ms = snmp_now_ms() + (double)host->remaining_ms(call);
    st->job = job;
    st->done = done;
    r = host->work(call, job, job_blocking, job_after, job_release, reterr);
    if (r < 0)
        job_free(job);
    return r;
}

void job_cancel(struct ft_call *call)
{
    const struct job_state *st = host->state(call);

    if (st->job)
        atomic_store(&st->job->agent.stop, true);
}

json_t *job_take(struct job *job)
{
    json_t *result = job->result;

    job->result = NULL;
    return result;
}

void job_give(struct ft_call *call, struct job *job)
{
    host->done(call, job_take(job));
}

/* ---- Description ---- */

#define PROTOCOLS \
    FT_JSON("auth": {"enum": ["MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"], "description": "authentication protocol of SNMPv3"}, \
            "auth_password": {"type": "string", "x-secret": true, "description": "at least 8 characters"}, \
            "priv": {"enum": ["DES", "AES", "AES-192", "AES-256", "AES-192-C", "AES-256-C"], \
                     "description": "privacy protocol of SNMPv3; -C is Cisco's way to make the longer keys"}, \
            "priv_password": {"type": "string", "x-secret": true, "description": "at least 8 characters"})

static const char config_schema[] = "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    "\"agents\": {\"type\": \"object\", \"description\": \"devices that playbooks may name, by name\", \"additionalProperties\": "
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
    FT_JSON("host": {"type": "string", "minLength": 1, "maxLength": 255, "description": "name or address; the agent's own name when left out"},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 161, "description": "UDP port"},
            "version": {"enum": ["1", "2c", "3"], "description": "3 where there is a user, else 2c, when left out"},
            "community": {"type": "string", "x-secret": true, "description": "of versions 1 and 2c"},
            "user": {"type": "string", "minLength": 1, "maxLength": 32, "description": "user (security name) of version 3"},
            "context": {"type": "string", "maxLength": 255, "description": "context of version 3 (vlan-110 on some switches)"},
            "timeout_s": {"type": "number", "minimum": 0.1, "maximum": 60, "default": 2, "description": "seconds to wait for each answer"},
            "retries": {"type": "integer", "minimum": 0, "maximum": 10, "default": 2, "description": "how often a read that is not answered is sent again; a set never is"},
            "max_repetitions": {"type": "integer", "minimum": 1, "maximum": 100, "default": 25, "description": "rows to ask for at once in a walk"}) ", " PROTOCOLS "}}}, "
    "\"traps\": {\"type\": \"object\", \"additionalProperties\": false, \"description\": \"what trap_wait listens for\", \"properties\": {"
    FT_JSON("listen": {"type": "string", "default": "0.0.0.0:1162", "description": "address and UDP port; ports below 1024 need a privilege"},
            "communities": {"type": "array", "items": {"type": "string", "x-secret": true}, "description": "communities of v1 and v2c that are accepted; any when left out"},
            "engine_id": {"type": "string", "pattern": "^([0-9a-fA-F]{2}){5,32}$", "description": "our own SNMPv3 engine id, in hex, for informs; made up when left out"}) ", "
    "\"users\": {\"type\": \"array\", \"maxItems\": 20, \"description\": \"SNMPv3 users whose traps and informs are accepted\", \"items\": {\"type\": \"object\", "
    "\"additionalProperties\": false, \"required\": [\"user\"], \"properties\": {\"user\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 32, \"description\": "
    "\"user (security name)\"}, " PROTOCOLS "}}}}}, "
    FT_JSON("mib_dirs": {"type": "array", "items": {"type": "string", "pattern": "^/"}, "description": "folders with MIB files"},
            "mibs": {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9-]*$"}, "description": "modules to load, so that steps may use their names; none are needed"})
    "}}";

/* Every agent is looked at here, so that what the schema cannot say is found when fettle starts and not at 3 a.m. */
static int check_config(const json_t *config, struct ft_err *reterr)
{
    const json_t *users = ft_get(ft_get(config, "traps"), "users"), *user;
    const char *name;
    json_t *section;
    size_t i;
    int r = 0;

    json_object_foreach((json_t *)ft_get(config, "agents"), name, section) {
        struct snmp_agent agent = { 0 };

        if (r == 0)
            r = snmp_agent_fill(&agent, config, name, reterr);
        explicit_bzero(&agent, sizeof(agent));
    }
    json_array_foreach(users, i, user) {
        struct snmp_user ignored = { 0 };

        if (r == 0)
            r = snmp_user_fill(&ignored, user, "plugins.snmp.traps.users", reterr);
        explicit_bzero(&ignored, sizeof(ignored));
    }
    return r;
}

static int snmp_open_plugin(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    int r;

    (void)ret_instance;
    host = the_host;
    r = check_config(config, reterr);
    return r < 0 ? r : snmp_library_init(config, reterr);
}

static const struct ft_action *const actions[] = { &snmp_get_action, &snmp_get_many_action, &snmp_walk_action, &snmp_table_action, &snmp_system_action, &snmp_interfaces_action,
                                                   &snmp_set_action, &snmp_trap_action, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "snmp", .version = FETTLE_VERSION, .summary = "devices by SNMP v1, v2c and v3: read, walk, set, receive traps",
    .capabilities = "work", .config_schema = config_schema, .open = snmp_open_plugin, .actions = actions,
};
