/* opt.h: a command is a table of options, a few lines and an exit status. The table is also the help and the completion, so they cannot disagree. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum ft_opt_kind { FT_OPT_END, FT_OPT_FLAG, FT_OPT_STR, FT_OPT_ARG, FT_OPT_OPTIONAL_ARG, FT_OPT_REST };

struct ft_opt {
    enum ft_opt_kind kind;
    char letter;              /* 0: none */
    const char *name;         /* long name; of an argument: NULL */
    void *to;                 /* FLAG: bool *, REST: struct ft_rest *, else: const char ** */
    const char *value;        /* what people see for the value: "FILE" */
    const char *help;
    const char *complete;     /* for the shell: "file", "playbook", "run", "plugin", or words separated by spaces; NULL */
};

struct ft_rest { char **items; size_t count; };

struct ft_command {
    const char *name, *summary;
    const struct ft_opt *opts;
    int (*run)(void);
    const char *about;        /* further text of the help; may be NULL */
    const char *too_many;     /* what to say to an argument too many, which is then not repeated; NULL: that it is one */
};

extern const struct ft_command *const ft_commands[];       /* ends with NULL */

/* Options that every command takes: --config, --store, --json, --no-color, --verbose, --help. */
struct ft_globals {
    const char *config, *store;
    bool json, no_color, verbose, help;
};
extern struct ft_globals globals;
extern const struct ft_opt ft_global_opts[];

/* 0, or 2 after a sentence on standard error. */
int ft_opt_parse(const struct ft_command *command, int argc, char **argv);
void ft_opt_help(const struct ft_command *command);
