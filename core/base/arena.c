#include "base/arena.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/util.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define poison(ptr, size) ASAN_POISON_MEMORY_REGION(ptr, size)
#define unpoison(ptr, size) ASAN_UNPOISON_MEMORY_REGION(ptr, size)
#else
#define poison(ptr, size) ((void)(ptr), (void)(size))
#define unpoison(ptr, size) ((void)(ptr), (void)(size))
#endif

enum { ALIGN = _Alignof(max_align_t), BLOCK_SIZE = 8192 };

/* The newest block comes first; only it is allocated from. */
struct block {
    struct block *older;
    size_t size, used;
    _Alignas(max_align_t) char bytes[];
};

struct ft_arena { struct block *newest; };

struct ft_arena *ft_arena_new(void)
{
    return ft_calloc(1, sizeof(struct ft_arena));
}

static void drop_newest(struct ft_arena *arena)
{
    struct block *block = arena->newest;

    arena->newest = block->older;
    unpoison(block->bytes, block->size);
    free(block);
}

struct ft_arena *ft_arena_free(struct ft_arena *arena)
{
    if (!arena)
        return NULL;
    while (arena->newest)
        drop_newest(arena);
    free(arena);
    return NULL;
}

static void add_block(struct ft_arena *arena, size_t size)
{
    struct block *block;

    if (size > SIZE_MAX - sizeof(*block))
        abort();
    block = ft_calloc(1, sizeof(*block) + size);
    block->older = arena->newest;
    block->size = size;
    arena->newest = block;
    poison(block->bytes, size);
}

void *ft_arena_alloc(struct ft_arena *arena, size_t size)
{
    size_t room = arena->newest ? arena->newest->size - arena->newest->used : 0;
    size_t takes;
    char *ptr;

    if (size > SIZE_MAX - ALIGN)
        abort();
    takes = ft_max((size + ALIGN - 1) / ALIGN * ALIGN, (size_t)ALIGN);
    if (takes > room)
        add_block(arena, ft_max(takes, (size_t)BLOCK_SIZE));
    ptr = arena->newest->bytes + arena->newest->used;
    arena->newest->used += takes;
    unpoison(ptr, size);
    return memset(ptr, 0, size);       /* the block may have been used before a reset */
}

char *ft_arena_strdup(struct ft_arena *arena, const char *text)
{
    return text ? ft_arena_strndup(arena, text, strlen(text)) : NULL;
}

char *ft_arena_strndup(struct ft_arena *arena, const char *text, size_t len)
{
    char *copy;

    if (!text)
        return NULL;
    len = strnlen(text, len);
    copy = ft_arena_alloc(arena, len + 1);
    memcpy(copy, text, len);
    return copy;
}

char *ft_arena_printf(struct ft_arena *arena, const char *fmt, ...)
{
    va_list ap, again;
    char *text;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    text = ft_arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

size_t ft_arena_used(const struct ft_arena *arena)
{
    size_t used = 0;

    for (const struct block *block = arena->newest; block; block = block->older)
        used += block->used;
    return used;
}

struct ft_arena_mark ft_arena_mark(struct ft_arena *arena)
{
    return (struct ft_arena_mark){ arena->newest, arena->newest ? arena->newest->used : 0 };
}

void ft_arena_reset(struct ft_arena *arena, struct ft_arena_mark mark)
{
    while (arena->newest && arena->newest != mark.block)
        drop_newest(arena);
    if (!arena->newest)
        return;
    arena->newest->used = mark.used;
    poison(arena->newest->bytes + mark.used, arena->newest->size - mark.used);
}
