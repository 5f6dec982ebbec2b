#ifndef SLUICE_TAP_TAP_H
#define SLUICE_TAP_TAP_H

#include "gateway/options.h"
#include "gateway/redis/redis.h"

/*
 * The tap: what happened in this deployment, in a stream of each partition. The scripts that
 * decide append to it (lua/tap.lua), so there is nothing to do here but to keep the streams
 * within their bounds.
 */

/* Trims the streams of all partitions that are up. To be called once a second or so. */
void tap_trim(struct redis *r, const struct options *o);

#endif
