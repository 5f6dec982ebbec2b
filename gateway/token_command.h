#ifndef SLUICE_GATEWAY_TOKEN_COMMAND_H
#define SLUICE_GATEWAY_TOKEN_COMMAND_H

#include <stdbool.h>

/*
 * `sluice token --user ID [--ttl TIME] [--claims JSON] [options]`: prints a token that nodes
 * with the same options accept, signed by jwt-secret or jwt-secret-file. For trying out and for
 * tests: an issuer of tokens has its own means.
 */

/* Do these arguments ask for it? */
bool token_command_asked(int argc, char **argv);
/* Returns the process's exit status: 0, with the token and a newline on standard output; or 1,
 * with the reason on standard error. */
int token_command_run(int argc, char **argv);

#endif
