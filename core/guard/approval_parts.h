/* approval_parts.h: what the files about people and gates share. */
#pragma once
#include "guard/approval.h"

const json_t *who_is(const struct ft_people *people, const char *name);      /* borrowed; NULL: nobody of that name */
/* The same one: upper and lower case do not make two (a directory knows both). */
bool is_person(const char *a, const char *b);
/* Whether `from` lets `to` answer in this role at that time. */
bool who_delegates(const struct ft_people *people, const char *from, const char *role, const char *to, uint64_t at);

enum { MAX_REASON = 2000 };          /* bytes of what somebody says to an answer */
