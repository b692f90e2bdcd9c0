/* mist_sle.h: what the two files about service levels share. */
#pragma once
#include "mist.h"

struct sle {
    const char *scope, *scope_id, *metric;
    mist_next *then;
};

/* Parameters scope, site, device, mac and metric: finds them all, and which of its names the site gives the metric. */
void mist_sle_begin(struct ft_call *call, mist_next *then);
const char *mist_sle_path(struct ft_call *call);            /* /sites/…/metric/{metric} */
const char *mist_sle_metric(struct ft_call *call);
double mist_sle_sum(const json_t *list);

#define MIST_SLE_PARAMS MIST_SITE "," MIST_DEVICE "," MIST_CLIENT "," MIST_WINDOW("1d") "," \
    JSON("metric": {"type": "string", "minLength": 1, \
                    "description": "coverage, capacity, time-to-connect, successful-connect (also failed-to-connect), roaming, throughput, ap-availability …"}, \
         "scope": {"type": "string", "enum": ["site", "ap", "switch", "gateway", "client"], \
                   "description": "whose service level; told by device and mac when left out"})

