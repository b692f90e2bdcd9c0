/* config_text.c: configuration in Junos' form with braces, read into a candidate. */
#include <ctype.h>
#include "lab.h"

enum { DEPTH = 20, WORDS = 700 };

struct reader {
    struct lab_candidate *cand;
    const char *at;
    char path[DEPTH][300];        /* the words of each level that is open */
    int depth;
    char words[WORDS];            /* of the statement under way */
};

static void skip_blanks(struct reader *r)
{
    for (;;) {
        while (isspace((unsigned char)*r->at))
            r->at++;
        if (*r->at == '#')
            r->at += strcspn(r->at, "\n");
        else if (strncmp(r->at, "/*", 2) == 0 && strstr(r->at, "*/"))
            r->at = strstr(r->at, "*/") + 2;
        else
            return;
    }
}

static void add_word(struct reader *r)
{
    size_t len = strlen(r->words);
    bool quoted = false;

    if (len && len + 1 < WORDS)
        r->words[len++] = ' ';
    for (; *r->at && (quoted || (!isspace((unsigned char)*r->at) && !strchr(";{}", *r->at))); r->at++) {
        quoted = *r->at == '"' ? !quoted : quoted;
        if (len + 1 < WORDS)
            r->words[len++] = *r->at;
    }
    r->words[len] = '\0';
}

static int statement(struct reader *r)
{
    char line[WORDS * 2] = "";

    for (int i = 0; i < r->depth; i++)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s ", r->path[i]);
    snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s", r->words);
    r->words[0] = '\0';
    return lab_candidate_set(r->cand, line);
}

static int token(struct reader *r)
{
    switch (*r->at) {
    case '{':
        r->at++;
        if (r->depth == DEPTH || !r->words[0])
            return -EINVAL;
        snprintf(r->path[r->depth++], sizeof(r->path[0]), "%s", r->words);
        r->words[0] = '\0';
        return 0;
    case '}':
        r->at++;
        return r->words[0] || r->depth-- == 0 ? -EINVAL : 0;
    case ';':
        r->at++;
        return r->words[0] ? statement(r) : -EINVAL;
    default:
        add_word(r);
        return 0;
    }
}

int lab_candidate_load(struct lab_candidate *cand, const char *text, bool override, struct ft_buf *why)
{
    struct reader r = { .cand = cand, .at = text };

    if (override)
        lab_candidate_clear(cand);
    for (skip_blanks(&r); *r.at; skip_blanks(&r)) {
        const char *here = r.at;

        if (token(&r) < 0) {
            ft_buf_addf(why, "%.40s", here);
            return -EINVAL;
        }
    }
    if (r.depth || r.words[0]) {
        ft_buf_adds(why, "end of input");
        return -EINVAL;
    }
    return 0;
}
