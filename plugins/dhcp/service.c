/* service.c: dhcp-disable and dhcp-enable. No command of Kea tells afterwards which of the two it is; dhcp.offers from a client's wire does. */
#include "service.h"

#include "subnets.h"

#define INSTEAD "it has no command for that; disable the range, or the service of the member, in its own interface"

static void said(struct ft_call *call, const struct kea_reply *reply)
{
    if (kea_accept(call, reply))
        dhcp_done(call, json_pack("{s:s}", "text", reply->text));
}

static json_t *disable_arguments(struct ft_call *call)
{
    return json_pack("{s:O}", "max-period", ft_get(host->params(call), "max_period_s"));
}

static int disable_run(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0)
        kea_change(call, "dhcp-disable", disable_arguments(call), said);
    return r;
}

static int disable_plan(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_PLAN, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0)
        dhcp_done(call, json_pack("{s:o, s:[o]}", "summary", json_sprintf("the server does not answer clients for %" JSON_INTEGER_FORMAT " s",
                                  ft_int(host->params(call), "max_period_s")), "requests", kea_render(call, "dhcp-disable", disable_arguments(call))));
    return r;
}

static int enable_run(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0)
        kea_change(call, "dhcp-enable", NULL, said);
    return r;
}

static int enable_plan(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_PLAN, reterr);

    if (r == 0)
        r = kea_only(call, INSTEAD, reterr);
    if (r == 0)
        dhcp_done(call, json_pack("{s:s, s:[o], s:i}", "summary", "the server answers clients again", "requests",
                                  kea_render(call, "dhcp-enable", NULL), "users", 0));
    return r;
}

static const char disable_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"max_period_s\"], \"properties\": {"
    FT_JSON("max_period_s": {"type": "integer", "minimum": 1, "maximum": 86400, "description": "seconds after which the server answers again by itself"})
    ", " SERVER_PARAM "}}";
static const char enable_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {" SERVER_PARAM "}}";
static const char said_result[] = FT_JSON({"type": "object", "properties": {"text": {"type": "string", "description": "what the server said"}}});

const struct ft_action dhcp_disable = {
    .size = sizeof(dhcp_disable), .name = "disable", .summary = "the server stops answering clients for a while",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT, .params_schema = disable_params, .result_schema = said_result, .state_size = sizeof(struct dhcp),
    .run = { disable_run, dhcp_cancel }, .plan = { disable_plan, dhcp_cancel }, .undo = { enable_run, dhcp_cancel },
    .about = "For work on the server, or to see whether another one answers. New clients get no address from it, and leases that end meanwhile are not renewed; "
             "after max_period_s it answers again, whatever becomes of this run. Undo makes it answer at once.",
    .example = "run: dhcp.disable\nwith: {max_period_s: 60}\nundo: auto\n",
};

const struct ft_action dhcp_enable = {
    .size = sizeof(dhcp_enable), .name = "enable", .summary = "the server answers clients again",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, .params_schema = enable_params, .result_schema = said_result, .state_size = sizeof(struct dhcp),
    .run = { enable_run, dhcp_cancel }, .plan = { enable_plan, dhcp_cancel },
    .about = "Ends what dhcp.disable began. A server that answers already is not disturbed.",
    .example = "run: dhcp.enable\nundo: none\n",
};
