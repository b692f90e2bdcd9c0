#include <criterion/criterion.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/util.h"

/* ---- Arena ------------------------------------------------------------------------------------------------------- */

static bool is_zero(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

Test(arena, gives_zeroed_and_aligned_memory_of_any_size)
{
    static const size_t sizes[] = { 0, 1, 7, 16, 17, 4000, 8191, 8192, 8193, 100000 };
    struct ft_arena *arena = ft_arena_new();

    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            char *bytes = ft_arena_alloc(arena, sizes[i]);

            cr_expect_eq((uintptr_t)bytes % _Alignof(max_align_t), 0, "%zu bytes", sizes[i]);
            cr_expect(is_zero(bytes, sizes[i]), "%zu bytes", sizes[i]);
            memset(bytes, 0xee, sizes[i]);
        }
    }
    cr_expect_null(ft_arena_free(arena));
    cr_expect_null(ft_arena_free(NULL));
}

Test(arena, copies_and_prints_text)
{
    struct ft_arena *arena = ft_arena_new();

    cr_expect_str_eq(ft_arena_strdup(arena, "client"), "client");
    cr_expect_null(ft_arena_strdup(arena, NULL));
    cr_expect_str_eq(ft_arena_strndup(arena, "client", 3), "cli");
    cr_expect_str_eq(ft_arena_strndup(arena, "client", 300), "client");
    cr_expect_str_eq(ft_arena_printf(arena, "%s/%d", "client", 7), "client/7");
    ft_arena_free(arena);
}

Test(arena, forgets_all_since_a_mark_and_nothing_before)
{
    static const size_t sizes[] = { 1, 100, 9000, 20000 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct ft_arena *arena = ft_arena_new();
        char *before = ft_arena_strdup(arena, "before");
        struct ft_arena_mark mark = ft_arena_mark(arena);
        size_t used = ft_arena_used(arena);

        for (int n = 0; n < 10; n++)
            memset(ft_arena_alloc(arena, sizes[i]), 'x', sizes[i]);
        cr_expect_geq(ft_arena_used(arena), used + 10 * sizes[i]);
        ft_arena_reset(arena, mark);
        cr_expect_eq(ft_arena_used(arena), used, "%zu bytes a piece", sizes[i]);
        cr_expect_str_eq(before, "before");
        cr_expect(is_zero(ft_arena_alloc(arena, sizes[i]), sizes[i]), "used memory must be zeroed again");
        ft_arena_free(arena);
    }
}

Test(arena, marks_nest)
{
    struct ft_arena *arena = ft_arena_new();
    struct ft_arena_mark empty = ft_arena_mark(arena), inner;
    char *kept = ft_arena_strdup(arena, "kept");

    inner = ft_arena_mark(arena);
    ft_arena_alloc(arena, 50000);
    ft_arena_reset(arena, inner);
    cr_expect_str_eq(kept, "kept");
    ft_arena_reset(arena, empty);
    cr_expect_eq(ft_arena_used(arena), 0);
    ft_arena_reset(arena, empty);
    cr_expect_str_eq(ft_arena_strdup(arena, "again"), "again");
    ft_arena_free(arena);
}

/* ---- Buffer ------------------------------------------------------------------------------------------------------ */

Test(buf, grows_with_what_is_added)
{
    struct ft_buf buf = FT_BUF_INIT(0);
    char *taken;

    cr_expect_str_eq(ft_buf_str(&buf), "");
    ft_buf_adds(&buf, "run ");
    ft_buf_addf(&buf, "%04d", 7);
    ft_buf_addc(&buf, '/');
    ft_buf_add(&buf, "step\0two", 8);
    cr_expect_eq(buf.len, 17);
    cr_expect_arr_eq(buf.data, "run 0007/step\0two", 18);
    ft_buf_clear(&buf);
    cr_expect_str_eq(ft_buf_str(&buf), "");
    for (int i = 0; i < 1000; i++)
        ft_buf_adds(&buf, "0123456789");
    cr_expect_eq(buf.len, 10000);
    taken = ft_buf_take(&buf);
    cr_expect_eq(strlen(taken), 10000);
    cr_expect_eq(buf.len, 0);
    cr_expect_null(buf.data);
    free(taken);
    taken = ft_buf_take(&buf);
    cr_expect_str_eq(taken, "");
    free(taken);
    ft_buf_done(&buf);
}

Test(buf, takes_no_more_than_its_bound_and_says_so)
{
    struct ft_buf buf = FT_BUF_INIT(8);

    ft_buf_adds(&buf, "12345678");
    cr_expect_not(buf.overflow);
    ft_buf_addc(&buf, '9');
    cr_expect(buf.overflow);
    cr_expect_str_eq(ft_buf_str(&buf), "12345678");
    ft_buf_clear(&buf);
    cr_expect_not(buf.overflow);
    ft_buf_addf(&buf, "%s", "123456789");
    cr_expect(buf.overflow);
    cr_expect_str_eq(ft_buf_str(&buf), "", "a piece that does not fit is not cut");
    ft_buf_adds(&buf, "1");
    cr_expect_str_eq(ft_buf_str(&buf), "", "after an overflow nothing is taken: the text would have a hole");
    ft_buf_done(&buf);
}

/* ---- Lists and small things -------------------------------------------------------------------------------------- */

struct item { int n; struct ft_list link; };

Test(list, keeps_order_and_lets_the_body_remove)
{
    struct ft_list head, *pos, *next;
    struct item items[4] = { { 0 } };
    int seen = 0;

    ft_list_init(&head);
    cr_expect(ft_list_empty(&head));
    for (int i = 0; i < 4; i++) {
        items[i].n = i;
        ft_list_append(&head, &items[i].link);
    }
    ft_list_each(pos, next, &head) {
        struct item *item = ft_container(pos, struct item, link);

        cr_expect_eq(item->n, seen++);
        if (item->n % 2)
            ft_list_remove(&item->link);
    }
    cr_expect_eq(seen, 4);
    ft_list_remove(&items[1].link);          /* a second time */
    seen = 0;
    ft_list_each(pos, next, &head)
        seen = seen * 10 + ft_container(pos, struct item, link)->n;
    cr_expect_eq(seen, 2, "0 and 2 are left");
}

Test(util, duplicates_text)
{
    char *text = ft_asprintf("%s-%d", "ap", 12), *cut = ft_strndup(text, 2);

    cr_expect_str_eq(text, "ap-12");
    cr_expect_str_eq(cut, "ap");
    cr_expect_null(ft_strdup(NULL));
    cr_expect(ft_streq(NULL, NULL));
    cr_expect_not(ft_streq(text, NULL));
    cr_expect(ft_streq("ap", cut));
    free(text);
    free(cut);
}
