/* change.c: putting a change into force.
 *
 * Where the switch has a candidate (Junos, NETCONF, EOS):
 *          enter ─► load ─► difference ─► commit confirmed ─► still there for a new login? ─► [confirm] ─► leave
 *                               │ none: leave                      └ no: take back, at once
 *          It is left unconfirmed where the host calls `confirm` later (change_confirm_left), over yet another login.
 *          A commit of this run that was cut off before its confirmation shows as no difference: it is confirmed then.
 *          A bounce waits between the commit confirmed and the commit that turns on again: if we are cut off in between, the
 *          switch turns on again by itself.
 * Others:  configure terminal, line after line, end, save; on IOS with `revert_timer: true` under a timer that takes it back. */
#include <stdlib.h>
#include <string.h>
#include "cli.h"
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

    if (st->netconf ? st->nc.locked : !((st->change.later || st->change.left) && st->pending) || st->vendor->commits)
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
    st->change.confirm_min = 0;                    /* nothing takes it back any more */
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
        if (st->change.later || st->change.left)
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

/* The switch's time begins with the commit: it is told before. */
static void leave_it_if_wanted(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->change.left = st->phase == PHASE_RUN && change_can_leave(call) && host->pending(call, st->change.confirm_min * 60000ull);
}

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

    if (dialect_of(call)->compare)
        leave_it_if_wanted(call);
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
    if (diff_is_any(st->diff) && st->before_commit)
        st->before_commit(call, commit);
    else if (diff_is_any(st->diff))
        commit(call);
    else if (st->continues && !st->change.later && (leave_it_if_wanted(call), !st->change.left))
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
        leave_it_if_wanted(call);
        if (st->change.later || st->change.left)
            applied(call);
        else
            change_confirm(call, applied);
        return;
    }
    if (!d->compare)
        leave_it_if_wanted(call);
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

/* ---- the confirmation of what run left ---- */

static void left_confirmed(struct ft_call *call)
{
    sw_done(call, json_object());
}

static void gone(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    sw_fail(call, FT_CONFLICT, "the change of this step waits no more on %s, and is not in force: the switch has taken it back", st->name);
}

static void known_what_waits(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    const char *log = st->answers[0];

    sw_note_commits(call, log);
    if (st->continues)
        change_confirm(call, left_confirmed);
    else if (st->vendor == &vendor_eos ? eos_session_is(log, change_session(call), "completed") : commit_stands(log, change_comment(call)))
        left_confirmed(call);                      /* its answer was lost */
    else if (st->foreign)
        sw_fail(call, FT_CONFLICT, "what waits for its confirmation on %s is not this step's: it is left alone", st->name);
    else
        gone(call);
}

static void rfc_running(struct ft_call *call, const struct nc_message *reply)
{
    const struct sw *st = host->state(call);
    char *xml = reply->failed ? NULL : nc_inner_xml(reply, "data", false);
    const char *after = ft_str(host->receipt(call), "after");
    bool there = xml && after && strcmp(change_mark(call, xml), after) == 0;

    free(xml);
    if (reply->failed)
        sw_fail(call, reply->class, "%s answered '%s' with: %s", st->name, st->sent, reply->error);
    else if (there)
        left_confirmed(call);                      /* nothing waits, and it is in force */
    else
        gone(call);
}

static void rfc_confirmed(struct ft_call *call, const struct nc_message *reply)
{
    struct sw *st = host->state(call);

    st->risky = false;
    if (reply->failed)
        nc_rpc(call, "<get-config><source><running/></source></get-config>", "get-config running", rfc_running);
    else
        left_confirmed(call);
}

int change_confirm_left(struct ft_call *call, const struct op *op, struct ft_err *reterr)
{
    static const char *const commits[] = { "show system commit | no-more" }, *const sessions[] = { "show configuration sessions" };
    struct sw *st = host->state(call);
    int r;

    st->op = op;
    r = sw_begin(call, PHASE_CONFIRM, reterr);
    if (r < 0)
        return r;
    st->fresh = st->change.left = true;
    st->change.confirm_min = (unsigned)ft_int(host->params(call), "confirm_within");
    if (st->vendor == &vendor_netconf) {
        st->risky = true;
        nc_rpc(call, host->printf(call, "<commit><persist-id>fettle-%s</persist-id></commit>", host->run_id(call)), "commit", rfc_confirmed);
    } else if (st->vendor->commits || st->vendor == &vendor_eos) {
        sw_commands(call, st->vendor->commits ? commits : sessions, 1, known_what_waits);
    } else {
        change_confirm(call, left_confirmed);
    }
    return 0;
}

/* ---- what a plan says of the way back ---- */

static const char *no_net(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    if (st->change.second)
        return NULL;
    if (!change_has_net(call)) {
        if (st->vendor == &vendor_ios)
            return host->printf(call, "no dead-man timer on this system (ios without revert_timer: true): nothing takes the change back by itself on %s", st->name);
        return host->printf(call, "no dead-man timer on this system (%s): nothing takes the change back by itself on %s", st->vendor->name, st->name);
    }
    return host->printf(call, "confirm_within is 0: committed at once, and nothing takes the change back by itself on %s", st->name);
}

static bool undo_needs_waiting(const struct sw *st)
{
    return st->op == NULL || st->op->kind == OP_CONFIG ? !st->vendor->commits : false;
}

void change_plan_net(struct ft_call *call, json_t *plan)
{
    const struct sw *st = host->state(call);
    const struct change *c = &st->change;
    bool waits = change_has_net(call) && c->confirm_min;
    const char *note = NULL;

    if (json_is_true(json_object_get(plan, "nothing_to_do")))
        return;
    if (waits && (c->later || change_can_leave(call)))
        json_object_set_new(plan, "reverts", json_pack("{s:I, s:b}", "after_s", (json_int_t)c->confirm_min * 60, "later", c->later));
    else if (waits && !c->second)
        note = host->printf(call, "%s takes it back by itself after %u min, or when our connection ends, unless it is confirmed over the connection that made it: "
                            "its NETCONF has no confirmed-commit 1.1", st->name, c->confirm_min);
    else if (!waits)
        note = no_net(call);
    if (note)
        json_object_set_new(plan, "notes", json_pack("[s]", note));
    if (undo_needs_waiting(st))
        json_object_set_new(plan, "no_undo", json_sprintf(waits ? "once it is confirmed it cannot be taken back by this action on %s: only what still waits for its confirmation can"
                                                                : "it cannot be taken back by this action on %s: give the step an `undo` of its own",
                                                          st->vendor->name));
}
