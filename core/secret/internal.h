/* internal.h: what the files of secret/ share. */
#pragma once
#include "base/util.h"
#include "secret/redact.h"
#include "secret/sealed.h"
#include "secret/secret.h"

struct vault;

struct ft_secrets {
    struct ft_redactor redactor;
    struct ft_secrets_opts o;
    char *dir;
    struct ft_secret_net net;
    bool has_net;
    enum ft_release release;
    json_t *sealed;                /* name → {"value", "set"}, once the file is open; NULL */
    struct vault *vault;
};

uint64_t secrets_now_ms(const struct ft_secrets *secrets);
char *secrets_path(const struct ft_secrets *secrets, const char *path);      /* malloced */
/* vault.c */
struct vault *vault_free(struct vault *vault);
int vault_value(struct ft_secrets *secrets, const char *ref, const char *what, char **ret, struct ft_err *reterr);   /* of what was fetched */
bool vault_is_fresh(struct ft_secrets *secrets, const char *ref);
