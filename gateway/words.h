#ifndef SLUICE_GATEWAY_WORDS_H
#define SLUICE_GATEWAY_WORDS_H

/*
 * Takes the words that are neither options nor their values out of a command line, from argv[2]
 * on, and argv[1], which names the command. What is left in argv is for options_load. words:
 * room for argc of them. Returns how many there are.
 */
int words_take(int *argc, char **argv, char **words);

/* The value of a flag (as --user) that only one command has, if it stands at *at, which is
 * moved to the last argument of it. NULL: it is another flag, or (*wrong is set then) the value
 * is missing. */
const char *words_value(const char *flag, char ***at, const char **wrong);

#endif
