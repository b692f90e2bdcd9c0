/* opt.c: reading a command line by its table, and printing the table as help. */
#include "cli/opt.h"
#include <stdio.h>
#include "base/text.h"
#include "base/util.h"

struct ft_globals globals;

const struct ft_opt ft_global_opts[] = {
    { FT_OPT_STR, 'c', "config", &globals.config, "FILE", "the configuration (else $FETTLE_CONFIG, ./fettle.yaml, ~/.config/fettle, /etc/fettle)", "file" },
    { FT_OPT_STR, 0, "store", &globals.store, "FILE", "the store of runs (else the configuration's)", "file" },
    { FT_OPT_FLAG, 0, "json", &globals.json, NULL, "one JSON object a line instead of text for people", NULL },
    { FT_OPT_FLAG, 0, "no-color", &globals.no_color, NULL, "no colour (also: NO_COLOR in the environment)", NULL },
    { FT_OPT_FLAG, 'v', "verbose", &globals.verbose, NULL, "say more on standard error", NULL },
    { FT_OPT_FLAG, 'h', "help", &globals.help, NULL, "this text", NULL },
    { 0 },
};

static const struct ft_opt *find(const struct ft_opt *opts, const char *name, size_t len, char letter)
{
    for (; opts->kind != FT_OPT_END; opts++) {
        if (opts->kind != FT_OPT_FLAG && opts->kind != FT_OPT_STR)
            continue;
        if (letter ? opts->letter == letter : strlen(opts->name) == len && strncmp(opts->name, name, len) == 0)
            return opts;
    }
    return NULL;
}

static int unknown(const struct ft_command *command, const char *arg)
{
    const char *names[64];
    size_t n = 0;
    const char *near;
    char bare[64];

    for (const struct ft_opt *o = command->opts; o->kind != FT_OPT_END && n < 50; o++)
        if (o->name)
            names[n++] = o->name;
    for (const struct ft_opt *o = ft_global_opts; o->kind != FT_OPT_END && n < 63; o++)
        names[n++] = o->name;
    names[n] = NULL;
    snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(arg + strspn(arg, "-"), "="), arg + strspn(arg, "-"));
    near = ft_suggest(bare, names);
    fprintf(stderr, "fettle %s: unknown option '%.*s'%s%s%s; `fettle %s --help` lists them\n", command->name, (int)strcspn(arg, "="), arg, near ? ", did you mean '--" : "", near ? near : "",
            near ? "'?" : "", command->name);
    return 2;
}

static int take_option(const struct ft_command *command, char **argv, int argc, int *i)
{
    const char *arg = argv[*i];
    bool is_long = arg[1] == '-';
    const char *name = arg + (is_long ? 2 : 1), *eq = is_long ? strchr(name, '=') : NULL;
    size_t len = eq ? (size_t)(eq - name) : strlen(name);
    char letter = is_long ? 0 : name[0];
    const struct ft_opt *o;

    if (!is_long && len != 1)
        return unknown(command, arg);
    o = find(command->opts, name, len, letter);
    if (!o)
        o = find(ft_global_opts, name, len, letter);
    if (!o)
        return unknown(command, arg);
    if (o->kind == FT_OPT_FLAG) {
        if (eq) {
            fprintf(stderr, "fettle %s: option '--%s' takes no value\n", command->name, o->name);
            return 2;
        }
        *(bool *)o->to = true;
        return 0;
    }
    if (!eq && *i + 1 >= argc) {
        fprintf(stderr, "fettle %s: option '%s' needs a value: %s\n", command->name, arg, o->value);
        return 2;
    }
    *(const char **)o->to = eq ? eq + 1 : argv[++*i];
    return 0;
}

static const struct ft_opt *positional(const struct ft_command *command, size_t n)
{
    for (const struct ft_opt *o = command->opts; o->kind != FT_OPT_END; o++) {
        if (o->kind == FT_OPT_REST)
            return o;
        if ((o->kind == FT_OPT_ARG || o->kind == FT_OPT_OPTIONAL_ARG) && n-- == 0)
            return o;
    }
    return NULL;
}

static int take_argument(const struct ft_command *command, char *arg, size_t *count)
{
    const struct ft_opt *o = positional(command, *count);

    if (!o) {
        if (command->too_many)
            fprintf(stderr, "fettle %s: one argument too many. %s\n", command->name, command->too_many);
        else
            fprintf(stderr, "fettle %s: '%s' is one argument too many\n", command->name, arg);
        return 2;
    }
    if (o->kind == FT_OPT_REST) {
        struct ft_rest *rest = o->to;

        rest->items[rest->count++] = arg;
    } else {
        *(const char **)o->to = arg;
        ++*count;
    }
    return 0;
}

int ft_opt_parse(const struct ft_command *command, int argc, char **argv)
{
    size_t count = 0;
    bool only_args = false;
    const struct ft_opt *missing;
    int r = 0;

    for (const struct ft_opt *o = command->opts; o->kind != FT_OPT_END; o++)
        if (o->kind == FT_OPT_REST)
            ((struct ft_rest *)o->to)->items = ft_calloc((size_t)argc + 1, sizeof(char *));
    for (int i = 0; i < argc && r == 0; i++) {
        if (!only_args && ft_streq(argv[i], "--"))
            only_args = true;
        else if (!only_args && argv[i][0] == '-' && argv[i][1])
            r = take_option(command, argv, argc, &i);
        else
            r = take_argument(command, argv[i], &count);
    }
    if (r || globals.help)
        return r;
    missing = positional(command, count);
    if (missing && missing->kind == FT_OPT_ARG) {
        fprintf(stderr, "fettle %s: %s is missing; `fettle %s --help` says more\n", command->name, missing->value, command->name);
        return 2;
    }
    return 0;
}

static void print_opts(const struct ft_opt *opts)
{
    for (const struct ft_opt *o = opts; o->kind != FT_OPT_END; o++) {
        char left[64], letter[8] = "    ";

        if (o->letter)
            snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        if (o->kind == FT_OPT_FLAG || o->kind == FT_OPT_STR)
            snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
        else
            snprintf(left, sizeof(left), "%s", o->value);
        printf("  %-24s %s\n", left, o->help);
    }
}

void ft_opt_help(const struct ft_command *command)
{
    printf("%s\n\nUsage: fettle %s", command->summary, command->name);
    for (const struct ft_opt *o = command->opts; o->kind != FT_OPT_END; o++)
        if (o->kind == FT_OPT_ARG || o->kind == FT_OPT_OPTIONAL_ARG || o->kind == FT_OPT_REST)
            printf(o->kind == FT_OPT_ARG ? " %s" : " [%s]", o->value);
    printf(" [options]\n\n");
    print_opts(command->opts);
    printf("\nFor every command:\n");
    print_opts(ft_global_opts);
    if (command->about)
        printf("\n%s", command->about);
}
