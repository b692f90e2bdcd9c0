/* diag.h: mistakes in files, all of them, each with its place. Prints "file:line:column: error: …", the line, a caret. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A place in a source file. Lines and columns count from 1; columns count bytes. len: how many bytes the caret underlines. */
struct ft_mark {
    unsigned line, column, len;
    size_t offset;                    /* bytes from the start of the file */
};

/* One file's name and text, kept for printing. */
struct ft_source { const char *name; const char *text; size_t len; };

struct ft_diag {
    struct ft_mark mark;
    const char *source;               /* name of the file; may differ within one list (a called playbook) */
    char *text;                       /* one sentence, with "did you mean …?" where a name is near */
    char *hint;                       /* written behind the caret; may be NULL */
};

/* Sorted by file (in the order of ft_diags_source) and place. Holds 200; of what is beyond, only the number is printed.
 * The same sentence at the same place counts once. Control characters in what is added are replaced by '?'. */
struct ft_diags;

struct ft_diags *ft_diags_new(void);
struct ft_diags *ft_diags_free(struct ft_diags *diags);
void ft_diags_source(struct ft_diags *diags, const char *name, const char *text, size_t len);   /* copied */
__attribute__((format(printf, 5, 6)))
void ft_diags_add(struct ft_diags *diags, const char *source, struct ft_mark mark, const char *hint, const char *fmt, ...);
size_t ft_diags_count(const struct ft_diags *diags);                     /* of those held */
const struct ft_diag *ft_diags_get(struct ft_diags *diags, size_t i);    /* in the order of file and place */
/* colour: ANSI. Ends with "2 errors"; prints nothing where there are none. */
void ft_diags_print(struct ft_diags *diags, FILE *to, bool colour);
struct json_t *ft_diags_json(struct ft_diags *diags);    /* [{"file","line","column","message","hint"}]; new reference */
