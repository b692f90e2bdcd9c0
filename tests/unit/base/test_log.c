#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/log.h"
#include "base/util.h"

static int saved = -1, file = -1;

/* What goes to standard error from here on is caught. */
static void catch_output(void)
{
    char path[] = "/tmp/test_log.XXXXXX";

    file = mkstemp(path);
    cr_assert_geq(file, 0);
    unlink(path);
    fflush(stderr);
    saved = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
}

static const char *caught(void)
{
    static char text[4096];
    ssize_t n;

    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    n = pread(file, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(file);
    return text;
}

Test(log, shows_warnings_unless_told_otherwise)
{
    catch_output();
    ft_log(FT_LOG_DEBUG, "one");
    ft_log(FT_LOG_INFO, "two");
    ft_log(FT_LOG_WARN, "run %s is slow", "7f3c");
    ft_log(FT_LOG_ERROR, "four");
    ft_log_set_level(FT_LOG_DEBUG);
    ft_log(FT_LOG_DEBUG, "five");
    ft_log_set_level(FT_LOG_ERROR);
    ft_log(FT_LOG_WARN, "six");
    cr_expect_str_eq(caught(), "fettle: warning: run 7f3c is slow\nfettle: error: four\nfettle: debug: five\n");
}

Test(log, cannot_be_made_to_draw_on_the_terminal)
{
    catch_output();
    ft_log(FT_LOG_ERROR, "%s", "switch said: \x1b[2Jgone\nfettle: error: forged\ttab größe");
    cr_expect_str_eq(caught(), "fettle: error: switch said: \\x1b[2Jgone\\x0afettle: error: forged\ttab größe\n");
}

static char *hide_token(const char *line)
{
    char *copy, *found;

    if (!strstr(line, "hunter2"))
        return NULL;
    copy = ft_strdup(line);
    found = strstr(copy, "hunter2");
    memcpy(found, "*******", 7);
    return copy;
}

Test(log, goes_through_the_redactor)
{
    catch_output();
    ft_log_set_redactor(hide_token);
    ft_log(FT_LOG_ERROR, "the token hunter2 was refused");
    ft_log(FT_LOG_ERROR, "nothing to hide");
    cr_expect_str_eq(caught(), "fettle: error: the token ******* was refused\nfettle: error: nothing to hide\n");
}
