/* main.c: picks the command. */
#include <locale.h>
#include <stdio.h>
#include "base/text.h"
#include "base/util.h"
#include "cli/opt.h"

extern const struct ft_command cmd_run, cmd_plan, cmd_apply, cmd_check, cmd_graph, cmd_show, cmd_why, cmd_runs, cmd_resume, cmd_follow;
extern const struct ft_command cmd_approvals, cmd_approve, cmd_reject, cmd_answer, cmd_cancel, cmd_undo, cmd_locks, cmd_policy;
extern const struct ft_command cmd_secret, cmd_plugins, cmd_export, cmd_audit, cmd_lab, cmd_doctor, cmd_completion;

/* In the order of the help. */
const struct ft_command *const ft_commands[] = {
    &cmd_run, &cmd_plan, &cmd_apply, &cmd_check, &cmd_graph, &cmd_show, &cmd_why, &cmd_runs, &cmd_resume, &cmd_follow,
    &cmd_approvals, &cmd_approve, &cmd_reject, &cmd_answer, &cmd_cancel, &cmd_undo, &cmd_locks, &cmd_policy,
    &cmd_secret, &cmd_plugins, &cmd_export, &cmd_audit, &cmd_lab, &cmd_doctor, &cmd_completion,
    NULL,
};

static void usage(FILE *to)
{
    fputs("fettle finds out what is wrong with a network, and mends it: playbooks that walk the runbook's flowchart.\n\n"
          "Usage: fettle COMMAND [arguments]\n\n", to);
    for (const struct ft_command *const *c = ft_commands; *c; c++)
        fprintf(to, "  %-12s %s\n", (*c)->name, (*c)->summary);
    fputs("\n`fettle COMMAND --help` says more. Try: fettle check playbooks/incident/client-connectivity.yaml\n", to);
}

static int unknown(const char *name)
{
    const char *names[ARRAY_LEN(ft_commands)];
    const char *near;
    size_t n = 0;

    while (ft_commands[n]) {
        names[n] = ft_commands[n]->name;
        n++;
    }
    names[n] = NULL;
    near = ft_suggest(name, names);
    fprintf(stderr, "fettle: there is no command '%s'%s%s%s; `fettle --help` lists them\n", name, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    return 2;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (ft_streq(argv[1], "--version") || ft_streq(argv[1], "-V")) {
        puts("fettle " FETTLE_VERSION);
        return 0;
    }
    if (ft_streq(argv[1], "--help") || ft_streq(argv[1], "-h") || ft_streq(argv[1], "help")) {
        usage(stdout);
        return 0;
    }
    for (const struct ft_command *const *c = ft_commands; *c; c++) {
        if (!ft_streq((*c)->name, argv[1]))
            continue;
        int status = ft_opt_parse(*c, argc - 2, argv + 2);

        if (status)
            return status;
        if (globals.help) {
            ft_opt_help(*c);
            return 0;
        }
        return (*c)->run();
    }
    return unknown(argv[1]);
}
