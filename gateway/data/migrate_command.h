#ifndef SLUICE_DATA_MIGRATE_COMMAND_H
#define SLUICE_DATA_MIGRATE_COMMAND_H

/*
 * `sluice migrate --from URL --to URL [options]`: moves the data of a deployment, for example
 * to a Cluster (migrate.h).
 */

/* Returns the process's exit status: as migrate_run, or 2 if the arguments are wrong. */
int migrate_command_run(int argc, char **argv);

#endif
