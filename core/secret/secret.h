/* secret.h: where secrets come from, and that nothing written ever shows one.
 *
 * A reference is an object with one source, and perhaps `release`:
 *   {"env": "NAME"}                 the environment
 *   {"file": "/path"}               its first line, without its end (a warning where others may read the file)
 *   {"sealed": "NAME"}              the sealed file (sealed.h), by the configuration's `secrets: {sealed: …}`
 *   {"vault": "kv/data/x#field"}    HashiCorp Vault, by `secrets: {vault: …}` (vault.h); fetched before it is read: ft_secret_pending, ft_secret_fetch
 *   "release": "approved"           it is not read from its source before the run has been approved
 * Every value read is known to the redactor from then on. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include <fettle/err.h>
#include "base/clock.h"
#include "base/err.h"

struct ft_secrets;

#define FT_SECRET_LEAST 4                          /* bytes: shorter ones stand in ordinary words, and are not left out of texts */

struct ft_secrets *ft_secrets_new(void);           /* also becomes the log's redactor */
struct ft_secrets *ft_secrets_free(struct ft_secrets *secrets);

/* One request to Vault, and what came back. secret/ knows no network: whoever has one lends it. */
struct ft_secret_req {
    const char *method, *url;
    const char *token, *space;                     /* X-Vault-Token, X-Vault-Namespace; NULL: none */
    const json_t *body;                            /* NULL: none */
    const char *ca_file;
    unsigned timeout_ms;
};
struct ft_secret_res {
    int status;                                    /* 0: no answer */
    const json_t *json;                            /* NULL: the body was none */
    enum ft_class class;                           /* of no answer */
    const char *error;                             /* of no answer */
};
struct ft_secret_net {
    void *arg;
    /* Answered once, never inside this call. */
    int (*start)(void *arg, const struct ft_secret_req *req, void (*answered)(void *to, const struct ft_secret_res *res), void *to, void **ret, struct ft_err *reterr);
    void (*cancel)(void *arg, void *request);
};

struct ft_secrets_opts {
    const json_t *config;                          /* the configuration's `secrets`; NULL: none; kept alive by the caller */
    const char *dir;                               /* where its relative paths start; NULL: here */
    const struct ft_clock *clock;                  /* NULL: the system's */
    /* Asks at the terminal, without echo; malloced. NULL: there is nobody to ask. */
    int (*ask)(void *arg, const char *what, char **ret, struct ft_err *reterr);
    void *arg;
};
void ft_secrets_setup(struct ft_secrets *secrets, const struct ft_secrets_opts *opts);
void ft_secrets_lend_net(struct ft_secrets *secrets, const struct ft_secret_net *net);      /* copied; NULL: taken away again */

bool ft_secret_is_ref(const json_t *value);        /* a reference, or {"$secret": reference} as parameters carry it */
/* -ENOENT with a sentence that says what to set. Value is malloced. */
int ft_secret_read(struct ft_secrets *secrets, const json_t *ref, const char *what, char **ret_value, struct ft_err *reterr);
/* What becomes of references with `release: approved` from now on: refused (the beginning), read, or shown as *** without being read (for plans).
 * Returns what it was. */
enum ft_release { FT_WITHHELD, FT_RELEASED, FT_VEILED };
enum ft_release ft_secrets_release(struct ft_secrets *secrets, enum ft_release release);
bool ft_secret_needs_release(const json_t *value); /* somewhere in it is such a reference */

/* ---- what lies in Vault is fetched first */
struct ft_secret_wait;
bool ft_secret_pending(struct ft_secrets *secrets, const json_t *value);      /* a reference in it must be fetched before it can be read */
/* done comes once, never inside this call; err NULL: all is there, for some seconds at least. */
int ft_secret_fetch(struct ft_secrets *secrets, const json_t *value, void (*done)(void *arg, const struct ft_err *err), void *arg, struct ft_secret_wait **ret,
                    struct ft_err *reterr);
void ft_secret_fetch_cancel(struct ft_secret_wait *wait);                     /* NULL is fine; not after done */

void ft_secret_learn(struct ft_secrets *secrets, const char *value);   /* redact this from now on (values under 4 bytes are not) */
/* New: malloced text with every known secret (also its URL- and base64- and JSON-escaped forms) replaced by ***; NULL when there was none. */
char *ft_secret_redact(struct ft_secrets *secrets, const char *text);
/* The same for every string inside; new reference (the same value, counted, when there was none). */
json_t *ft_secret_redact_json(struct ft_secrets *secrets, json_t *value);
