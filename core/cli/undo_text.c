/* undo_text.c: what somebody changed since fettle wrote it, for people. */
#include "base/text.h"
#include "base/util.h"
#include "cli/live.h"
#include "data/json.h"

static void side(FILE *to, bool colour, enum ft_tone tone, const json_t *one, const char *key, const char *words, int indent)
{
    json_t *value = json_object_get(one, key);
    char *brief = value ? ft_json_brief(value, 400) : ft_strdup("(not there)");
    int at = indent + 15;

    fprintf(to, "%*s%-14s ", indent, "", words);
    if (tone != TONE_PLAIN && ft_text_width(brief, strlen(brief)) + (size_t)at < (size_t)term_width(to))
        term_put(to, colour, tone, brief);
    else
        term_wrap(to, brief, at, at, term_width(to));
    fputc('\n', to);
    free(brief);
}

void undo_print_differences(FILE *to, bool colour, const json_t *differences, int indent)
{
    json_t *one;
    size_t i;

    json_array_foreach((json_t *)differences, i, one) {
        const char *path = ft_json_str(one, "path");

        fprintf(to, "%*s", indent, "");
        term_put(to, colour, TONE_BOLD, path && *path ? path : "the state");
        fputc('\n', to);
        side(to, colour, TONE_DIM, one, "was", "was", indent + 2);
        side(to, colour, TONE_PLAIN, one, "wrote", "fettle wrote", indent + 2);
        side(to, colour, TONE_WARN, one, "now", "is now", indent + 2);
    }
}

/* What is wrong was said when it happened. */
void undo_print_question(FILE *to, const json_t *question, int indent)
{
    const json_t *differences = json_object_get(question, "differences");
    if (differences)
        fprintf(to, "%*so  overwrite it: put back what was there before fettle\n", indent, "");
    else if (json_is_true(json_object_get(question, "unseen")))
        fprintf(to, "%*so  send the undo without looking what is there now\n", indent, "");
    fprintf(to, "%*sa  %s\n", indent, "", differences ? "look again" : json_is_true(json_object_get(question, "doubt")) ? "it was not taken back: send the undo again" : "try the undo again");
    fprintf(to, "%*sl  leave it as it is now; the rest is taken back, and your name stands in the journal\n", indent, "");
    fprintf(to, "%*sd  it was taken back by hand\n", indent, "");
    fprintf(to, "%*sanything else leaves it parked, with its locks: ", indent, "");
}

json_t *undo_answer_of(const json_t *question, char letter)
{
    switch (letter) {
    case 'o': return json_object_get(question, "differences") || json_is_true(json_object_get(question, "unseen")) ? json_pack("{s:b}", "overwrite", 1) : NULL;
    case 'a': return json_pack("{s:b}", "again", 1);
    case 'l': return json_pack("{s:b}", "leave", 1);
    case 'd': return json_pack("{s:b}", "done", 1);
    default: return NULL;
    }
}
