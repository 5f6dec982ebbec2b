#ifndef SLUICE_DATA_MIGRATE_COMMAND_H
#define SLUICE_DATA_MIGRATE_COMMAND_H

#include <stdbool.h>

/*
 * `sluice migrate --from URL --to URL [options]`: moves the data of a deployment, for example
 * to a Cluster (migrate.h).
 */

/* Do these arguments ask for it? */
bool migrate_command_asked(int argc, char **argv);
/* Returns the process's exit status: as migrate_run, or 2 if the arguments are wrong. */
int migrate_command_run(int argc, char **argv);

#endif
