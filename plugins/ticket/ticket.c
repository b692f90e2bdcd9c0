/* ticket.c: tickets of ServiceNow, Jira and Request Tracker: the plugin as fettle sees it. ticket.h is the map. */
#include "schemas.h"

const struct ft_host *host;

#define SYSTEM_PROPERTIES \
    FT_JSON("system": {"enum": ["servicenow", "jira", "rt"], "default": "servicenow", "description": "which ticket system it is"}, \
    "url": {"type": "string", "pattern": "^https?://", "description": "its address: https://corp.service-now.com, https://corp.atlassian.net, https://rt.corp.example"}, \
    "user": {"type": "string", "description": "user of HTTP Basic; of a Jira Cloud token: its owner's mail address"}, \
    "password": {"type": "string", "x-secret": true, "description": "password of HTTP Basic"}, \
    "token": {"type": "string", "x-secret": true, "description": "ServiceNow: OAuth access token; Jira Cloud: API token, with user; Jira Data Center: personal access token; RT: auth token"}, \
    "ca_file": {"type": "string", "description": "PEM file of the authority that signed the server's certificate"}, \
    "states": {"type": "object", "additionalProperties": {"type": ["integer", "string"]}, "description": "the system's own states where they are not the usual ones: {on_hold: 5}, {resolved: Done}"}, \
    "severities": {"type": "object", "description": "P1 to P4: ServiceNow {impact: 1, urgency: 2}, Jira the priority's name (empty: none is set), RT the priority's number", \
        "additionalProperties": {"type": ["object", "string", "integer"], "properties": {"impact": {"type": "integer", "minimum": 1, "maximum": 3, "description": "1 high to 3 low"}, \
        "urgency": {"type": "integer", "minimum": 1, "maximum": 3, "description": "1 high to 3 low"}}}}, \
    "close_code": {"type": "string", "description": "resolution: ServiceNow Solution provided (older: Solved (Permanently)), Jira Done"}, \
    "caller": {"type": "string", "description": "who reports new tickets: ServiceNow user name or sys_id, RT the requestor's mail address"}, \
    "field_names": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Jira, RT: fields for ci, caller, category, assignment_group: {ci: customfield_10050}"}, \
    "table": {"type": "string", "pattern": "^[a-z0-9_]+$", "description": "ServiceNow: the table of incidents; incident when left out"}, \
    "change_table": {"type": "string", "pattern": "^[a-z0-9_]+$", "description": "ServiceNow: the table of changes; change_request when left out"}, \
    "change_states": {"type": "object", "additionalProperties": {"type": ["integer", "string"]}, "description": "ServiceNow: other values of a change's states"}, \
    "assignment_group": {"type": "string", "description": "ServiceNow: group that gets new tickets: its sys_id"}, \
    "category": {"type": "string", "description": "ServiceNow: category of new incidents"}, \
    "edition": {"enum": ["cloud", "datacenter"], "description": "Jira: which it is; cloud when the address ends with atlassian.net"}, \
    "project": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]{1,30}$", "description": "Jira: key of the project of new issues"}, \
    "issue_type": {"type": "string", "description": "Jira: type of new issues; Task when left out"}, \
    "labels": {"type": "array", "items": {"type": "string", "pattern": "^[^ ]+$"}, "description": "Jira: further labels of new issues"}, \
    "link_types": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Jira: link types for parent, problem, change, related; Relates when left out"}, \
    "queue": {"type": "string", "description": "RT: queue of new tickets; General when left out"}, \
    "correlation_field": {"type": "string", "description": "RT: custom field that takes the correlation id; when left out it is a link to fettle:<id>"})

static const char config_schema[] = "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {" SYSTEM_PROPERTIES ", "
    "\"default\": {\"type\": \"string\", \"description\": \"name of the system that steps mean when they name none\"}, "
    "\"systems\": {\"type\": \"object\", \"description\": \"several systems, by the names that steps call them\", \"additionalProperties\": "
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"system\", \"url\"], \"properties\": {" SYSTEM_PROPERTIES "}}}}}";

static int ticket_load(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)config;
    (void)ret_instance;
    (void)reterr;
    host = the_host;
    return 0;
}

static const struct ft_action *const actions[] = {
    &ticket_find, &ticket_get, &ticket_open, &ticket_update, &ticket_attach, &ticket_resolve, &ticket_close, &ticket_reopen, &ticket_link,
    &ticket_change_open, &ticket_change_status, &ticket_change_update, &ticket_change_close, NULL,
};

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "ticket", .version = FETTLE_VERSION, .summary = "tickets of ServiceNow, Jira and Request Tracker",
    .capabilities = "http file", .config_schema = config_schema, .open = ticket_load, .actions = actions,
};
