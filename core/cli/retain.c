/* retain.c: what the configuration says of the record: how long it is kept, which key seals it. */
#include <string.h>
#include "cli/app.h"
#include "data/json.h"
#include "store/retain.h"

int app_retain(struct app *app, struct ft_retained *ret_personal, struct ft_retained *ret_runs, struct ft_err *reterr)
{
    uint64_t now = ft_clock_wall_ms(ft_loop_clock(app->loop));
    uint64_t personal = ft_config_retention(app->config, "personal"), runs = ft_config_retention(app->config, "runs");
    struct ft_retain what = { .who = "retention", .why = "older than the configuration's retention" };
    int r = 0;

    memset(ret_personal, 0, sizeof(*ret_personal));
    memset(ret_runs, 0, sizeof(*ret_runs));
    if (runs && runs < now) {
        what.before_ms = now - runs;
        what.whole = true;
        r = ft_store_retain(app->store, &what, ret_runs, reterr);
    }
    if (r == 0 && personal && personal < now) {
        what.before_ms = now - personal;
        what.whole = false;
        r = ft_store_retain(app->store, &what, ret_personal, reterr);
    }
    return r;
}

/* Once a day, by those who run something; it holds nobody up where it cannot be done. */
void app_retain_daily(struct app *app)
{
    struct ft_retained personal, runs;
    struct ft_err err = { 0 };

    if (!ft_config_retention(app->config, "personal") && !ft_config_retention(app->config, "runs"))
        return;
    if (!ft_store_due(app->store, "retention", 86400000))
        return;
    if (app_retain(app, &personal, &runs, &err) < 0)
        app_fail(0, "what is older than `retention:` says is still there: %s", err.text);
}

void app_set_up_store(struct app *app)
{
    char *key = ft_config_seal_key(app->config);

    if (key)
        ft_store_set_key(app->store, key);
    free(key);
    ft_store_set_personal(app->store, json_object_get(json_object_get(ft_config_json(app->config), "retention"), "fields"));
}
