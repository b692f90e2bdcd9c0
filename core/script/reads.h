/* reads.h: what one evaluation read, by path ("association.aps[1].name"), each path once, at most FT_READS_MAX. */
#pragma once
#include <stdint.h>
#include <jansson.h>
#include "base/buf.h"

enum { FT_READS_MAX = 100, FT_READS_SLOTS = 256 };
#define FT_READ_NONE UINT32_MAX                     /* not noted: there were too many */

struct ft_read {
    uint32_t path, len;            /* in `text` */
    const json_t *value;           /* NULL: there is no such member */
    size_t count;                  /* of "#list" */
    enum { FT_READ_VALUE, FT_READ_ENTERED, FT_READ_COUNT } kind;    /* entered: members of it were read, and stand for it */
};

struct ft_reads {
    char *text;                    /* the paths, one behind the other */
    size_t used, cap;
    struct ft_read items[FT_READS_MAX];
    uint32_t count;
    uint8_t slots[FT_READS_SLOTS]; /* number of an item + 1, by the hash of its path */
    bool more;                     /* some were not noted */
};

void ft_reads_clear(struct ft_reads *reads);
void ft_reads_done(struct ft_reads *reads);
uint32_t ft_reads_name(struct ft_reads *reads, const char *name, size_t len, const json_t *value);
uint32_t ft_reads_member(struct ft_reads *reads, uint32_t parent, const char *key, size_t len, const json_t *value);
uint32_t ft_reads_item(struct ft_reads *reads, uint32_t parent, size_t number, const json_t *value);
void ft_reads_count(struct ft_reads *reads, uint32_t list, size_t count);
json_t *ft_reads_json(const struct ft_reads *reads);        /* new reference */
/* The path of one, "" when it was not noted. */
void ft_reads_path(const struct ft_reads *reads, uint32_t read, struct ft_buf *to);
/* " (result.rssi = nil, rssi_floor = -70)": those whose last word stands in `line`; nothing when there are none. */
void ft_reads_say(const struct ft_reads *reads, const char *line, size_t len, struct ft_buf *to);
