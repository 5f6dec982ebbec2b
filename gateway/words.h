#ifndef SLUICE_GATEWAY_WORDS_H
#define SLUICE_GATEWAY_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Takes the words that are neither options nor their values out of a command line, from argv[2]
 * on, and argv[1], which names the command. What is left in argv is for options_load. words:
 * room for argc of them. Returns how many there are.
 */
int words_take(int *argc, char **argv, char **words);

/* Takes a flag without a value (as --json) out of a command line, from argv[2] on; argv[1]
 * stays. Returns whether it was there. */
bool words_flag_alone(const char *flag, int *argc, char **argv);

/* A flag (as --user) that only one command has. */
struct words_flag {
    const char *name;
    const char **value; /* where its value goes, which is NULL before; NULL: it has none */
    bool *alone;        /* without a value: set to true if it is there */
};

/* Takes these flags out of a command line, from argv[2] on, and argv[1], which names the
 * command. What is left in argv is for options_load. Returns NULL, or an error text: a value is
 * missing, or given twice. */
const char *words_flags(const struct words_flag flags[], size_t count, int *argc, char **argv);

#endif
