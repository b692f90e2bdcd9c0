/* arena.h: memory that dies together. One per run, with marks per call. */
#pragma once
#include <stddef.h>

struct ft_arena;
struct ft_arena_mark { void *block; size_t used; };

struct ft_arena *ft_arena_new(void);
struct ft_arena *ft_arena_free(struct ft_arena *arena);        /* NULL is fine; returns NULL */
void *ft_arena_alloc(struct ft_arena *arena, size_t size);     /* zeroed, aligned for anything */
char *ft_arena_strdup(struct ft_arena *arena, const char *text);
char *ft_arena_strndup(struct ft_arena *arena, const char *text, size_t len);
__attribute__((format(printf, 2, 3)))
char *ft_arena_printf(struct ft_arena *arena, const char *fmt, ...);
size_t ft_arena_used(const struct ft_arena *arena);            /* bytes handed out */
struct ft_arena_mark ft_arena_mark(struct ft_arena *arena);
void ft_arena_reset(struct ft_arena *arena, struct ft_arena_mark mark);   /* forget all since the mark */
