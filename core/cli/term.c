#include "cli/term.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/text.h"
#include "cli/opt.h"

bool term_colour(FILE *to)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fileno(to)) && !globals.no_color && !(none && *none) && !(term && strcmp(term, "dumb") == 0);
}

bool term_is(FILE *to)
{
    return isatty(fileno(to));
}

int term_width(FILE *to)
{
    struct winsize size;

    if (isatty(fileno(to)) && ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        return size.ws_col > 120 ? 120 : size.ws_col;
    return 80;
}

void term_put(FILE *to, bool colour, enum ft_tone tone, const char *text)
{
    static const char *const codes[] = {
        [TONE_PLAIN] = "", [TONE_GOOD] = "\033[32m", [TONE_BAD] = "\033[31m", [TONE_WARN] = "\033[33m", [TONE_DIM] = "\033[2m", [TONE_BOLD] = "\033[1m",
    };

    if (colour && tone != TONE_PLAIN)
        fprintf(to, "%s%s\033[0m", codes[tone], text);
    else
        fputs(text, to);
}

static size_t char_len(const char *p)
{
    unsigned char c = (unsigned char)*p;
    size_t want = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4, n = 1;

    while (n < want && ((unsigned char)p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

void term_column(FILE *to, const char *text, int width)
{
    int used = (int)ft_text_width(text, strlen(text));

    if (used <= width) {
        fprintf(to, "%s%*s", text, width - used, "");
        return;
    }
    used = 0;
    while (*text && used < width - 1) {
        size_t n = char_len(text);

        used += (int)ft_text_width(text, n);
        fwrite(text, 1, n, to);
        text += n;
    }
    fputs("…", to);
    fprintf(to, "%*s", width - used - 1 > 0 ? width - used - 1 : 0, "");
}

void term_wrap(FILE *to, const char *text, int at, int indent, int width)
{
    int column = at;
    bool first = true;

    while (*text) {
        size_t word = strcspn(text, " \n"), gap = 0;
        int cols = (int)ft_text_width(text, word);

        if (!first && column + 1 + cols > width) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', to);
            column++;
        }
        fwrite(text, 1, word, to);
        column += cols;
        text += word;
        gap = strspn(text, " ");
        text += gap;
        first = false;
        if (*text == '\n') {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
            text++;
            first = true;
        }
    }
}

/* ---- times */

static const struct ft_zone *shown_zone;

void term_zone(const struct ft_zone *zone)
{
    shown_zone = zone;
}

const char *term_when(uint64_t wall_ms, bool seconds, char buf[48])
{
    enum { DATE = 15 };                        /* "Sun 2026-11-29 " */
    const struct ft_zone *zone = shown_zone;
    struct ft_zone *own = NULL;
    char today[48];

    if (!zone && (ft_zone_open(NULL, &own, NULL) == 0 || ft_zone_open("UTC", &own, NULL) == 0))
        zone = own;
    ft_zone_format(zone, ft_clock_wall_ms(ft_clock_system()), today, sizeof(today));
    ft_zone_format(zone, wall_ms, buf, 48);
    if (strlen(buf) > DATE + 5 && strncmp(buf, today, DATE) == 0) {
        memmove(buf, buf + DATE, 5);
        buf[5] = '\0';
        if (seconds)
            snprintf(buf + 5, 48 - 5, ":%02u", (unsigned)(wall_ms / 1000 % 60));
    }
    ft_zone_free(own);
    return buf;
}
