/* configure.h: the action that puts any configuration lines into force. */
#pragma once
#include "session.h"

extern const struct ft_action switch_configure;
