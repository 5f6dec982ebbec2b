#include "gateway/api/gather.h"

#include <stdlib.h>

/* What is asked of one partition. */
struct part {
    struct gather *gather;
    unsigned partition;
};

static void one_less(struct gather *g) {
    if (--g->pending > 0)
        return;
    g->done(g->arg, g);
    answers_deinit(&g->answers);
    free(g);
}

static void on_answer(void *arg, const struct reply *reply, enum outcome outcome) {
    struct part part = *(struct part *)arg;
    (void)outcome;
    free(arg);
    answers_put(&part.gather->answers, part.partition, reply);
    one_less(part.gather);
}

static unsigned first_of_master(struct redis *redis, unsigned partition) {
    for (unsigned i = 0; i < partition; i++) {
        struct partition *other = redis_at(redis, i);
        if (redis_up(other) && other->server == redis_at(redis, partition)->server)
            return i;
    }
    return partition;
}

static void ask(struct gather *g, struct redis *redis, unsigned i, struct slice args[3]) {
    struct part *part = malloc(sizeof *part);
    g->master[i] = (unsigned char)first_of_master(redis, i);
    args[2] = g->master[i] == i ? SLICE("1") : SLICE("0");
    bool sent = false;
    if (part != NULL) {
        *part = (struct part){.gather = g, .partition = i};
        sent =
            redis_script(redis_at(redis, i), SCRIPT_cluster, NULL, 0, args, 3, on_answer, part);
    }
    g->pending += sent;
    if (!sent)
        free(part);
}

struct gather *gather_begin(struct redis *redis, struct slice rooms, struct slice users,
                            void (*done)(void *arg, struct gather *g), void *arg) {
    struct slice args[3] = {rooms, users};
    struct gather *g = calloc(1, sizeof *g);
    if (g == NULL || !answers_init(&g->answers, redis->count)) {
        free(g);
        return NULL;
    }
    g->done = done;
    g->arg = arg;
    for (unsigned i = 0; i < redis->count; i++)
        ask(g, redis, i, args);
    if (g->pending > 0)
        return g;
    answers_deinit(&g->answers);
    free(g);
    return NULL;
}
