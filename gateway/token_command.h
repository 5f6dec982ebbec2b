#ifndef SLUICE_GATEWAY_TOKEN_COMMAND_H
#define SLUICE_GATEWAY_TOKEN_COMMAND_H

/*
 * `sluice token --user ID [--ttl TIME] [--claims JSON] [--json] [options]`: prints a token that
 * nodes with the same options accept, signed by jwt-secret or jwt-secret-file. For trying out
 * and for tests: an issuer of tokens has its own means.
 */

/* Returns the process's exit status: 0, with the token and a newline on standard output; or,
 * with the reason on standard error, 1 if a node would refuse such a token, and 2 if the
 * arguments or the options are wrong. */
int token_command_run(int argc, char **argv);

#endif
