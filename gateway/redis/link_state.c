#include "gateway/redis/link_state.h"

#include <assert.h>
#include <stddef.h>

#include "common/log.h"

#define FROM(state) (1U << LINK_##state)
void link_state_set(enum link_state *state, enum link_state to, const char *link) {
    static const struct {
        const char *name;
        unsigned from;
    } states[] = {
        [LINK_CLOSED] = {"closed", FROM(FALLING)},
        [LINK_RESOLVING] = {"resolving", FROM(CLOSED) | FROM(WAITING)},
        [LINK_CONNECTING] = {"connecting", FROM(CLOSED) | FROM(WAITING) | FROM(RESOLVING)},
        [LINK_SECURING] = {"securing", FROM(CONNECTING)},
        [LINK_GREETING] = {"greeting", FROM(CONNECTING) | FROM(SECURING)},
        [LINK_READY] = {"ready", FROM(GREETING)},
        [LINK_FALLING] = {"falling", FROM(RESOLVING) | FROM(CONNECTING) | FROM(SECURING) |
                                         FROM(GREETING) | FROM(READY)},
        [LINK_WAITING] = {"waiting", FROM(FALLING) | FROM(CLOSED) | FROM(WAITING)},
    };
    assert((states[to].from & 1U << *state) != 0);
    LOG(LOG_DEBUG, "redis_link", "link", link, "from", states[*state].name, "to",
        states[to].name, NULL);
    *state = to;
}
