#include "gateway/client/limits.h"

#define UNIT      1000 /* times are in 1/1000 ms */
#define SECOND_MS 1000ULL
#define MADE_MS   3600000ULL /* for so long Redis keeps a log without a message (log.lua) */

static uint64_t now_of(const struct client *c) {
    return client_now(c) * UNIT;
}

bool limits_over_rate(struct client *c) {
    uint64_t rate = clients_of(c)->options->rate_limit;
    if (rate == 0)
        return false;
    uint64_t cost = SECOND_MS * UNIT / rate;
    if (!bucket_has(&c->rate, now_of(c), cost, SECOND_MS * UNIT))
        return true;
    bucket_take(&c->rate, now_of(c), cost);
    return false;
}

bool limits_may_make(const struct client *c) {
    return bucket_has(&c->made, now_of(c), 0, MADE_MS * UNIT);
}

void limits_made(struct client *c) {
    bucket_take(&c->made, now_of(c),
                MADE_MS * UNIT / clients_of(c)->options->max_subscriptions);
}
