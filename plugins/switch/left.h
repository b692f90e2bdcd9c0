/* left.h: plans of several changes of one run on the same port: each is rendered on what the ones before it will leave there.
 *
 * Junos: by part of the configuration ("sw-3/interfaces ge-0/0/7", "sw-3/vlans"), the lines that will have been loaded there, in their order; they are
 * worked into what the switch shows now. Elsewhere by port ("sw-3/Gi1/0/7"), the facts that will have changed. */
#pragma once
#include "session.h"

/* In a plan. `part`: "interfaces ge-0/0/7". The configuration as it will be; NULL: that cannot be told, and the call has failed. */
const char *left_config(struct ft_call *call, const char *part, const char *config);
/* The facts of the port as they will be; `was` and `is`: its configuration before and behind left_config (Junos). */
void left_facts(struct ft_call *call, json_t *facts, const char *was, const char *is);

/* Junos: the line among these that setting this one takes the place of, as far as that is known here; NULL: none. */
const char *left_replaced(const json_t *lines, const char *line);

/* What the plan's change leaves behind, into the plan. */
void left_by_port(struct ft_call *call, json_t *plan);
void left_by_lines(struct ft_call *call, json_t *plan, const json_t *lines);
void left_by_configuration(struct ft_call *call, json_t *plan);      /* any of the device may be another one then */
