#ifndef SLUICE_CLI_COMMAND_H
#define SLUICE_CLI_COMMAND_H

#include "gateway/cli/caller.h"
#include "gateway/options.h"
#include "gateway/words.h"

/*
 * What the commands that call the API have in common: --url, --ca and --json, the options of a
 * node, which say where it listens and have the key, and the words of the command line.
 */
enum { COMMAND_DONE = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 }; /* exit codes */

struct command {
    const char *name;
    const char *url; /* these three are flags */
    const char *ca;
    bool as_json;
    char **words; /* that are no flags */
    int count;
    char **all; /* of the words */
    struct options options;
    char key[1024];
    char *place; /* the texts of the place that is called */
};

/* Rows of a table of words_flag. */
#define COMMAND_FLAGS(c)                                                                       \
    {"--url", &(c)->url, NULL}, {"--ca", &(c)->ca, NULL}, {                                    \
        "--json", NULL, &(c)->as_json                                                          \
    }

/*
 * Reads the command line: takes the flags, then the words (all that follows `--` is words), and
 * loads the options with the rest. c->name must be set. Returns true, or false with the exit
 * code in *status, when a mistake was named on standard error. command_deinit is due after
 * both.
 */
bool command_read(struct command *c, const struct words_flag flags[], size_t count, int argc,
                  char **argv, int *status);
/* To be called after command_read: a caller for the place. Returns the exit code: 0, or that of
 * a mistake that was named. Unless it is 0, no caller_close is due. */
int command_call(struct command *c, struct caller *caller, bool (*stopped)(void));
void command_deinit(struct command *c);

/* Names what is wrong on standard error, and returns the status. */
int command_wrong(const struct command *c, const char *why, int status);
/* Writes out what was printed. Returns false if it cannot be. */
bool command_flush(void);

#endif
