#ifndef SLUICE_GATEWAY_COMMANDS_H
#define SLUICE_GATEWAY_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

/* What commands that call the API have in common. */
#define COMMANDS_CALL(json)                                                                    \
    {"--url URL",                                                                              \
     "the node, or what stands before it: http://HOST:PORT, https://HOST or unix:/PATH "       \
     "[where a node with these options listens: internal-listen, or else listen]"},            \
        {"--ca FILE", "certificates to trust, in place of the system's"}, {                    \
        "--json", json                                                                         \
    }
#define COMMANDS_KEY(right)                                                                    \
    "The key is that of the options of a node: SLUICE_API_KEY, or --api-key-file FILE, or "    \
    "--config FILE (see sluice --help). One of api-keys needs the right to " right "."

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
    X(send, "CHANNEL TEXT [options]", "send a message to a channel",                           \
      "Sends a message to a channel by the API of a node, and prints where it stands in the "  \
      "channel's log: seq, time and epoch. TEXT is the data of the event, as a JSON text. A "  \
      "TEXT that begins with - goes after --.",                                                \
      EACH({"CHANNEL",                                                                         \
            "room:NAME, topic:NAME or user:ID; with --ephemeral also socket:ID and all"},      \
           {"--event NAME", "the event [message]"},                                            \
           {"--data JSON", "in place of TEXT, any JSON"},                                      \
           {"--id ID", "an Idempotency-Key of your choice: with the same one the message is "  \
                       "sent once, though this is run again"},                                 \
           {"--ephemeral", "no log keeps it, and who is away misses it"},                      \
           COMMANDS_CALL("the answer of the API, a line of JSON")),                            \
      COMMANDS_KEY("publish"),                                                                 \
      EACH({"0", "it was sent"}, {"1", "it was refused, or no node was reached"},              \
           {"2", "the arguments are wrong, or there is no key"}))                              \
    X(tail, "CHANNEL [--from SEQ] [options]", "print the messages of a channel as they come",  \
      "Prints the last 10 messages of a channel's log, and then each that comes, until it is " \
      "told to end (Ctrl-C) or nobody reads its output. A message is a line: time, seq, "      \
      "event, user (or -) and data. What has no log (ephemeral messages) is not "              \
      "printed.\nThe log is asked for news twice a second, and more often while there is "     \
      "some. Once there was an answer, it tries again when a node is not reached.",            \
      EACH({"CHANNEL", "room:NAME, topic:NAME, user:ID (an inbox) or dm:ID:ID, the two ids "   \
                       "in the order of their bytes"},                                         \
           {"--from SEQ", "from this message on [the last 10]"},                               \
           COMMANDS_CALL("a line of JSON a message, as the API has it")),                      \
      COMMANDS_KEY("read"),                                                                    \
      EACH({"0", "it was told to end"}, {"1", "it was refused, or no node was reached"},       \
           {"2", "the arguments are wrong, or there is no key"}))                              \
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
           {"2", "the arguments are wrong, or there is no secret"}))                           \
    X(top, "[--once] [options]", "show the nodes and what they do",                            \
      "Shows the nodes with their connections, events and deliveries a second, memory and "    \
      "more, and Redis, once a second until it is told to end (Ctrl-C). If standard output "   \
      "is no terminal, the tables follow each other with an empty line between. Once there "   \
      "was an answer, it tries again when a node is not reached.",                             \
      EACH({"--once", "one table, and it ends"},                                               \
           COMMANDS_CALL("the answer of the API in place of each table, a line of JSON")),     \
      COMMANDS_KEY("read"),                                                                    \
      EACH({"0", "it was told to end; --once: the table was printed"},                         \
           {"1", "it was refused, or no node was reached"},                                    \
           {"2", "the arguments are wrong, or there is no key"}))

/* Print the page of a command, or that of the node if `name` is no command; and the man page,
 * sluice(1). They return whether all could be written. */
bool commands_help(FILE *out, const char *name);
bool commands_man(FILE *out);

#endif
