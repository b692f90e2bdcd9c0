/* redact.h: finding known secrets in text, in every form that a protocol gives them. One pass over the text, whatever the number of secrets. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

struct ft_form { char *text; size_t len; };

/* Zeroed: knows no secret. */
struct ft_redactor {
    struct ft_form *forms;         /* longest first */
    size_t count;
    uint8_t *starts;               /* a bit for each pair of bytes that a form begins with; NULL while there is none */
};

void ft_redactor_done(struct ft_redactor *redactor);
void ft_redactor_learn(struct ft_redactor *redactor, const char *secret);
char *ft_redactor_text(const struct ft_redactor *redactor, const char *text);         /* NULL when nothing was found */
bool ft_redactor_hits(const struct ft_redactor *redactor, const json_t *value);
json_t *ft_redactor_json(const struct ft_redactor *redactor, json_t *value);          /* new reference */
