/* mist_table.c: a read that is one list: the parameters become the query, the items become rows. */
#include <string.h>
#include "mist.h"

void mist_count_rows(const json_t *rows, const char *field, json_t *out, const char *name)
{
    json_t *counts = json_object(), *row;
    size_t i;

    json_array_foreach(rows, i, row)
        if (mist_str(row, field))
            mist_count_into(counts, mist_str(row, field));
    json_object_set_new(out, name, counts);
}

static json_t *rows_of(const struct mist_table *table, const json_t *items)
{
    json_t *rows, *item;
    size_t i;

    if (!table->row)
        return mist_rows(items, table->fields, table->count);
    rows = json_array();
    json_array_foreach(items, i, item)
        if (json_is_object(item))
            json_array_append_new(rows, table->row(item));
    return rows;
}

static void table_here(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    const struct mist_table *table = st->own;
    json_t *rows = rows_of(table, items), *out = json_object();

    if (table->sort)
        mist_sort_down(rows, table->sort);
    json_object_set_new(out, table->name, rows);
    json_object_set_new(out, "total", json_integer((json_int_t)json_array_size(rows)));
    json_object_set_new(out, "complete", json_boolean(!items || st->list.complete));
    if (table->finish)
        table->finish(call, rows, out);
    mist_done(call, out);
}

static void whole_here(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);
    json_t *items = json_is_object(answer) ? json_object_get(answer, "results") : answer;

    if (answer && !json_is_array(items)) {
        mist_fail(call, FT_INVALID, "GET %s answered something else than a list", st->ask.url);
        return;
    }
    st->list.complete = true;
    table_here(call, items);
}

static bool is_mac_name(const char *name)
{
    size_t len = strlen(name);

    return strcmp(name, "ap") == 0 || (len >= 3 && strcmp(name + len - 3, "mac") == 0);
}

/* A parameter as it stands in a query. NULL: not given, or the call has failed and *ret_ok is false. */
static const char *query_value(struct ft_call *call, const char *name, bool *ret_ok)
{
    const json_t *value = json_object_get(host->params(call), name);
    const char *text = json_string_value(value);
    char mac[MIST_MAC_LEN + 1];

    if (!value || json_is_null(value) || (text && !*text))
        return NULL;
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value))
        return host->printf(call, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (!text || !is_mac_name(name))
        return text ? mist_escape(call, text) : NULL;
    if (mist_mac(text, mac))
        return host->printf(call, "%s", mac);
    *ret_ok = false;
    mist_fail(call, FT_INVALID, "%s: '%.40s' is not a MAC address (12 hex digits, such as 5c:5b:35:00:00:01)", name, text);
    return NULL;
}

/* NULL: the call has failed. */
static const char *table_query(struct ft_call *call, const struct mist_table *table)
{
    const char *query = table->fixed ? table->fixed : "";
    bool ok = true;

    if (table->window)
        query = host->printf(call, "%s%sduration=%s", query, *query ? "&" : "", mist_window(call));
    for (const char *const *name = table->filters; name && *name; name++) {
        const char *value = query_value(call, *name, &ok);

        if (!ok)
            return NULL;
        if (value)
            query = host->printf(call, "%s%s%s=%s", query, *query ? "&" : "", *name, value);
    }
    return query;
}

static void table_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const struct mist_table *table = st->own;
    const char *scope = st->site_id && table->site ? "sites" : "orgs", *id, *path, *query;
    const json_t *limit = json_object_get(host->params(call), "limit");
    size_t max = limit ? (size_t)json_integer_value(limit) : 1000;

    if (scope[0] == 's' ? !table->site : !table->org) {
        mist_fail(call, FT_INVALID, "site: which one? a name or an id");
        return;
    }
    query = table_query(call, table);
    if (!query)
        return;
    if (scope[0] == 'o' && st->site_id)
        query = host->printf(call, "%s%ssite_id=%s", query, *query ? "&" : "", mist_escape(call, st->site_id));
    id = mist_escape(call, scope[0] == 's' ? st->site_id : mist_of(call)->org);
    path = host->printf(call, "/%s/%s%s%s%s", scope, id, scope[0] == 's' ? table->site : table->org, *query ? "?" : "", query);
    if (table->whole)
        mist_get_any(call, whole_here, "%s", path);
    else if (table->absent_is_empty)
        mist_list_if_there(call, max, table_here, "%s", path);
    else
        mist_list(call, max, table_here, "%s", path);
}

void mist_read_table(struct ft_call *call, const struct mist_table *table)
{
    mist_state(call)->own = (void *)table;
    mist_find_site(call, table_look);
}
