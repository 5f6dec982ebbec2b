#ifndef SLUICE_REDIS_INFO_H
#define SLUICE_REDIS_INFO_H

#include <stddef.h>

#include "common/slice.h"

/* The value of a line `field:value` of INFO, as much as has room; "" if there is none. */
void info_field(struct slice info, const char *field, char *out, size_t size);

#endif
