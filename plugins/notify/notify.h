/* notify.h: what the plugin's parts share. A part is one way of telling: webhook.c, slack.c, teams.c, pagerduty.c, mail.c, syslog.c, alertmanager.c; p1.c
 * makes texts. */
#pragma once
#include <fettle/kit.h>

#define NOTIFY_MAX_HEADERS 18

extern const struct ft_host *host;

/* A request that carries JSON: the state of most actions. */
struct post {
    struct ft_http_header headers[NOTIFY_MAX_HEADERS + 1];
    json_t *body;                                   /* owned until the request is made or shown */
    char *raw;                                      /* malloced: the body as bytes, where they are signed */
    struct ft_http_req req;
    const char *summary;
    json_t *receipt;                                /* of the plan; taken over by it */
    const char *kept[2];                            /* what a part remembers from answer to end */
};
typedef int post_build_fn(struct ft_call *call, struct post *post, struct ft_err *reterr);

/* ---- notify.c ---- */
int post_run(struct ft_call *call, post_build_fn *build, ft_http_cb *answered, struct ft_err *reterr);
int post_plan(struct ft_call *call, post_build_fn *build, struct ft_err *reterr);
/* Takes url, headers, secret_headers, ca_file of a webhook of the configuration. */
int post_to_webhook(struct ft_call *call, struct post *post, const char *name, struct ft_err *reterr);
/* Ends the call with the error of an answer and the first bytes of what it said. */
void post_fail(struct ft_call *call, const struct ft_http_res *res);
const char *notify_param(struct ft_call *call, const char *key);
const char *notify_base(struct ft_call *call, const char *url);     /* without a slash at its end */
const char *notify_stamp(struct ft_call *call, uint64_t wall_ms);   /* RFC 3339 with milliseconds, UTC */
uint64_t notify_hash(const char *const *texts, size_t n);

extern const struct ft_action notify_webhook, notify_slack, notify_teams, notify_pagerduty_trigger, notify_pagerduty_acknowledge, notify_pagerduty_resolve;
extern const struct ft_action notify_mail, notify_syslog, notify_alertmanager_alert, notify_alertmanager_alerts, notify_silence, notify_silence_expire;
extern const struct ft_action notify_p1_initial, notify_p1_update, notify_p1_resolved;

#define NOTIFY_OBJECT(required, properties) "{\"type\": \"object\", \"additionalProperties\": false" required ", \"properties\": {" properties "}}"
