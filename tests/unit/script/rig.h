/* rig.h: evaluates texts for the tests of script/: everything as JSON text, no helper modules. */
#pragma once
#include <criterion/criterion.h>
#include <string.h>
#include "base/util.h"
#include "data/json.h"
#include "script/script.h"

struct answer {
    enum ft_eval eval;
    char *value, *reads;          /* compact JSON; value: what was unknown, for FT_EVAL_UNKNOWN; NULL after an error */
    struct ft_err err;
    char *diags;                  /* "line:column: text; …" where it did not compile */
};

static inline json_t *from_json(const char *text)
{
    struct ft_err err = { 0 };
    json_t *value = NULL;

    cr_assert_eq(ft_json_parse(text, strlen(text), 0, &value, &err), 0, "'%s': %s", text, err.text);
    return value;
}

static inline char *say_diags(struct ft_diags *diags)
{
    char *all = ft_strdup("");

    for (size_t i = 0; i < ft_diags_count(diags); i++) {
        const struct ft_diag *diag = ft_diags_get(diags, i);
        char *more = ft_asprintf("%s%s%u:%u+%u: %s%s%s", all, i ? "\n" : "", diag->mark.line, diag->mark.column, diag->mark.len, diag->text,
                                 diag->hint ? " // " : "", diag->hint ? diag->hint : "");

        free(all);
        all = more;
    }
    return all;
}

static inline struct answer ask_in(struct ft_script *script, enum ft_chunk_kind kind, const char *text, const char *env_text)
{
    struct answer answer = { .eval = FT_EVAL_ERROR };
    struct ft_diags *diags = ft_diags_new();
    struct ft_chunk *chunk = ft_chunk_compile(script, kind, text, strlen(text), NULL, NULL, diags);
    json_t *env = from_json(env_text);
    struct ft_eval_result result;

    if (chunk) {
        answer.eval = ft_chunk_eval(chunk, env, &result, &answer.err);
        answer.value = result.value ? ft_json_text(result.value) : NULL;
        answer.reads = ft_json_text(result.reads);
        ft_eval_result_done(&result);
    } else {
        answer.diags = say_diags(diags);
    }
    ft_chunk_free(chunk);
    ft_diags_free(diags);
    json_decref(env);
    return answer;
}

static inline struct answer ask(enum ft_chunk_kind kind, const char *text, const char *env)
{
    struct ft_script *script = ft_script_new(/* lua_dir= */ NULL);
    struct answer answer = ask_in(script, kind, text, env);

    ft_script_free(script);
    return answer;
}

static inline void answer_done(struct answer *answer)
{
    free(answer->value);
    free(answer->reads);
    free(answer->diags);
}

/* What the person sees of it, whatever it is. */
static inline const char *said(const struct answer *answer)
{
    if (answer->diags)
        return answer->diags;
    return answer->eval == FT_EVAL_ERROR ? answer->err.text : answer->value;
}
