/* audit.h: proof that the record is what was written, and what is done to the record itself.
 *
 * What is proved: each run's events are chained (chain.c); signed seals (seal.c) cover the chains' heads, what the rows of `runs` say, the plans and each
 * other; things by digest and personal values are checked against what the events say of them. What no seal covers yet is told apart. What only serves
 * runs under way is no record: locks, budgets, answers not taken yet, who owns a run and when it wakes. */
#pragma once
#include "store/store.h"

/* The report: {"ok", "runs", "events", "seals", "blobs", "plans", "personal" {"kept", "deleted"}, "since",
 * "last_seal" {"n", "at", "hash", "key", "name"}, "key_file", "keys_lost", "unsealed" [{"run", "events", "from"}],
 * "findings" [{"text", "run", "event", "seal"}]}. key_file: the public key to hold the seals against (NULL: the one beside the store).
 * run_id NULL: all of the store. Negative only where the store could not be read. */
int ft_store_audit(struct ft_store *store, const char *run_id, const char *key_file, json_t **ret, struct ft_err *reterr);
/* Whoever puts an older copy of the whole store in its place takes its seals with it: only a seal noted elsewhere tells. noted: "NUMBER:HASH" (16 digits or
 * more). ret_finding: what is wrong, "" when the seal is there and the same. -EINVAL: that is no seal. */
int ft_store_noted_seal(struct ft_store *store, const char *noted, char ret_finding[300], struct ft_err *reterr);
/* {"key" (64 hex), "name", "pem", "file"}; -ENOENT when there is none yet. */
int ft_store_public_key(struct ft_store *store, json_t **ret, struct ft_err *reterr);

/* Whether runs are sealed, and by which key, or why not: a sentence. 0 when they are, or will be. */
int ft_store_sealing(struct ft_store *store, char ret_text[300]);

/* The seals go on under a new key: the old one's last word names it (or, where that is lost, the new one's first says so). The old file becomes FILE.old. */
int ft_store_new_key(struct ft_store *store, const char *who, struct ft_err *reterr);

/* ---- exports: a run's record in one file, which proves itself elsewhere */

/* The record as JSON text: the run's row, events, personal values, what lies beside, plans, and the seals over them. malloced. */
int ft_store_export(struct ft_store *store, const char *run_id, char **ret_text, struct ft_err *reterr);
/* As a file: the record alone, or at the end of a page of HTML (whole up to, but without, </body>), signed by the store's key so that no byte can be
 * changed. malloced. page NULL: JSON. */
int ft_store_export_file(struct ft_store *store, const char *run_id, const char *page, char **ret_text, struct ft_err *reterr);
/* The report of ft_store_audit for such a file. key_file NULL: the key is only named, not trusted. */
int ft_audit_file(const char *bytes, size_t len, const char *key_file, json_t **ret, struct ft_err *reterr);
