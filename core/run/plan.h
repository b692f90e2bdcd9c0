/* plan.h: what a run will do, kept: made by a dry run, applied later, or bound to an approval.
 *
 * A plan (JSON object):
 *   fettle_plan  1
 *   playbook     {name, title, digest, category, severity}      sources    digest of its stored sources
 *   params, vars, event                                         plugins    {name: version}
 *   from         "" for the whole playbook; else the path of the step that it begins with
 *   nodes        [{n, path, id, title, verb, certain, action, effect, params, seen, write, error, ways: [{if, to, certain, because}], note, batches,
 *                inner: [nodes]}]; write: number in `writes`
 *   writes       [{n, path, id, title, action, effect, params, exactness: exact|predicted|undetermined, certain, summary, requests, changes, before,
 *                before_digest, rests_after, undo, users, site, targets, why, nothing_to_do}] in their order; several of one path are alternatives
 *   rests_on     {states, digest}: the `before` of all writes     batches   [{path, of, sizes, at_once}]
 *   outcomes     {name: certain|possible}                         may_fail  an unhandled failure may end the run
 *   score        {exact, predicted, undetermined}                 users, need_ms (the longest that it may take), needs (of policies), valid_ms
 *   change       the category of the change, where it has one
 *   cut          there was too much to explore: some ways were joined or left out
 *   digest       SHA-256 of what binds: all but what is only shown (evidence, what was seen, users, summaries)
 *   whole        SHA-256 of everything else, so that a kept plan cannot be altered unseen
 *
 * rests_after: key → path of the write of this plan whose state it rests on there, or null: on none of those that might come before it.
 * leaves, blurs: the keys of that kind that it changes itself. A write to which several ways lead is in `writes` once for each such state.
 * exact: the request is rendered from what is known, and no write before it touches what it is aimed at. predicted: rendered on what a write before it
 * leaves behind, or a write before it may change what it rests on. undetermined: what it will send is not known. Ids of the dry run itself are written as <run>. */
#pragma once
#include "run/run.h"

/* By digest or at least 4 of its digits, checked; new reference. ret_at: when it was made, may be NULL. */
int ft_plan_load(struct ft_store *store, const char *prefix, json_t **ret, uint64_t *ret_at, struct ft_err *reterr);
/* Whether it is one, and is what was made: -EBADMSG with a sentence. */
int ft_plan_check(const json_t *plan, struct ft_err *reterr);
const char *ft_plan_digest(const json_t *plan);
/* Writes that would be sent: neither "nothing to do" nor a second alternative of one path. */
size_t ft_plan_writes(const json_t *plan);
/* The playbook of the plan, as it was planned; NULL with a sentence. */
struct ft_playbook *ft_plan_playbook(const json_t *plan, struct ft_store *store, const struct ft_playbook_world *world, struct ft_err *reterr);
/* Whether the plugins are those of the plan: -ESTALE with what differs. */
int ft_plan_plugins(const json_t *plan, const struct ft_playbook *playbook, struct ft_err *reterr);
