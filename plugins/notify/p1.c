/* p1.c: what people are told while a critical (P1) incident is open. Nothing is sent here: the texts go to notify.mail, slack, teams or webhook.
 *
 * The runbook asks for a first notice within 15 minutes, an update every 30, and a review within 48 hours of the end. */
#include "notify.h"

#include <string.h>
#include <time.h>

static const char *param(struct ft_call *call, const char *key)
{
    return json_string_value(json_object_get(host->params(call), key));
}

static const char *clock_text(struct ft_call *call, uint64_t wall_ms)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm = { 0 };
    char text[40];

    gmtime_r(&t, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm);
    return host->printf(call, "%s", text);
}

/* A time as people write it, or as a run has it: milliseconds since 1970. */
static const char *when(struct ft_call *call, const char *key)
{
    const json_t *value = json_object_get(host->params(call), key);

    return json_is_integer(value) ? clock_text(call, (uint64_t)json_integer_value(value)) : json_string_value(value);
}

static const char *next_update(struct ft_call *call)
{
    json_int_t minutes = json_integer_value(json_object_get(host->params(call), "next_update_min"));

    return clock_text(call, host->wall_ms(call) + (uint64_t)minutes * 60000);
}

/* "LABEL: text", left out when there is no text. The labels are the runbook's, so that its readers find what they look for. */
static char *line(struct ft_call *call, char *text, const char *label, const char *value)
{
    return value && *value ? host->printf(call, "%s%s: %s\n", text, label, value) : text;
}

static char *contact(struct ft_call *call, char *text)
{
    const char *how = param(call, "contact");

    return how ? host->printf(call, "%s\nContact: %s at %s\n", text, param(call, "commander"), how)
               : host->printf(call, "%s\nContact: %s\n", text, param(call, "commander"));
}

static int text_done(struct ft_call *call, char *subject, char *text)
{
    host->done(call, json_pack("{s:s, s:s}", "subject", subject, "text", text));
    return 0;
}

static int initial_run(struct ft_call *call, struct ft_err *reterr)
{
    int minutes = (int)json_integer_value(json_object_get(host->params(call), "next_update_min"));
    char *text = host->printf(call, "A critical fault of the network affects %s.\n\n", param(call, "affected"));

    (void)reterr;
    text = line(call, text, "IMPACT", param(call, "impact"));
    text = line(call, text, "START TIME", when(call, "started"));
    text = line(call, text, "CURRENT STATUS", param(call, "status"));
    text = line(call, text, "NEXT UPDATE", next_update(call));
    text = line(call, text, "TICKET", param(call, "ticket"));
    text = host->printf(call, "%s\nEngineers are at work on it. You will hear from us every %d minutes until it is over.\n", text, minutes);
    return text_done(call, host->printf(call, "[P1 CRITICAL] Network Outage - %s", param(call, "system")), contact(call, text));
}

static int update_run(struct ft_call *call, struct ft_err *reterr)
{
    int number = (int)json_integer_value(json_object_get(host->params(call), "number"));
    char *text = line(call, host->printf(call, "%s", ""), "CURRENT STATUS", param(call, "status"));

    (void)reterr;
    text = line(call, text, "ACTIONS TAKEN", param(call, "actions"));
    text = line(call, text, "NEXT STEPS", param(call, "next_steps"));
    text = line(call, text, "ETA", param(call, "eta") ?: "not known yet");
    text = line(call, text, "NEXT UPDATE", next_update(call));
    text = line(call, text, "TICKET", param(call, "ticket"));
    return text_done(call, host->printf(call, "[P1 UPDATE] Network Outage - %s - Update #%d", param(call, "system"), number), contact(call, text));
}

static int resolved_run(struct ft_call *call, struct ft_err *reterr)
{
    char *text = host->printf(call, "The fault of the network that affected %s is over.\n\n", param(call, "affected"));

    (void)reterr;
    text = line(call, text, "RESOLUTION TIME", when(call, "resolved") ?: clock_text(call, host->wall_ms(call)));
    text = line(call, text, "ROOT CAUSE", param(call, "cause"));
    text = line(call, text, "RESOLUTION", param(call, "resolution"));
    text = line(call, text, "NEXT STEPS", param(call, "next_steps"));
    text = line(call, text, "TICKET", param(call, "ticket"));
    text = host->printf(call, "%s\nThe review of this incident takes place within 48 hours, before %s.\n", text,
                        clock_text(call, host->wall_ms(call) + 48 * 3600 * 1000ull));
    return text_done(call, host->printf(call, "[P1 RESOLVED] Network Outage - %s", param(call, "system")), contact(call, text));
}

#define COMMON \
    FT_JSON("system": {"type": "string", "minLength": 1, "description": "site or system at fault"}, \
         "commander": {"type": "string", "minLength": 1, "description": "name of the incident commander"}, \
         "contact": {"type": "string", "description": "how to reach the commander: phone or mail"}, \
         "ticket": {"type": "string", "description": "number of the ticket"})
#define NEXT FT_JSON("next_update_min": {"type": "integer", "minimum": 1, "maximum": 1440, "default": 30, "description": "minutes until the next update"})
#define OBJECT(required, properties) "{\"type\": \"object\", \"additionalProperties\": false, \"required\": " required ", \"properties\": {" properties "}}"

static const char initial_params[] = OBJECT("[\"system\", \"affected\", \"impact\", \"started\", \"status\", \"commander\"]",
    FT_JSON("affected": {"type": "string", "minLength": 1, "description": "who or what is affected"},
         "impact": {"type": "string", "minLength": 1, "description": "what it means for the business"},
         "started": {"type": ["string", "integer"], "minLength": 1, "minimum": 0, "description": "when it began: a text, or milliseconds since 1970 as run.started_at"},
         "status": {"type": "string", "minLength": 1, "description": "how it stands and what is being done"}) ", " NEXT ", " COMMON);
static const char update_params[] = OBJECT("[\"system\", \"number\", \"status\", \"actions\", \"next_steps\", \"commander\"]",
    FT_JSON("number": {"type": "integer", "minimum": 1, "description": "which update it is: 1, 2, 3 …"},
         "status": {"type": "string", "minLength": 1, "description": "how it stands"},
         "actions": {"type": "string", "minLength": 1, "description": "what was done since the last update"},
         "next_steps": {"type": "string", "minLength": 1, "description": "what will be done next"},
         "eta": {"type": "string", "description": "when it should be over, if known"}) ", " NEXT ", " COMMON);
static const char resolved_params[] = OBJECT("[\"system\", \"affected\", \"cause\", \"resolution\", \"commander\"]",
    FT_JSON("affected": {"type": "string", "minLength": 1, "description": "who or what was affected"},
         "resolved": {"type": ["string", "integer"], "minimum": 0, "description": "when it ended, text or milliseconds since 1970; now when left out"},
         "cause": {"type": "string", "minLength": 1, "description": "the root cause, in a sentence"},
         "resolution": {"type": "string", "minLength": 1, "description": "what was done to end it"},
         "next_steps": {"type": "string", "description": "what follows"}) ", " COMMON);
static const char text_result[] = FT_JSON({"type": "object", "properties": {
    "subject": {"type": "string", "description": "one line"}, "text": {"type": "string", "description": "the message, plain text"}}});

#define TEXT_ACTION(c_name, a_name, what, in, begin, yaml) \
    const struct ft_action c_name = { .size = sizeof(c_name), .name = a_name, .summary = what, .effects = FT_EFFECT_READ, \
        .params_schema = in, .result_schema = text_result, .run = { .start = begin }, \
        .about = "Makes the text, sends nothing: give subject and text to notify.mail, slack, teams or webhook.", .example = yaml }

TEXT_ACTION(notify_p1_initial, "p1_initial", "the first notice of a critical incident", initial_params, initial_run,
    "run: notify.p1_initial\nwith:\n  system: HQ\n  affected: all wireless users\n  impact: no orders can be taken\n  started: \"${run.started_at}\"\n"
    "  status: the site's uplink is being replaced\n  commander: Ana Ruiz\n  contact: \"+49 30 5550100\"\n");
TEXT_ACTION(notify_p1_update, "p1_update", "an update on a critical incident", update_params, update_run,
    "run: notify.p1_update\nwith: {system: HQ, number: 1, status: half of the APs are back, actions: uplink replaced, next_steps: restart the rest, commander: Ana Ruiz}\n");
TEXT_ACTION(notify_p1_resolved, "p1_resolved", "the end of a critical incident", resolved_params, resolved_run,
    "run: notify.p1_resolved\nwith: {system: HQ, affected: all wireless users, cause: broken uplink, resolution: replaced it, commander: Ana Ruiz}\n");
