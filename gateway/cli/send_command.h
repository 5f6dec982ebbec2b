#ifndef SLUICE_CLI_SEND_COMMAND_H
#define SLUICE_CLI_SEND_COMMAND_H

/*
 * `sluice send CHANNEL TEXT`: publishes an event by the API, and prints where it stands in the
 * log. Returns the process's exit status: 0, 1 if it was refused or no node was reached, 2 if
 * the arguments are wrong.
 */
int send_command_run(int argc, char **argv);

#endif
