/* ask.h: a secret typed at the terminal, without echo. */
#pragma once
#include "base/err.h"

/* From /dev/tty, also when the input is a pipe; malloced. -ENOTTY: there is no terminal. */
int ask_secret(void *arg, const char *what, char **ret, struct ft_err *reterr);
