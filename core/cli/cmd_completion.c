/* fettle completion: made from the same tables as the help. */
#include "base/buf.h"
#include "base/util.h"
#include "cli/app.h"

static struct {
    const char *shell;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.shell, "SHELL", "bash (default) or zsh", "bash zsh" },
    { 0 },
};

static void add_options(struct ft_buf *buf, const struct ft_opt *options)
{
    for (const struct ft_opt *opt = options; opt->kind != FT_OPT_END; opt++)
        if (opt->kind == FT_OPT_FLAG || opt->kind == FT_OPT_STR)
            ft_buf_addf(buf, " --%s", opt->name);
}

static const char *argument_words(const struct ft_command *command)
{
    for (const struct ft_opt *opt = command->opts; opt->kind != FT_OPT_END; opt++)
        if (opt->kind != FT_OPT_FLAG && opt->kind != FT_OPT_STR && opt->complete)
            return opt->complete;
    return "file";
}

static const char bash_head[] =
    "# fettle completion for bash: source <(fettle completion bash)\n"
    "_fettle() {\n"
    "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" verb=\"${COMP_WORDS[1]}\" words=\"\"\n"
    "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "        COMPREPLY=($(compgen -W \"";

static const char bash_tail[] =
    "    esac\n"
    "    case \"$kind\" in\n"
    "        playbook) words=\"$words $(cd playbooks 2>/dev/null && ls */*.yaml 2>/dev/null | sed -e 's#.*/##' -e 's#[.]yaml$##' | grep -v '[.]test$')\" ;;\n"
    "        run) words=\"$words $(fettle runs --json 2>/dev/null | sed -n 's/.*\"run\":\"\\([0-9a-f]*\\)\".*/\\1/p')\" ;;\n"
    "        plugin) words=\"$words $(fettle plugins --json 2>/dev/null | sed -n 's/^{\"plugin\":\"\\([a-z0-9_]*\\)\".*/\\1/p')\" ;;\n"
    "        file) ;;\n"
    "        *) words=\"$words $kind\" ;;\n"
    "    esac\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
    "    [ \"${#COMPREPLY[@]}\" -eq 0 ] && compopt -o default\n"
    "}\n"
    "complete -F _fettle fettle\n";

static int run(void)
{
    struct ft_buf buf = FT_BUF_INIT(0);

    if (o.shell && !ft_streq(o.shell, "bash") && !ft_streq(o.shell, "zsh"))
        return app_fail(2, "there is completion for bash and zsh, not for '%s'", o.shell);
    if (ft_streq(o.shell, "zsh"))
        ft_buf_adds(&buf, "autoload -U +X bashcompinit && bashcompinit\n");
    ft_buf_adds(&buf, bash_head);
    for (const struct ft_command *const *c = ft_commands; *c; c++)
        ft_buf_addf(&buf, "%s ", (*c)->name);
    ft_buf_adds(&buf, "\" -- \"$cur\"))\n        return\n    fi\n    local kind=\"file\"\n    case \"$verb\" in\n");
    for (const struct ft_command *const *c = ft_commands; *c; c++) {
        ft_buf_addf(&buf, "        %s) kind=\"%s\"; words=\"", (*c)->name, argument_words(*c));
        add_options(&buf, (*c)->opts);
        add_options(&buf, ft_global_opts);
        ft_buf_adds(&buf, "\" ;;\n");
    }
    ft_buf_adds(&buf, bash_tail);
    fputs(ft_buf_str(&buf), stdout);
    ft_buf_done(&buf);
    return 0;
}

const struct ft_command cmd_completion = {
    "completion", "Print the completion for a shell", opts, run, "For bash, in ~/.bashrc: source <(fettle completion bash)\n",
};
