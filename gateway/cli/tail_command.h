#ifndef SLUICE_CLI_TAIL_COMMAND_H
#define SLUICE_CLI_TAIL_COMMAND_H

/*
 * `sluice tail CHANNEL [--from SEQ]`: prints the messages of a channel's log by the API, and
 * those that come, until it is told to end. Returns the process's exit status: 0, 1 if it was
 * refused or no node was reached, 2 if the arguments are wrong.
 */
int tail_command_run(int argc, char **argv);

#endif
