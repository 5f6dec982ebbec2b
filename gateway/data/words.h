#ifndef SLUICE_DATA_WORDS_H
#define SLUICE_DATA_WORDS_H

/*
 * Takes the words that are neither options nor their values out of a command line, from argv[2]
 * on, and argv[1], which names the command. What is left in argv is for options_load. words:
 * room for argc of them. Returns how many there are.
 */
int words_take(int *argc, char **argv, char **words);

#endif
