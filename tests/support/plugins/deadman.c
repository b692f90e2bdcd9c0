/* deadman.c: a device that takes a change back by itself unless it is confirmed, for tests of the engine. Its configuration names a folder:
 *   deadman.json   value, and while a change pends: was, until (wall clock, ms); "log": what happened to it, in order: set, confirm, undo, lapse.
 *                  One file, replaced at once: a process that is killed leaves a device that did a thing or did not
 *   trouble.json   what goes wrong: {"<entry>": ["<class>", …]}, entries get, set, confirm, undo, probe: each call takes the first and obeys: "ok", an error
 *                  class, "ambiguous_done" (it happens, the answer is lost), "ambiguous_not" (it does not)
 * The value "lockout" locks everybody out: nothing new gets in while it is there. */
#include <string.h>
#include <unistd.h>
#include <fettle/kit.h>

static const struct ft_host *host;
static char folder[4000];

static int deadman_open(const struct ft_host *h, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)reterr;
    host = h;
    *ret_instance = NULL;
    snprintf(folder, sizeof(folder), "%s", ft_str(config, "dir"));
    return 0;
}

static json_t *load(const char *name)
{
    char path[4200];
    json_t *value;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    value = json_load_file(path, 0, NULL);
    return value ? value : json_object();
}

static void save(const char *name, json_t *value)
{
    char path[4200], tmp[4210];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    snprintf(tmp, sizeof(tmp), "%s.new", path);
    json_dump_file(value, tmp, JSON_SORT_KEYS);
    rename(tmp, path);
    json_decref(value);
}

static void note(json_t *device, const char *what)
{
    if (!ft_get(device, "log"))
        json_object_set_new(device, "log", json_array());
    json_array_append_new(json_object_get(device, "log"), json_string(what));
}

static void back(json_t *device)
{
    json_object_set(device, "value", json_object_get(device, "was"));
    json_object_del(device, "was");
    json_object_del(device, "until");
}

/* The device as it is now. */
static json_t *device_now(struct ft_call *call)
{
    json_t *device = load("deadman.json");

    if (!ft_get(device, "value"))
        json_object_set_new(device, "value", json_string("old"));
    if (ft_get(device, "until") && host->wall_ms(call) >= (uint64_t)ft_int(device, "until")) {
        back(device);
        note(device, "lapse");
        save("deadman.json", json_incref(device));
    }
    return device;
}

static const char *take_trouble(struct ft_call *call, const char *entry)
{
    json_t *all = load("trouble.json"), *list = json_object_get(all, entry);
    const char *mode = "ok";

    if (json_array_size(list)) {
        mode = host->printf(call, "%s", json_string_value(json_array_get(list, 0)));
        json_array_remove(list, 0);
        save("trouble.json", json_incref(all));
    }
    json_decref(all);
    return mode;
}

/* True: the call has failed. */
static bool fails(struct ft_call *call, const char *mode, const json_t *device)
{
    enum ft_class class = FT_CLASS_NONE;

    for (int c = FT_UNREACHABLE; c <= FT_CANCELLED; c++)
        if (ft_same(ft_class_name(c), mode))
            class = (enum ft_class)c;
    if (ft_same(mode, "ambiguous_not"))
        class = FT_AMBIGUOUS;
    if (!class && ft_same(ft_str(device, "value"), "lockout"))
        class = FT_UNREACHABLE;
    if (class)
        host->fail(call, class, class == FT_UNREACHABLE ? "it lets nobody in" : "the device said %s", mode);
    return class;
}

static void end(struct ft_call *call, const char *mode, json_t *device, json_t *result)
{
    save("deadman.json", device);
    if (ft_same(mode, "ambiguous_done")) {
        json_decref(result);
        host->fail(call, FT_AMBIGUOUS, "the answer was lost");
    } else {
        host->done(call, result);
    }
}

static int get_start(struct ft_call *call, struct ft_err *reterr)
{
    json_t *device = device_now(call);

    (void)reterr;
    if (!fails(call, take_trouble(call, "get"), device))
        host->done(call, json_pack("{s:O, s:b}", "value", json_object_get(device, "value"), "pending", ft_get(device, "until") != NULL));
    json_decref(device);
    return 0;
}

static bool has_net(struct ft_call *call)
{
    return ft_int(host->params(call), "within_s") > 0;
}

static int set_plan(struct ft_call *call, struct ft_err *reterr)
{
    json_t *device = device_now(call), *plan;

    (void)reterr;
    if (!fails(call, take_trouble(call, "plan"), device)) {
        plan = json_pack("{s:s, s:[], s:O, s:{s:O}}", "summary", "set it", "requests", "before", json_object_get(device, "value"), "receipt", "was",
                         json_object_get(device, ft_get(device, "was") ? "was" : "value"));
        if (has_net(call))
            json_object_set_new(plan, "reverts", json_pack("{s:I}", "after_s", (json_int_t)ft_int(host->params(call), "within_s")));
        host->done(call, plan);
    }
    json_decref(device);
    return 0;
}

static int set_run(struct ft_call *call, struct ft_err *reterr)
{
    const char *mode = take_trouble(call, "set");
    json_t *device = device_now(call);
    uint64_t ms = (uint64_t)ft_int(host->params(call), "within_s") * 1000;

    (void)reterr;
    if (fails(call, mode, device)) {
        json_decref(device);
        return 0;
    }
    if (ms && host->pending(call, ms)) {
        json_object_set(device, "was", json_object_get(device, "value"));
        json_object_set_new(device, "until", json_integer((json_int_t)(host->wall_ms(call) + ms)));
    }
    json_object_set(device, "value", json_object_get(host->params(call), "value"));
    note(device, "set");
    end(call, mode, device, json_pack("{s:b}", "ok", 1));
    return 0;
}

static int set_confirm(struct ft_call *call, struct ft_err *reterr)
{
    const char *mode = take_trouble(call, "confirm");
    json_t *device = device_now(call);

    (void)reterr;
    if (fails(call, mode, device)) {
        json_decref(device);
        return 0;
    }
    if (!json_equal(json_object_get(device, "value"), json_object_get(host->params(call), "value"))) {
        json_decref(device);
        host->fail(call, FT_CONFLICT, "nothing waits for its confirmation");
        return 0;
    }
    if (ft_get(device, "until")) {
        json_object_del(device, "until");
        json_object_del(device, "was");
        note(device, "confirm");
    }
    end(call, mode, device, json_pack("{s:b, s:b}", "ok", 1, "confirmed", 1));
    return 0;
}

static int set_undo(struct ft_call *call, struct ft_err *reterr)
{
    const char *mode = take_trouble(call, "undo");
    json_t *device = device_now(call);

    (void)reterr;
    if (fails(call, mode, device)) {
        json_decref(device);
        return 0;
    }
    if (ft_get(device, "until"))
        back(device);
    else
        json_object_set(device, "value", json_object_get(host->receipt(call), "was"));
    note(device, "undo");
    end(call, mode, device, json_object());
    return 0;
}

static int set_probe(struct ft_call *call, struct ft_err *reterr)
{
    json_t *device = device_now(call);

    (void)reterr;
    if (!fails(call, take_trouble(call, "probe"), device))
        host->done(call, json_pack("{s:b, s:b}", "happened", json_equal(json_object_get(device, "value"), json_object_get(host->params(call), "value")), "pending",
                                   ft_get(device, "until") != NULL));
    json_decref(device);
    return 0;
}

static const char get_params[] = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{}}";
static const char get_result[] = "{\"type\":\"object\",\"properties\":{\"value\":{},\"pending\":{\"type\":\"boolean\"}}}";
static const char set_params[] = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"value\"],\"properties\":{\"value\":{\"type\":\"string\"},"
                                 "\"within_s\":{\"type\":\"integer\",\"default\":300}}}";
static const char set_result[] = "{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"},\"confirmed\":{\"type\":\"boolean\"}}}";
static const char config[] = "{\"type\":\"object\",\"required\":[\"dir\"],\"properties\":{\"dir\":{\"type\":\"string\"}}}";

static const struct ft_action get = {
    .size = sizeof(get), .name = "get", .summary = "what is there", .effects = FT_EFFECT_READ, .params_schema = get_params, .result_schema = get_result,
    .run = { .start = get_start },
};
static const struct ft_action set = {
    .size = sizeof(set), .name = "set", .summary = "a change that waits for its confirmation", .effects = FT_EFFECT_DISRUPTIVE, .params_schema = set_params,
    .result_schema = set_result, .run = { .start = set_run }, .plan = { .start = set_plan }, .undo = { .start = set_undo }, .probe = { .start = set_probe },
    .confirm = { .start = set_confirm },
};
static const struct ft_action blind = {
    .size = sizeof(blind), .name = "blind", .summary = "the same, and nobody can tell what became of it", .effects = FT_EFFECT_DISRUPTIVE, .params_schema = set_params,
    .result_schema = set_result, .run = { .start = set_run }, .plan = { .start = set_plan }, .confirm = { .start = set_confirm },
};
/* As built against an interface that knew no confirmation. */
static const struct ft_action former = {
    .size = offsetof(struct ft_action, confirm), .name = "former", .summary = "the same, described by an older interface", .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = set_params, .result_schema = set_result, .run = { .start = set_run }, .undo = { .start = set_undo }, .confirm = { .start = set_confirm },
};

static const struct ft_action *const actions[] = { &get, &set, &blind, &former, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "deadman", .version = "1.0", .summary = "a device with a timer, for tests", .capabilities = "", .config_schema = config,
    .open = deadman_open, .actions = actions,
};
