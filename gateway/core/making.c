#include "gateway/core/making.h"

#include "gateway/core/core.h"

/* A bucket that fills by what a connection makes and runs dry within the time for which Redis
 * keeps a log without a message (log.lua). */
#define EMPTY_MS   3600000ULL
#define EMPTY_UNIT 1000 /* counted in 1/1000 ms */

static uint64_t cost(const struct client *c) {
    return EMPTY_MS * EMPTY_UNIT / c->core->options->max_subscriptions;
}

bool making_allowed(const struct client *c) {
    uint64_t now = core_now(c->core) * EMPTY_UNIT;
    return c->made_until <= now + EMPTY_MS * EMPTY_UNIT;
}

void making_charge(struct client *c) {
    uint64_t now = core_now(c->core) * EMPTY_UNIT;
    c->made_until = (c->made_until > now ? c->made_until : now) + cost(c);
}
