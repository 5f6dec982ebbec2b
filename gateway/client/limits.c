#include "gateway/client/limits.h"

#include "common/rate.h"

#define UNIT    1000       /* times are in 1/1000 ms */
#define MADE_MS 3600000ULL /* for so long Redis keeps a log without a message (log.lua) */

/* What an event costs, if that is not one unit. */
static const unsigned char units[EVENT_COUNT] = {
    [EVENT_LOGIN] = 3, [EVENT_JOIN] = 3, [EVENT_SUBSCRIBE] = 3, [EVENT_HISTORY] = 5};

static uint64_t now_of(const struct client *c) {
    return client_now(c) * UNIT;
}

static struct bucket *rate_of(struct client *c) {
    const struct door *door = client_door(c);
    return door->rate != NULL ? door->rate(c) : &c->rate;
}

/* Returns true if the connection was read until now, and is not from now on. */
static bool charge(struct client *c, uint64_t spent) {
    uint64_t rate = clients_of(c)->options->rate_limit;
    uint64_t until = rate_charge(rate_of(c), client_now(c), rate, spent);
    return until != 0 && client_door(c)->slow(c, until);
}

static unsigned cost_of(const struct clients *all, const struct event_row *row) {
    unsigned cost = row->cost;
    if (row >= all->rows && row < all->rows + EVENT_COUNT)
        cost = units[row - all->rows];
    return cost != 0 ? cost : 1;
}

bool limits_over_rate(struct client *c, const struct event_row *row) {
    const struct clients *all = clients_of(c);
    if (rate_take(rate_of(c), client_now(c), all->options->rate_limit, cost_of(all, row)))
        return false;
    metric_limited(all->metrics, LIMIT_RATE);
    charge(c, 1);
    return true;
}

void limits_charge(struct client *c, uint64_t spent) {
    if (!c->as.gone && charge(c, spent))
        metric_limited(clients_of(c)->metrics, LIMIT_RATE);
}

void limits_appended(struct client *c, bool cut) {
    if (cut)
        metric_limited(clients_of(c)->metrics, LIMIT_LOG_BYTES);
}

bool limits_may_make(const struct client *c) {
    return bucket_has(&c->made, now_of(c), 0, MADE_MS * UNIT);
}

void limits_made(struct client *c) {
    bucket_take(&c->made, now_of(c),
                MADE_MS * UNIT / clients_of(c)->options->max_subscriptions);
}
