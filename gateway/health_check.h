#ifndef SLUICE_GATEWAY_HEALTH_CHECK_H
#define SLUICE_GATEWAY_HEALTH_CHECK_H

#include "gateway/options.h"

/*
 * --health-check, for the health check of a container: asks /healthz of the node that was
 * started with the same options. Returns the process's exit status: 0, or 1, with the reason on
 * standard error, if no healthy answer came within 2 s.
 */
int health_check_run(const struct options *options);

#endif
