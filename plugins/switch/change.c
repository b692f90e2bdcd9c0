/* change.c: putting a change into force.
 *
 * Where the switch has a candidate (Junos, NETCONF, EOS):
 *          enter ─► load ─► difference ─► commit confirmed ─► still there on a new channel? ─► confirm ─► leave
 *                               │ none: leave                      └ no: take back, at once
 *          A commit of this run that was cut off before its confirmation shows as no difference: it is confirmed then.
 *          A bounce waits between the commit confirmed and the commit that turns on again: if we are cut off in between, the
 *          switch turns on again by itself.
 * Others:  configure terminal, line after line, end, save; on IOS with `revert_timer: true` under a timer that takes it back. */
#include <string.h>
#include "dialect.h"
#include "op.h"

/* As a plan shows them: the same whenever it is made, so the name of an EOS session has no time in it; the one that is used lies in the receipt. */
json_t *change_commands(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const char *session = st->session_name;
    const struct change *c = &st->change;
    const struct dialect *d = dialect_of(call);
    struct script s = script_new(call), behind = script_new(call);
    json_t *list = json_array();

    st->session_name = host->printf(call, "fettle-%s-time", host->run_id(call));
    d->enter(&s);
    d->load(&s, NULL);
    if (d->compare)
        d->compare(&s);
    d->commit(&s);
    script_show(&s, list);
    if (c->second) {
        json_array_append_new(list, json_sprintf("# wait %u s", c->wait_s));
        if (d->needs_again)
            json_array_append_new(list, json_string(st->vendor->configure));
        d->load(&behind, c->second);
        if (d->needs_again)
            d->commit(&behind);
    }
    if (d->confirms && !c->later && (c->second || c->confirm_min))
        d->confirm(&behind);
    if (!c->later || st->netconf || st->vendor->commits)
        d->leave(&behind);
    script_show(&behind, list);
    st->session_name = session;
    return list;
}

/* ---- the end ---- */

static void left(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->applied(call);
}

/* An unconfirmed change is not saved: that would make it stay. */
static void leave(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    struct script s = script_new(call);

    if (st->netconf ? st->nc.locked : !(st->change.later && st->pending) || st->vendor->commits)
        dialect_of(call)->leave(&s);
    if (s.n)
        script_say(&s, left);
    else
        left(call);
}

static void confirmed(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->pending = false;
    leave(call);
}

/* lines: what comes on top of what waits; NULL: nothing. */
static void confirm(struct ft_call *call, const json_t *lines)
{
    const struct sw *st = host->state(call);
    const struct dialect *d = dialect_of(call);
    struct script s = script_new(call);

    if (lines && d->needs_again)
        d->enter(&s);
    if (lines)
        d->load(&s, lines);
    if (lines && d->needs_again)
        d->commit(&s);
    if (d->confirms && (!d->needs_again || st->pending))
        d->confirm(&s);
    script_say(&s, confirmed);
}

/* ---- what goes wrong after the commit ---- */

static void gave_up(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    sw_fail(call, FT_REFUSED, "after the change %s did not answer on a new channel, so the change was taken back at once", st->name);
}

static void taken_back(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->pending = false;
    gave_up(call);
}

static void alive_known(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    struct script s = script_new(call);

    if (!st->complaint[0]) {
        if (st->change.later)
            leave(call);
        else
            confirm(call, NULL);
        return;
    }
    host->log(call, FT_LOG_WARN, "%s: %s: taking the change back", st->name, st->complaint);
    dialect_of(call)->take_back(&s);
    if (s.n)
        script_say(&s, taken_back);
    else
        taken_back(call);                          /* the end of the session does it */
}

/* ---- commit ---- */

static void wait_over(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    if (!st->cleaning)
        confirm(call, st->change.second);
}

static void committed(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->pending = dialect_of(call)->confirms && st->change.confirm_min > 0;
    if (!change_is_in_force(call))
        return;
    if (st->change.second) {
        host->progress(call, "%s is off, on again in %u s", st->port, st->change.wait_s);
        host->timer(call, st->change.wait_s * 1000ull, wait_over);
    } else if (st->pending) {
        sw_check_alive(call, alive_known);
    } else {
        leave(call);
    }
}

static void commit(struct ft_call *call)
{
    struct script s = script_new(call);

    dialect_of(call)->commit(&s);
    if (s.n)
        script_say(&s, committed);
    else
        committed(call);
}

static void discard(struct ft_call *call)
{
    struct script s = script_new(call);

    dialect_of(call)->discard(&s);
    script_say(&s, left);
}

static void compared(struct ft_call *call)
{
    struct sw *st = host->state(call);

    change_note_diff(call);
    st->pending = st->continues;
    if (diff_is_any(st->diff))
        commit(call);
    else if (st->continues && !st->change.later)
        confirm(call, NULL);
    else if (st->vendor->commits || st->netconf)
        leave(call);
    else
        discard(call);
}

void change_apply(struct ft_call *call, void (*applied)(struct ft_call *call))
{
    struct sw *st = host->state(call);
    const struct dialect *d = dialect_of(call);
    struct script s = script_new(call);

    st->applied = applied;
    if (st->continues && st->vendor == &vendor_eos) {      /* the whole change is in that session */
        if (st->change.later)
            applied(call);
        else
            change_confirm(call, applied);
        return;
    }
    d->enter(&s);
    d->load(&s, NULL);
    if (d->compare) {
        d->compare(&s);
        script_say(&s, compared);
        return;
    }
    st->diff = change_lines_text(call);
    script_say(&s, commit);
}

/* ---- without any trace ---- */

static void tried(struct ft_call *call)
{
    struct script s = script_new(call);

    change_note_diff(call);
    dialect_of(call)->discard(&s);
    script_say(&s, left);
}

bool change_try(struct ft_call *call, void (*then)(struct ft_call *call))
{
    struct sw *st = host->state(call);
    const struct dialect *d = dialect_of(call);
    struct script s = script_new(call);

    if (!d->compare)
        return false;
    st->applied = then;
    d->enter(&s);
    d->load(&s, NULL);
    d->compare(&s);
    if (d->check)
        d->check(&s);
    script_say(&s, tried);
    return true;
}

/* ---- a change that an earlier step left unconfirmed ---- */

void change_confirm(struct ft_call *call, void (*then)(struct ft_call *call))
{
    struct sw *st = host->state(call);
    const struct dialect *d = dialect_of(call);
    struct script s = script_new(call);

    st->applied = then;
    if (st->vendor->commits)
        d->enter(&s);                              /* a commit takes along whatever else is in the candidate: so nothing may be */
    d->confirm(&s);
    script_say(&s, confirmed);
}

void change_take_back(struct ft_call *call, void (*then)(struct ft_call *call))
{
    struct sw *st = host->state(call);
    struct script s = script_new(call);

    st->applied = then;
    dialect_of(call)->take_back(&s);
    script_say(&s, left);
}
