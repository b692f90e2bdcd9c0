/* apply.c: a run that applies a plan, or goes on behind an approval, sends what was planned, on the state that was planned, or nothing.
 *
 * What binds a run follows from its events alone:
 *   run->plan       of `fettle apply`: the plan named by run.started. A write that differs ends the run: nothing is sent, on_error is not asked, what
 *                   was done is taken back
 *   run->approved   a gate whose gate.opened has the `digest` of a kept plan (plan_keep), and whose gate.answered approved it, binds the writes behind
 *                   it. A write that differs makes the approval void (gate.voided), and is asked about anew, at the write itself
 * Compared are the action, its parameters, the requests, the changes, the state it rests on and the undo, without the ids and times of the runs.
 * A planned write may rest on what an earlier one leaves behind (`rests_after`): then that one, and none of those that might have come instead, has to stand. */
#include <errno.h>
#include "run/internal.h"
#include "run/plan.h"

static const char *const compared[] = { "action", "params", "requests", "changes", "before", "undo" };

/* ---- what binds, from events */

static void approved(struct ft_run *run, const char *path)
{
    const json_t *opened = json_object_get(run->asked, path), *requirement = json_object_get(opened, "requirement");
    const char *digest = ft_json_str(opened, "digest");

    if (!digest)
        return;
    json_array_append_new(run->approved, json_pack("{s:s, s:s, s:O*}", "path", path, "digest", digest, "approval", requirement ? requirement : json_object_get(opened, "by")));
}

static void voided(struct ft_run *run, const json_t *event)
{
    for (size_t i = json_array_size(run->approved); i-- > 0;) {
        const json_t *one = json_array_get(run->approved, i);

        if (ft_streq(ft_json_str(one, "path"), ft_json_str(event, "approved")) && ft_streq(ft_json_str(one, "digest"), ft_json_str(event, "digest")))
            json_array_remove(run->approved, i);
    }
}

/* Also one that had nothing to do: it found what it would have left. */
static bool write_stands(const char *type, const json_t *event)
{
    if (ft_streq(type, "step.done"))
        return json_is_true(json_object_get(event, "write")) || json_is_true(json_object_get(event, "nothing_to_do"));
    return ft_streq(type, "step.unproven");
}

void apply_note(struct ft_run *run, const json_t *event)
{
    const char *type = ft_json_str(event, "type"), *path = ft_json_str(event, "path");

    if (write_stands(type, event))
        json_object_set_new(run->wrote, path, json_integer(++run->wrote_count));
    else if (ft_streq(type, "undo.done"))
        json_object_del(run->wrote, path);
    else if (ft_streq(type, "gate.opened"))
        json_object_set(run->asked, path, (json_t *)event);
    else if (ft_streq(type, "gate.answered") && json_is_true(json_object_get(event, "approved")))
        approved(run, path);
    else if (ft_streq(type, "gate.voided"))
        voided(run, event);
    else if (ft_streq(type, "step.failed") && json_object_get(event, "off_plan"))
        run->off_plan = true;
}

/* ---- is it the same */

/* The planned text with stand-ins in it, each of which any text may take the place of. */
static bool text_fits(const char *planned, const char *now, const char *stand_in)
{
    const char *hit = stand_in && *stand_in ? strstr(planned, stand_in) : NULL;
    size_t len;

    if (!hit)
        return ft_streq(planned, now);
    len = (size_t)(hit - planned);
    if (strncmp(planned, now, len) != 0)
        return false;
    for (now += len; *now; now++)
        if (text_fits(hit + strlen(stand_in), now, stand_in))
            return true;
    return text_fits(hit + strlen(stand_in), now, stand_in);
}

static bool fits(const json_t *planned, const json_t *now, const char *stand_in);

static bool members_fit(const json_t *planned, const json_t *now, const char *stand_in)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)planned, key, value)
        if (!fits(value, json_object_get(now, key), stand_in))
            return false;
    json_object_foreach((json_t *)now, key, value)
        if (!json_object_get(planned, key) && !json_is_null(value))
            return false;
    return true;
}

/* What a plan could not know fits whatever comes; absent and null are the same. */
static bool fits(const json_t *planned, const json_t *now, const char *stand_in)
{
    if (ft_is_unknown(planned))
        return true;
    if (!planned || !now || json_is_null(planned) || json_is_null(now))
        return (!planned || json_is_null(planned)) && (!now || json_is_null(now));
    if (json_is_object(planned) && json_is_object(now))
        return members_fit(planned, now, stand_in);
    if (json_is_array(planned) && json_is_array(now)) {
        if (json_array_size(planned) != json_array_size(now))
            return false;
        for (size_t i = 0; i < json_array_size(planned); i++)
            if (!fits(json_array_get(planned, i), json_array_get(now, i), stand_in))
                return false;
        return true;
    }
    if (json_is_string(planned) && json_is_string(now) && stand_in)
        return text_fits(json_string_value(planned), json_string_value(now), stand_in);
    return ft_json_equal(planned, now);
}

static bool is_planned(const json_t *planned, const json_t *now)
{
    const char *stand_in = ft_json_str(planned, "stand_in");

    for (size_t i = 0; i < ARRAY_LEN(compared); i++) {
        bool moves = (stand_in || json_is_true(json_object_get(planned, "moves"))) && ft_streq(compared[i], "before");

        if (!moves && !fits(json_object_get(planned, compared[i]), json_object_get(now, compared[i]), stand_in))
            return false;
    }
    return true;
}

/* [{path, planned, now}], the state first: it is why the rest differs. */
static json_t *differences(const json_t *planned, const json_t *now)
{
    static const char *const order[] = { "before", "requests", "changes", "params", "undo", "action" };
    json_t *all = json_array(), *from, *to, *diff, *one;
    size_t k;

    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        from = json_pack("{s:O*}", order[i], json_object_get(planned, order[i]));
        to = json_pack("{s:O*}", order[i], json_object_get(now, order[i]));
        diff = ft_json_diff(from, to);
        json_array_foreach(diff, k, one)
            json_array_append_new(all, json_pack("{s:O, s:O*, s:O*}", "path", json_object_get(one, "path"), "planned", json_object_get(one, "from"), "now", json_object_get(one, "to")));
        json_decref(diff);
        json_decref(from);
        json_decref(to);
    }
    return all;
}

/* ---- the write as it is now, and as it was planned */

static int write_now(struct step_run *step, json_t **ret, struct ft_err *reterr)
{
    static const char *const of_plan[] = { "requests", "changes", "before" };
    json_t *now = json_pack("{s:s, s:O}", "action", step->step->call.name, "params", step->params);
    int r;

    for (size_t i = 0; i < ARRAY_LEN(of_plan); i++)
        if (json_object_get(step->plan, of_plan[i]))
            json_object_set(now, of_plan[i], json_object_get(step->plan, of_plan[i]));
    r = write_undo(step, now, reterr);
    if (r == 0 && !json_object_get(now, "undo"))
        json_object_set_new(now, "undo", json_pack("{s:s}", "kind", "none"));
    *ret = r == 0 ? plan_clean(step->run, now) : NULL;
    json_decref(now);
    return r;
}

/* Of the writes of this plan that leave something there, the one that stands, the last of them; NULL: none. */
static const char *last_writer(const struct ft_run *run, const json_t *plan, const char *path, const char *key)
{
    const char *last = NULL;
    json_int_t order = 0;
    json_t *w;
    size_t i;

    json_array_foreach(json_object_get(plan, "writes"), i, w) {
        const char *by = ft_json_str(w, "path");
        json_int_t at = !ft_streq(by, path) && plan_leaves(w, key) ? ft_json_int(run->wrote, by, 0) : 0;

        if (at > order) {
            order = at;
            last = by;
        }
    }
    return last;
}

/* Whether the writes that stand are those behind which this alternative was planned. */
static bool comes_after(const struct ft_run *run, const json_t *plan, const json_t *planned)
{
    const char *key;
    json_t *by;

    json_object_foreach(json_object_get(planned, "rests_after"), key, by)
        if (!ft_streq(json_string_value(by), last_writer(run, plan, ft_json_str(planned, "path"), key)))
            return false;
    return true;
}

enum fit { FITS, UNPLANNED, UNDETERMINED, OTHER_WAY, DIFFERS };

/* Any of the path's alternatives will do; *ret: the one it is compared with. */
static enum fit find(const struct step_run *step, const json_t *plan, const json_t *now, const json_t **ret)
{
    enum fit fit = UNPLANNED;
    json_t *w;
    size_t i;

    *ret = NULL;
    json_array_foreach(json_object_get(plan, "writes"), i, w) {
        if (!ft_streq(ft_json_str(w, "path"), step->path))
            continue;
        bool open = ft_streq(ft_json_str(w, "exactness"), "undetermined"), after = open || comes_after(step->run, plan, w);

        if (open && step->run->accept_undetermined)
            return FITS;
        if (!open && after && is_planned(w, now))
            return FITS;
        if (fit != DIFFERS) {
            *ret = w;
            fit = !after ? OTHER_WAY : open ? UNDETERMINED : DIFFERS;
        }
    }
    return fit;
}

static bool found_nothing(const json_t *nodes, const char *path)
{
    json_t *node;
    size_t i;

    json_array_foreach((json_t *)nodes, i, node)
        if ((ft_streq(ft_json_str(node, "path"), path) && json_is_true(json_object_get(node, "nothing_to_do"))) || found_nothing(json_object_get(node, "inner"), path))
            return true;
    return false;
}

/* Two long texts that begin alike: from the word on where they part. */
static size_t alike(const json_t *planned, const json_t *now)
{
    const char *a = json_string_value(planned), *b = json_string_value(now);
    size_t n = 0, word = 0;

    if (!a || !b || strlen(a) < 40)
        return 0;
    for (; a[n] && a[n] == b[n]; n++)
        if (a[n] == ' ')
            word = n + 1;
    return word > 20 ? word : 0;
}

static char *shown(const json_t *value, size_t from)
{
    const char *text = json_string_value(value);
    json_t *rest;
    char *brief;

    if (!value || (text && from > strlen(text)))
        return ft_strdup("not there");
    if (!from)
        return ft_json_brief(value, 60);
    rest = json_sprintf("… %s", text + from);
    brief = ft_json_brief(rest, 60);
    json_decref(rest);
    return brief;
}

static char *first_difference(const json_t *differs)
{
    const json_t *first = json_array_get(differs, 0);
    json_t *planned = json_object_get(first, "planned"), *now = json_object_get(first, "now");
    size_t from = alike(planned, now);
    char *was = shown(planned, from), *is = shown(now, from);
    char *text = ft_asprintf("%s was %s, and is %s now%s", ft_json_str(first, "path"), was, is, json_array_size(differs) > 1 ? " (and more)" : "");

    free(was);
    free(is);
    return text;
}

static char *reason(const struct step_run *step, const json_t *plan, enum fit fit, const json_t *differs)
{
    const char *digest = ft_plan_digest(plan);
    char *what, *text;

    switch (fit) {
    case UNDETERMINED:
        return ft_asprintf("plan %.8s does not determine what this write sends; nothing was sent. `fettle apply %.8s --accept-undetermined` would send it", digest, digest);
    case UNPLANNED:
        if (found_nothing(json_object_get(plan, "nodes"), step->path))
            return ft_asprintf("plan %.8s found nothing to do here, and now there is; nothing was sent. Plan again", digest);
        return ft_asprintf("this write is not in plan %.8s%s; nothing was sent. Plan again", digest, json_is_true(json_object_get(plan, "cut")) ? " (which was cut)" : "");
    case OTHER_WAY:
        return ft_asprintf("plan %.8s has this write only behind other writes than those that were done; nothing was sent. Plan again", digest);
    default:
        what = first_difference(differs);
        text = ft_asprintf("not as planned in %.8s: %s; nothing was sent. Plan again", digest, what);
        free(what);
        return text;
    }
}

/* ---- what comes of it */

static void off_plan(struct step_run *step, const json_t *plan, enum fit fit, const json_t *planned, const json_t *now)
{
    json_t *differs = planned && fit == DIFFERS ? differences(planned, now) : json_array();
    char *text = reason(step, plan, fit, differs);

    json_decref(step->off_plan);
    step->off_plan = json_pack("{s:s, s:O*, s:O, s:o}", "plan", ft_plan_digest(plan), "planned", planned, "now", now, "differs", differs);
    step_fail(step, FT_CONFLICT, text);
    free(text);
}

static const char *first_id(const char *path, size_t *ret_len)
{
    *ret_len = strcspn(path, "/[");
    return path;
}

/* Whether the gate at this path stands before the step on its way: not in another item of the same for_each, nor beside it in a parallel. */
static bool stands_before(const char *gate, const struct step_run *step)
{
    size_t len;

    if (ft_streq(gate, step->path))
        return true;
    for (; step; step = step->list->owner) {
        const struct list_run *list = step->list;

        if (strncmp(gate, list->prefix, strlen(list->prefix)) != 0)
            continue;
        first_id(gate + strlen(list->prefix), &len);
        return !list->single && !(strlen(step->step->id) == len && strncmp(step->step->id, gate + strlen(list->prefix), len) == 0);
    }
    return false;
}

static const json_t *approval_of(const struct step_run *step)
{
    for (size_t i = json_array_size(step->run->approved); i-- > 0;) {
        const json_t *one = json_array_get(step->run->approved, i);

        if (stands_before(ft_json_str(one, "path"), step))
            return one;
    }
    return NULL;
}

static enum check void_it(struct step_run *step, const json_t *approval, enum fit fit, const json_t *planned, const json_t *now)
{
    json_t *event = ev("gate.voided", step->path), *again = json_incref(json_object_get(approval, "approval"));

    json_object_set(event, "digest", json_object_get(approval, "digest"));
    json_object_set(event, "approved", json_object_get(approval, "path"));
    if (planned)
        json_object_set(event, "planned", (json_t *)planned);
    json_object_set(event, "now", (json_t *)now);
    json_object_set_new(event, "differs", planned && fit == DIFFERS ? differences(planned, now) : json_array());
    run_ride(step->run, event);
    if (step->run->state == RUN_ENDED) {
        json_decref(again);
        return CHECK_FAILED;
    }
    return gate_for_write(step, again ? again : json_object());
}

static enum check check_approval(struct step_run *step, const json_t *now)
{
    const json_t *approval = approval_of(step), *plan, *planned;
    struct ft_err err = { 0 };
    enum fit fit;
    int r;

    if (!approval || ft_streq(ft_json_str(approval, "digest"), ft_playbook_digest(step->run->playbook)))
        return CHECK_GO;                       /* approved was the playbook alone: there was nothing to render */
    r = plan_get(step->run, ft_json_str(approval, "digest"), &plan, &err);
    if (r == -ENOENT && ft_streq(ft_json_str(approval, "path"), step->path))
        return CHECK_GO;                       /* the write's own gate, which compares it itself */
    if (r < 0) {
        step_fail(step, FT_CONFLICT, err.text);
        return CHECK_FAILED;
    }
    fit = find(step, plan, now, &planned);
    return fit == FITS || fit == UNDETERMINED ? CHECK_GO : void_it(step, approval, fit, planned, now);
}

enum check apply_check(struct step_run *step)
{
    struct ft_run *run = step->run;
    const json_t *planned = NULL;
    struct ft_err err = { 0 };
    json_t *now = NULL;
    enum check check = CHECK_GO;
    enum fit fit;

    if (!run->plan && !json_array_size(run->approved))
        return CHECK_GO;
    if (write_now(step, &now, &err) < 0) {
        step_fail(step, FT_INVALID, err.text);
        return CHECK_FAILED;
    }
    fit = run->plan ? find(step, run->plan, now, &planned) : FITS;
    if (fit != FITS) {
        off_plan(step, run->plan, fit, planned, now);
        check = CHECK_FAILED;
    } else {
        check = check_approval(step, now);
    }
    json_decref(now);
    return check;
}

bool apply_holds(struct step_run *step, const char *path, const char *digest)
{
    const json_t *plan, *planned;
    struct ft_err err = { 0 };
    json_t *now = NULL, *one;
    bool bound = false;
    size_t i;

    json_array_foreach(step->run->approved, i, one)
        bound |= ft_streq(ft_json_str(one, "path"), path) && ft_streq(ft_json_str(one, "digest"), digest);
    if (!bound || !stands_before(path, step) || plan_get(step->run, digest, &plan, &err) < 0 || write_now(step, &now, &err) < 0)
        return false;
    bound = find(step, plan, now, &planned) == FITS;
    json_decref(now);
    return bound;
}
