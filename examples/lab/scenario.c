/* scenario.c: a scenario file.
 *
 *   title: What is wrong here        for people
 *   speed: 20                        lab time against the clock; 0: only /lab/time moves it
 *   since: 10m                       how long before the start the faults began, in lab time
 *   faults: [dns_broken, {dhcp_pool_exhausted: {vlan: 110}}]
 *   rate_limit: 5000                 Mist API calls an hour
 *   bounce_cuts_poe: true            whether bounce_port also cuts power
 *   switches: {sw-2: ios, sw-3: eos} whose command line a switch has; junos when left out
 */
#include "data/yaml.h"
#include "lab.h"

static const char *const keys[] = { "title", "speed", "since", "faults", "rate_limit", "bounce_cuts_poe", "switches", NULL };

static void check_keys(const char *path, const struct ft_node *root, struct ft_diags *diags)
{
    for (const struct ft_node *n = root->first; n; n = n->next) {
        const char *near = ft_suggest(n->key, keys);
        bool known = false;

        for (int i = 0; keys[i]; i++)
            known = known || strcmp(keys[i], n->key) == 0;
        if (!known)
            ft_diags_add(diags, path, n->key_mark, NULL, "a scenario has no '%s'%s%s%s", n->key, near ? " (did you mean '" : "", near ? near : "",
                         near ? "'?)" : "");
    }
}

static double number(const char *path, const struct ft_node *root, const char *key, double low, double high, double otherwise, struct ft_diags *diags)
{
    const struct ft_node *n = ft_node_get(root, key);
    double value;

    if (!n)
        return otherwise;
    value = n->kind == FT_NODE_INT || n->kind == FT_NODE_REAL ? atof(n->text) : NAN;
    if (!(value >= low && value <= high)) {
        ft_diags_add(diags, path, n->mark, NULL, "%s is a number from %g to %g", key, low, high);
        return otherwise;
    }
    return value;
}

static double duration(const char *path, const struct ft_node *root, const char *key, double otherwise, struct ft_diags *diags)
{
    const struct ft_node *n = ft_node_get(root, key);
    uint64_t ms;

    if (!n)
        return otherwise;
    if (ft_duration_parse(n->text ? n->text : "", &ms) < 0 || ms > 86400000) {
        ft_diags_add(diags, path, n->mark, NULL, "%s is a time of at most a day, such as 10m", key);
        return otherwise;
    }
    return (double)ms / 1000;
}

/* The fault's name is known; whether its parameters are is said when it is applied. */
static void check_fault(const char *path, const struct ft_node *n, struct ft_diags *diags)
{
    const struct ft_node *named = n->kind == FT_NODE_MAP && n->count == 1 ? n->first : NULL;
    const char *name = named ? named->key : n->kind == FT_NODE_STRING ? n->text : NULL, *near;

    if (!name) {
        ft_diags_add(diags, path, n->mark, NULL, "a fault is a name, or one name with parameters");
        return;
    }
    for (const char *const *known = lab_fault_names(); *known; known++)
        if (strcmp(*known, name) == 0)
            return;
    near = ft_suggest(name, lab_fault_names());
    ft_diags_add(diags, path, named ? named->key_mark : n->mark, NULL, "there is no fault '%s'%s%s%s", name, near ? " (did you mean '" : "",
                 near ? near : "", near ? "'?)" : "");
}

static void read_faults(const char *path, const struct ft_node *root, struct lab_scenario *ret, struct ft_diags *diags)
{
    const struct ft_node *list = ft_node_get(root, "faults");

    ret->faults = json_array();
    if (!list || list->kind == FT_NODE_NULL)
        return;
    if (list->kind != FT_NODE_LIST) {
        ft_diags_add(diags, path, list->mark, NULL, "faults is a list");
        return;
    }
    for (const struct ft_node *n = list->first; n; n = n->next) {
        check_fault(path, n, diags);
        json_array_append_new(ret->faults, ft_node_json(n));
    }
}

static void read_vendors(const char *path, const struct ft_node *root, struct lab_scenario *ret, struct ft_diags *diags)
{
    const struct ft_node *map = ft_node_get(root, "switches");

    ret->vendors = json_object();
    if (map && map->kind != FT_NODE_MAP)
        ft_diags_add(diags, path, map->mark, NULL, "switches is a map of names and junos, ios or eos");
    for (const struct ft_node *n = map && map->kind == FT_NODE_MAP ? map->first : NULL; n; n = n->next) {
        if (!n->text || (strcmp(n->text, "junos") != 0 && strcmp(n->text, "ios") != 0 && strcmp(n->text, "eos") != 0))
            ft_diags_add(diags, path, n->mark, NULL, "the command line of %s is one of junos, ios, eos", n->key);
        else
            json_object_set_new(ret->vendors, n->key, json_string(n->text));
    }
}

int lab_scenario_load(const char *path, struct lab_scenario *ret)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_doc *doc = ft_doc_load(path, diags);
    const struct ft_node *root = doc ? ft_doc_root(doc) : NULL, *title, *poe;
    int r = 0;

    *ret = (struct lab_scenario){ .speed = 20, .since = 600, .rate_limit = 5000, .bounce_cuts_poe = true };
    if (root && root->kind == FT_NODE_MAP) {
        check_keys(path, root, diags);
        title = ft_node_get(root, "title");
        ret->title = ft_strdup(title && title->text ? title->text : "");
        ret->speed = number(path, root, "speed", 0, 10000, 20, diags);
        ret->rate_limit = (long)number(path, root, "rate_limit", 0, 1e9, 5000, diags);
        ret->since = duration(path, root, "since", 600, diags);
        poe = ft_node_get(root, "bounce_cuts_poe");
        if (poe && poe->kind != FT_NODE_BOOL)
            ft_diags_add(diags, path, poe->mark, NULL, "bounce_cuts_poe is true or false");
        ret->bounce_cuts_poe = !poe || strcmp(poe->text, "true") == 0;
        read_faults(path, root, ret, diags);
        read_vendors(path, root, ret, diags);
    } else if (root) {
        ft_diags_add(diags, path, root->mark, NULL, "a scenario is a map with faults:");
    }
    if (ft_diags_count(diags)) {
        ft_diags_print(diags, stderr, false);
        r = -EINVAL;
    }
    ft_doc_free(doc);
    ft_diags_free(diags);
    return r;
}

void lab_scenario_free(struct lab_scenario *scenario)
{
    free(scenario->title);
    json_decref(scenario->faults);
    json_decref(scenario->vendors);
}
