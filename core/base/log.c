#include "base/log.h"
#include "base/buf.h"
#include "base/util.h"

static char *(*redactor)(const char *line);
static enum ft_log_level threshold = FT_LOG_WARN;

void ft_log_set_redactor(char *(*redact)(const char *line))
{
    redactor = redact;
}

void ft_log_set_level(enum ft_log_level level)
{
    threshold = level;
}

/* What a device answered may end up in a line: it shall not move the cursor of whoever reads it, nor begin a line of its own. */
static void add_visible(struct ft_buf *line, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c < ' ' && c != '\t') || c == 0x7f)
            ft_buf_addf(line, "\\x%02x", c);
        else
            ft_buf_addc(line, *text);
    }
}

void ft_log(enum ft_log_level level, const char *fmt, ...)
{
    static const char *const names[] = { "debug", "info", "warning", "error" };
    struct ft_buf said = FT_BUF_INIT(0), line = FT_BUF_INIT(0);
    char *clean;
    va_list ap;

    if (level < threshold || (size_t)level >= ARRAY_LEN(names))
        return;
    va_start(ap, fmt);
    ft_buf_vaddf(&said, fmt, ap);
    va_end(ap);
    clean = redactor ? redactor(ft_buf_str(&said)) : NULL;
    ft_buf_addf(&line, "fettle: %s: ", names[level]);
    add_visible(&line, clean ? clean : ft_buf_str(&said));
    ft_buf_addc(&line, '\n');
    fwrite(line.data, 1, line.len, stderr);      /* in one piece, so that lines of two processes do not mix */
    free(clean);
    ft_buf_done(&said);
    ft_buf_done(&line);
}
