/* mist_backup.h: what keeping and restoring configurations share. */
#pragma once
#include <errno.h>
#include <stdlib.h>
#include "mist.h"

#define MIST_BACKUP_FORMAT "fettle-mist-config"
#define MIST_BACKUP_MAX (16u << 20)
