#ifndef SLUICE_REDIS_ANSWERS_H
#define SLUICE_REDIS_ANSWERS_H

#include "gateway/redis/reply.h"

/*
 * What a call of a script said to its messages. A script of several messages answers a text,
 * which costs Redis less than arrays do: a line for each message, and in it the status
 * (scripts.h) and further words (append.lua, private.lua). Another script has one message, and
 * answers an array.
 */
#define ANSWERS_MOST 64
struct answers {
    const struct reply *reply; /* by reference; NULL: there is no answer */
    struct slice lines[ANSWERS_MOST];
};

void answers_read(struct answers *to, const struct reply *reply, unsigned count);
/* The status of the i-th message; 0 if there is no answer. */
long long answers_status(const struct answers *answers, unsigned i);
/* The text of its error, if the status is SCRIPT_FAILED. */
struct slice answers_error(const struct answers *answers, unsigned i);

/* A line, as an array of its words. */
#define ANSWER_WORDS 8
struct answer {
    struct reply array;
    struct reply words[ANSWER_WORDS];
    struct reply *items[ANSWER_WORDS];
};

/* What was said to the i-th message, as an array, which is valid as long as both are; NULL if
 * there is no answer. */
const struct reply *answers_get(const struct answers *answers, unsigned i, struct answer *to);

#endif
