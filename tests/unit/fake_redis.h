#ifndef SLUICE_TESTS_FAKE_REDIS_H
#define SLUICE_TESTS_FAKE_REDIS_H

#include "gateway/redis/redis.h"

/*
 * A Redis that answers as the test says, when the test says. It replaces gateway/redis/redis.c,
 * so a program with it links only the room that it tests and the rooms below. Scripts are
 * answered in the order in which they were sent.
 */
struct fake_redis {
    struct redis redis; /* of one partition, or as many as fake_split says */
    /* If it is set, it says in which partition a name is, and a script is asked as
     * "script@1 key | argument". */
    unsigned (*place)(struct slice name);
    bool full;        /* redis_is_full says so */
    unsigned pending; /* scripts that are not answered yet */
    unsigned resets, probes, looks, term_looks;
    uint64_t probe_age;
    const char *reset_why;
};
extern struct fake_redis fake;

/* The Redis comes up, and is empty. */
void fake_begin(void);
/* Called after fake_begin: Redis has so many partitions (1 to 9). The last digit of a name is
 * its partition; without one it is 0. */
void fake_split(unsigned partitions);
/* Nothing may be subscribed any more. Scripts that are not answered yet fail. */
void fake_end(void);

/* A turn of the loop ends: the messages that it gathered are sent. */
void fake_turn(void);
/* The oldest script that is not answered, of this turn as well, as text: "script key key |
 * argument argument". An empty argument is written ''. */
const char *fake_asked(void);
const char *fake_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define assert_asked(...)      assert_string_equal(fake_asked(), fake_format(__VA_ARGS__))
#define assert_nothing_asked() assert_string_equal(fake_asked(), "")
/* An argument of it. */
const char *fake_argument(size_t i);

/* Answers it with an array of texts: "0 12 [ a b ] '' 'with spaces'". */
void fake_answer(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Makes it fail: refused while Redis is up, or unknown when the link falls. */
void fake_fail(enum outcome outcome);
/* Answers all scripts with {0}, also those that are sent meanwhile. */
void fake_answer_all(void);
/* fake_fall: the link falls, and from now on nothing is sent. fake_fail_all: scripts that were
 * sent fail. */
void fake_fall(void);
void fake_fail_all(void);

/* The same array for a function that reads one. */
struct reply *fake_reply(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fake_reply_free(struct reply *r);

/* Subscriptions, by the name of the Redis channel: "sluice:{room:r}". */
bool fake_subscribed(const char *channel);
void fake_confirm(const char *channel);
void fake_ring(const char *channel, const char *payload);
void fake_lose(const char *channel);

#endif
