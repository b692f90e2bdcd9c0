/* config_record.c: what the configuration says of the record: `retention:` and `seal:`. */
#include "base/util.h"
#include "data/json.h"
#include "playbook/config.h"
#include "playbook/reader.h"

int ft_config_age(const char *text, uint64_t *ret_ms)
{
    static const struct { char letter; unsigned days; } units[] = { { 'd', 1 }, { 'w', 7 }, { 'y', 365 } };
    char *end;
    unsigned long n = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;

    if (!n || n > 36500 || !*end || end[1])
        return -EINVAL;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].letter == *end) {
            *ret_ms = (uint64_t)n * units[i].days * 86400000;
            return 0;
        }
    }
    return -EINVAL;
}

static void check_age(const struct reader *rd, const struct ft_node *node, const char *what)
{
    const char *text = rd_constant(rd, node, what);
    uint64_t ms;

    if (text && ft_config_age(text, &ms) < 0)
        rd_error(rd, node->mark, NULL, "%s is an age as 90d, 26w or 2y, not '%s'", what, text);
}

void ft_config_check_record(const struct reader *rd, const struct ft_node *root)
{
    static const struct rd_key retention_keys[] = { { "personal" }, { "runs" }, { "fields" }, { NULL } }, seal_keys[] = { { "key", true }, { NULL } };
    const struct ft_node *retention = ft_node_get(root, "retention"), *seal = ft_node_get(root, "seal"), *fields = ft_node_get(retention, "fields");

    if (retention && rd_keys(rd, retention, "`retention`", retention_keys)) {
        check_age(rd, ft_node_get(retention, "personal"), "`personal`");
        check_age(rd, ft_node_get(retention, "runs"), "`runs`");
        if (fields && rd_list(rd, fields, "`fields`"))
            for (const struct ft_node *field = fields->first; field; field = field->next)
                rd_constant(rd, field, "a field's name");
    }
    if (seal && rd_keys(rd, seal, "`seal`", seal_keys))
        rd_constant(rd, ft_node_get(seal, "key"), "`key`");
}

uint64_t ft_config_retention(const struct ft_config *config, const char *what)
{
    uint64_t ms = 0;

    return ft_config_age(ft_json_str(json_object_get(ft_config_json(config), "retention"), what), &ms) == 0 ? ms : 0;
}

char *ft_config_seal_key(const struct ft_config *config)
{
    const char *key = ft_json_str(json_object_get(ft_config_json(config), "seal"), "key"), *slash = strrchr(ft_config_path(config), '/');

    if (!key || *key == '/' || !slash)
        return ft_strdup(key);
    return ft_asprintf("%.*s%s", (int)(slash + 1 - ft_config_path(config)), ft_config_path(config), key);
}
