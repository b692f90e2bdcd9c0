/* clock.h: what time it is. Code takes a clock and never asks the system, so that tests own the time. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct ft_clock;      /* opaque */

struct ft_clock *ft_clock_system(void);                                   /* shared, never freed */
struct ft_clock *ft_clock_manual_new(uint64_t wall_ms);                   /* stands still until moved */
struct ft_clock *ft_clock_free(struct ft_clock *clock);                   /* of a manual one; NULL and system are fine */
void ft_clock_advance(struct ft_clock *clock, uint64_t us);               /* manual only */
void ft_clock_set_wall(struct ft_clock *clock, uint64_t wall_ms);         /* manual only: the clock set back */
int ft_clock_is_manual(const struct ft_clock *clock);
uint64_t ft_clock_wall_ms(const struct ft_clock *clock);                  /* since 1970, UTC; may jump */
uint64_t ft_clock_mono_us(const struct ft_clock *clock);                  /* never goes back */

/* RFC 3339 with milliseconds, "2026-11-21T02:13:05.120Z". buf of at least 32 bytes. */
const char *ft_time_format(uint64_t wall_ms, char *buf, size_t len);
int ft_time_parse(const char *text, uint64_t *ret_wall_ms);               /* RFC 3339; -EINVAL; -ERANGE: before 1970 */
