#ifndef SLUICE_GATEWAY_COMMANDS_H
#define SLUICE_GATEWAY_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Every command is one row, in the order of the alphabet: its name, its arguments, what it does
 * in a line, more about that, its own arguments, what to say after them, and its exit codes.
 * `sluice --help`, `sluice COMMAND --help` and the man page are made of these rows and of
 * OPTIONS_TABLE. Texts are broken into lines when they are printed; \n begins a paragraph.
 *   gateway/main.c runs X(name, …) by name_command_run(argc, argv), which returns the exit code
 * of the process, unless the command line asks for help.
 */
#define COMMANDS_TABLE(X)                                                                      \
    X(key, "NAME... [--json] [options]", "print where the keys of channels are",               \
      "Prints where the keys of channels are, for redis-cli: what their names begin with "     \
      "(:log, :meta and others follow), and the master that has them. For a Cluster also the " \
      "partition and the slot.",                                                               \
      EACH({"NAME", "room:<name>, user:<id>, dm:<id>:<id>, topic:<name> or all"},              \
           {"--json", "a line of JSON a name: name, key, and what is known of partition, "     \
                      "slot and master"}),                                                     \
      "Further options are those of a node: --redis-url, --prefix, --redis-partitions and "    \
      "others, or the environment, or --config FILE (see sluice --help).",                     \
      EACH({"0", "all was printed"},                                                           \
           {"1", "the master is not known; the keys were printed all the same"},               \
           {"2", "the arguments are wrong"}))                                                  \
    X(migrate, "--from URL --to URL [options]", "move a deployment's data to another Redis",   \
      "Moves the data of a deployment to another Redis or to a Cluster, while all nodes are "  \
      "stopped. The source stays as it is. If it is ended or fails, run it again: it goes "    \
      "on.",                                                                                   \
      EACH({"--from URL", "the Redis of now, as redis-url has it"},                            \
           {"--to URL", "the one to move to"},                                                 \
           {"--from-prefix TEXT", "the prefix there [that of --prefix]"},                      \
           {"--to-prefix TEXT", "the prefix here [that of --prefix]"},                         \
           {"--dry-run", "only count what is in the source"}),                                 \
      "URLs with a password are best given by SLUICE_MIGRATE_FROM and SLUICE_MIGRATE_TO.\n"    \
      "Further options are those of a node: --redis-partitions (of the Cluster), "             \
      "--lease-timeout, --redis-timeout, --redis-ca and others, or the environment, or "       \
      "--config FILE (see sluice --help).",                                                    \
      EACH({"0", "all was moved, or counted"}, {"1", "it failed, and can be run again"},       \
           {"2", "the arguments are wrong"}))                                                  \
    X(token, "--user ID [--ttl TIME] [--claims JSON] [--json] [options]",                      \
      "print a token that nodes accept",                                                       \
      "Prints a token that nodes with the same options accept. For trying out and for tests: " \
      "an issuer of tokens has its own means.",                                                \
      EACH({"--user ID", "the user, which the token has as its sub"},                          \
           {"--ttl TIME", "how long it is good, with s, m, h or d [1h]"},                      \
           {"--claims JSON",                                                                   \
            "an object with more claims: username, role, sluice (the rights), others; iss "    \
            "and aud, if not given, are those of jwt-issuer and jwt-audience"},                \
           {"--json", "a line of JSON: token, and the claims in it"}),                         \
      "The secret is that of the options of a node: SLUICE_JWT_SECRET, or --jwt-secret-file "  \
      "FILE, or --config FILE (see sluice --help).",                                           \
      EACH({"0", "the token was printed"}, {"1", "a node would refuse such a token"},          \
           {"2", "the arguments are wrong, or there is no secret"}))

/* Print the page of a command, or that of the node if `name` is no command; and the man page,
 * sluice(1). They return whether all could be written. */
bool commands_help(FILE *out, const char *name);
bool commands_man(FILE *out);

#endif
