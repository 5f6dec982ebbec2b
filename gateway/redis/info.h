#ifndef SLUICE_REDIS_INFO_H
#define SLUICE_REDIS_INFO_H

#include <stddef.h>

#include "common/slice.h"

/* Copies the value of the line `field:value` of INFO, cut off at the size of `out`; "" if there
 * is no such line. */
void info_field(struct slice info, const char *field, char *out, size_t size);

#endif
