/* nop.c: a plugin whose write does nothing and answers at once: what is left is the engine and its journal. */
#include <fettle/plugin.h>

static const struct ft_host *host;

static int nop_open(const struct ft_host *h, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)config; (void)reterr;
    host = h;
    *ret_instance = NULL;
    return 0;
}

static int write_start(struct ft_call *call, struct ft_err *reterr)
{
    (void)reterr;
    host->done(call, json_pack("{s:b}", "ok", 1));
    return 0;
}

/* Sent, and never answered: whoever kills the process kills it in the middle of this. */
static int hang_start(struct ft_call *call, struct ft_err *reterr)
{
    (void)call; (void)reterr;
    return 0;
}

static const char params[] = "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}";
static const char result[] = "{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"}}}";

static const struct ft_action nop_write = {
    .size = sizeof(nop_write), .name = "write", .summary = "write nothing", .effects = FT_EFFECT_WRITE,
    .params_schema = params, .result_schema = result, .run = { .start = write_start },
};
static const struct ft_action nop_hang = {
    .size = sizeof(nop_hang), .name = "hang", .summary = "write something that is never answered", .effects = FT_EFFECT_WRITE,
    .params_schema = params, .result_schema = result, .run = { .start = hang_start },
};
static const struct ft_action *const actions[] = { &nop_write, &nop_hang, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "nop", .version = "1.0", .summary = "writes nothing, for benchmarks", .capabilities = "",
    .config_schema = "{\"type\":\"object\"}", .open = nop_open,
    .actions = actions,
};
