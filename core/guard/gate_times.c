/* gate_times.c: when those who are asked are reminded, and when the next level is told. What the configuration leaves out is the operations runbook's:
 *
 *            reminded every   the next level is told
 *   P1       15 min           after 30 min, and every 30 min
 *   P2       1 h              after 4 h, and every 4 h
 *   P3       4 h              on the next business day at 8, and each one after it
 *   P4       24 h             after a week, and every week */
#include <string.h>
#include "base/text.h"
#include "base/util.h"
#include "base/zone.h"
#include "data/json.h"
#include "guard/approval.h"

#define MINUTE 60000ull
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define DAY_S (24 * 3600)
#define BUSINESS_HOUR 8

static const struct { const char *severity; uint64_t remind, escalate; } runbook[] = {
    { "P1", 15 * MINUTE, 30 * MINUTE }, { "P2", HOUR, 4 * HOUR }, { "P3", 4 * HOUR, 0 /* the next business day */ }, { "P4", DAY, 7 * DAY },
};

/* 8 o'clock of the next day that is neither Saturday nor Sunday, as the clock on the configuration's wall shows it. */
static uint64_t next_business_day(const struct ft_zone *zone, uint64_t at)
{
    int64_t utc = (int64_t)(at / 1000), day = (utc + ft_zone_offset(zone, utc, NULL)) / DAY_S, first, last;

    do
        day++;
    while ((day + 4) % 7 == 0 || (day + 4) % 7 == 6);          /* the first day of 1970 was a Thursday */
    ft_zone_utc(zone, day * DAY_S + BUSINESS_HOUR * 3600, &first, &last);
    return (uint64_t)first * 1000;
}

/* 0: the next business day. */
static uint64_t configured(const json_t *map, const char *severity, uint64_t otherwise)
{
    const char *text = json_is_string(map) ? json_string_value(map) : ft_json_str(map, severity);
    uint64_t ms;

    if (ft_streq(text, "next business day"))
        return 0;
    return text && ft_duration_parse(text, &ms) == 0 && ms >= MINUTE ? ms : otherwise;
}

json_t *ft_gate_times(const json_t *config, const char *severity, uint64_t opened_ms)
{
    const json_t *section = json_object_get(config, "approvals"), *levels = json_object_get(section, "levels"), *role;
    size_t row = 2, i;
    uint64_t remind, escalate, at = opened_ms;
    json_t *steps = json_array();
    struct ft_zone *zone = NULL;

    if (ft_zone_open(ft_json_str(config, "timezone"), &zone, NULL) < 0)
        ft_zone_open("UTC", &zone, NULL);
    for (i = 0; i < ARRAY_LEN(runbook); i++)
        if (ft_streq(runbook[i].severity, severity))
            row = i;
    severity = runbook[row].severity;
    remind = configured(json_object_get(section, "remind"), severity, runbook[row].remind);
    escalate = configured(json_object_get(section, "escalate"), severity, runbook[row].escalate);
    /* The first level is whoever is asked anyway. */
    for (i = 1; i < json_array_size(levels); i++) {
        role = json_array_get(levels, i);
        at = escalate ? at + escalate : next_business_day(zone, at);
        json_array_append_new(steps, json_pack("{s:I, s:O, s:I}", "at", (json_int_t)at, "role", role, "level", (json_int_t)(i + 1)));
    }
    ft_zone_free(zone);
    return json_pack("{s:I, s:o}", "remind_ms", (json_int_t)remind, "escalate", steps);
}

uint64_t ft_gate_next(const json_t *gate)
{
    uint64_t until = (uint64_t)ft_json_int(gate, "until", 0), next = until, at;
    uint64_t remind = (uint64_t)ft_json_int(gate, "remind_ms", 0), reminded = (uint64_t)ft_json_int(gate, "reminded", 0);
    const json_t *step = json_array_get(json_object_get(gate, "escalate"), (size_t)ft_json_int(gate, "escalated", 0));

    at = remind ? (uint64_t)ft_json_int(gate, "opened", 0) + (reminded + 1) * remind : until;
    next = at < next ? at : next;
    at = step ? (uint64_t)ft_json_int(step, "at", 0) : until;
    return at < next ? at : next;
}
