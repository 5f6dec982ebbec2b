#ifndef SLUICE_CLI_TOP_COMMAND_H
#define SLUICE_CLI_TOP_COMMAND_H

/*
 * `sluice top [--once]`: shows the nodes and what they do, once a second, until it is told to
 * end. Returns the process's exit status: 0, 1 if it was refused or no node was reached, 2 if
 * the arguments are wrong.
 */
int top_command_run(int argc, char **argv);

#endif
