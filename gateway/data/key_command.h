#ifndef SLUICE_DATA_KEY_COMMAND_H
#define SLUICE_DATA_KEY_COMMAND_H

/*
 * `sluice key NAME... [--json] [options]`: where the keys of a channel are, for a look at them
 * with redis-cli.
 */

/* Returns the process's exit status: 0; 1, with the reason on standard error, if the master
 * cannot be told (the keys are printed all the same); or 2, if the arguments are wrong. */
int key_command_run(int argc, char **argv);

#endif
