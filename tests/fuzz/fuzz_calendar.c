/* An .ics file, or a recurrence rule (what begins with "R "), of anybody: it is read or refused, and what it gives is in order, within its ceilings. */
#include <stdio.h>
#include <stdlib.h>
#include "base/util.h"
#include "data/calendar.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

static void need(int true_or_abort)
{
    if (!true_or_abort)
        abort();
}

static void look(const struct ft_calendar *calendar, int64_t from, int64_t to)
{
    struct ft_spans spans = { 0 };
    struct ft_err err = { 0 };
    int r = ft_calendar_spans(calendar, from, to, &spans, &err);

    need(r == 0 || *err.text);
    for (size_t i = 0; i < spans.count; i++) {
        need(spans.items[i].from < spans.items[i].to);
        need(i == 0 || spans.items[i - 1].to < spans.items[i].from);
        need(r < 0 || (spans.items[i].from < to && spans.items[i].to > from));
    }
    ft_spans_done(&spans);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    static struct ft_zone *zone;
    struct ft_calendar *calendar = NULL;
    struct ft_err err = { 0 };
    int r;

    if (!zone)
        need(ft_zone_open("UTC", &zone, NULL) == 0);
    if (len > 20000)
        return 0;
    if (len > 2 && data[0] == 'R' && data[1] == ' ') {
        char *rule = ft_strndup((const char *)data + 2, len - 2);

        r = ft_calendar_rule(rule, 20000, 7200, 14400, zone, &calendar, &err);
        free(rule);
    } else {
        r = ft_calendar_ics((const char *)data, len, zone, &calendar, &err);
    }
    need((r == 0) == (calendar != NULL));
    need(r == 0 || *err.text);
    if (calendar) {
        look(calendar, 1767225600000, 1767225600000 + 40 * 86400000ll);
        look(calendar, 1767225600000, 1767225600000 + 800 * 86400000ll);
    }
    ft_calendar_free(calendar);
    return 0;
}
