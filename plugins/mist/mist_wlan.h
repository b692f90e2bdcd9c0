/* mist_wlan.h: finding one WLAN of a site; what mist_config.c and mist_wlan.c share. */
#pragma once
#include "mist.h"

#define MIST_WLAN_PARAM JSON("wlan": {"type": "string", "minLength": 1, "description": "network name or id of the WLAN"})

/* Parameters `site` and `wlan`: one that is the site's own, or the call fails. In a plan its clients are counted into write.users. `own` is left alone. */
void mist_find_wlan(struct ft_call *call, mist_then *found);
const char *mist_wlan_path(struct ft_call *call, const json_t *wlan);
const char *mist_wlan_label(struct ft_call *call, const json_t *wlan);
