/* lint.h: what can be said about a plugin file before anybody uses it: what fettle would refuse, and what its users would miss. */
#pragma once
#include <stdbool.h>

struct ft_lint_finding {
    bool error;              /* fettle refuses the plugin or the action, or its page says something wrong; else advice */
    const char *where;       /* "wol.wake", or the plugin's name */
    const char *text;        /* one sentence */
};
typedef void ft_lint_report(void *arg, const struct ft_lint_finding *finding);

/* Loads the file (its code runs as far as dlopen goes; open() is not called) and reports all findings. Returns the number of errors. */
int ft_plugin_lint(const char *path, ft_lint_report *report, void *arg);
