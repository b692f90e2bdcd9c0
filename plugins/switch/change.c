/* change.c: putting configuration lines into force.
 *
 * Junos:   configure exclusive ─► load set ─► show | compare ─► commit confirmed ─► still there on a new channel? ─► commit
 *                                                │ no difference: leave                └ no: rollback 1, commit at once
 *          A commit of this run that was cut off before its confirmation shows as no difference: it is confirmed then.
 *          A bounce waits between the commit confirmed and the commit that turns on again: if we are cut off in between, the
 *          switch turns on again by itself.
 * Others:  configure terminal, line after line, end, save. They have no net under them, and the action's page says so. */
#include <string.h>
#include "op.h"

#define LOAD_PROMPT "[Type ^D at a new line to end input]"

static const char *comment(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    return host->printf(call, "fettle run %s: %s%s%s", host->run_id(call), st->op ? st->op->words : "configure", st->port ? " " : "", st->port ? st->port : "");
}

static const char *commit_command(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    if (st->change.confirm_min)
        return host->printf(call, "commit confirmed %u comment \"%s\"", st->change.confirm_min, comment(call));
    return host->printf(call, "commit comment \"%s\"", comment(call));
}

static void add(json_t *list, const char *text)
{
    json_array_append_new(list, json_string(text));
}

static void add_all(json_t *list, const json_t *lines)
{
    json_array_extend(list, (json_t *)lines);
}

json_t *change_commands(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    const struct change *c = &st->change;
    json_t *list = json_array();

    if (st->vendor->commits) {
        add(list, "configure exclusive");
        add(list, "load set terminal");
        add_all(list, c->first);
        add(list, "show | compare");
        add(list, commit_command(call));
    } else {
        add(list, st->vendor->configure);
        add_all(list, c->first);
    }
    if (c->second) {
        if (!st->vendor->commits)
            add(list, st->vendor->leave);
        add(list, host->printf(call, "# wait %u s", c->wait_s));
        add(list, st->vendor->commits ? "load set terminal" : st->vendor->configure);
        add_all(list, c->second);
    }
    if (st->vendor->commits) {
        if (c->second || c->confirm_min)
            add(list, "commit");
        add(list, "exit configuration-mode");
    } else {
        add(list, st->vendor->leave);
        if (st->vendor->save && !c->second)
            add(list, st->vendor->save);
    }
    return list;
}

/* ---- Steps ---- */

static struct step *more(struct ft_call *call, struct step **steps, size_t *n, const char *send, const char *must)
{
    if (!*steps)
        *steps = host->alloc(call, sizeof(**steps) * MAX_STEPS);
    (*steps)[*n] = (struct step){ .send = send, .must = must };
    return &(*steps)[(*n)++];
}

static char *load_text(struct ft_call *call, const json_t *lines)
{
    char *text = host->printf(call, "%s", "");
    json_t *line;
    size_t i;

    json_array_foreach(lines, i, line)
        text = host->printf(call, "%s%s\n", text, json_string_value(line));
    return host->printf(call, "%s\x04", text);
}

static void load_steps(struct ft_call *call, struct step **steps, size_t *n, const json_t *lines)
{
    struct step *load;

    more(call, steps, n, "load set terminal", NULL)->until = LOAD_PROMPT;
    load = more(call, steps, n, load_text(call, lines), "load complete");
    load->raw = true;
}

/* ---- Junos ---- */

static void junos_left(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->applied(call);
}

static void leave(struct ft_call *call)
{
    struct step *steps = NULL;
    size_t n = 0;

    more(call, &steps, &n, "exit configuration-mode", NULL);
    sw_say(call, steps, n, junos_left);
}

static void confirmed(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->pending = false;
    leave(call);
}

static void confirm(struct ft_call *call, const json_t *lines)
{
    struct step *steps = NULL;
    size_t n = 0;

    if (lines)
        load_steps(call, &steps, &n, lines);
    more(call, &steps, &n, "commit", "commit complete")->risky = true;
    sw_say(call, steps, n, confirmed);
}

static void taken_back(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->pending = false;
    sw_fail(call, FT_REFUSED, "after the change %s did not answer on a new channel, so the change was taken back at once", st->name);
}

static void alive_known(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    struct step *steps = NULL;
    size_t n = 0;

    if (!st->complaint[0]) {
        confirm(call, NULL);
        return;
    }
    host->log(call, FT_LOG_WARN, "%s: %s: taking the change back", st->name, st->complaint);
    more(call, &steps, &n, "rollback 1", "load complete");
    more(call, &steps, &n, "commit", "commit complete")->risky = true;
    sw_say(call, steps, n, taken_back);
}

static void wait_over(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    confirm(call, st->change.second);
}

static void committed(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->pending = st->change.confirm_min > 0;
    if (st->change.second) {
        host->progress(call, "%s is off, on again in %u s", st->port, st->change.wait_s);
        host->timer(call, st->change.wait_s * 1000ull, wait_over);
    } else if (st->pending) {
        sw_check_alive(call, alive_known);
    } else {
        leave(call);
    }
}

static bool differs(const char *diff)
{
    for (const char *line = diff; line && *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n')) {
        if (*line == '+' || *line == '-' || *line == '!')
            return true;
    }
    return false;
}

static void compared(struct ft_call *call)
{
    struct sw *st = host->state(call);
    struct step *steps = NULL;
    size_t n = 0;

    if (!differs(st->diff)) {
        if (st->continues)
            confirm(call, NULL);
        else
            leave(call);
        return;
    }
    more(call, &steps, &n, commit_command(call), "commit complete")->risky = true;
    sw_say(call, steps, n, committed);
}

static void junos_apply(struct ft_call *call)
{
    struct sw *st = host->state(call);
    struct step *steps = NULL;
    size_t n = 0;

    more(call, &steps, &n, "configure exclusive", "Entering configuration mode");
    load_steps(call, &steps, &n, st->change.first);
    more(call, &steps, &n, "show | compare", NULL)->save = &st->diff;
    sw_say(call, steps, n, compared);
}

/* ---- The others ---- */

static void line_steps(struct ft_call *call, struct step **steps, size_t *n, const json_t *lines)
{
    const struct sw *st = host->state(call);
    json_t *line;
    size_t i;

    more(call, steps, n, st->vendor->configure, NULL);
    json_array_foreach(lines, i, line)
        more(call, steps, n, json_string_value(line), NULL)->risky = true;
    more(call, steps, n, st->vendor->leave, NULL);
}

static void plain_said(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->applied(call);
}

static void plain_wait_over(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    struct step *steps = NULL;
    size_t n = 0;

    line_steps(call, &steps, &n, st->change.second);
    sw_say(call, steps, n, plain_said);
}

static void plain_first_said(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    host->progress(call, "%s is off, on again in %u s", st->port, st->change.wait_s);
    host->timer(call, st->change.wait_s * 1000ull, plain_wait_over);
}

static void plain_apply(struct ft_call *call)
{
    struct sw *st = host->state(call);
    struct step *steps = NULL;
    size_t n = 0;
    char *lines = load_text(call, st->change.first);

    lines[strlen(lines) - 1] = '\0';
    st->diff = lines;
    line_steps(call, &steps, &n, st->change.first);
    if (st->vendor->save && !st->change.second)
        more(call, &steps, &n, st->vendor->save, NULL);
    sw_say(call, steps, n, st->change.second ? plain_first_said : plain_said);
}

void change_apply(struct ft_call *call, void (*applied)(struct ft_call *call))
{
    struct sw *st = host->state(call);

    st->applied = applied;
    if (st->vendor->commits)
        junos_apply(call);
    else
        plain_apply(call);
}
