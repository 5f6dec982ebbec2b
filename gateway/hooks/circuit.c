#include "gateway/hooks/circuit.h"

#include <string.h>

bool circuit_lets(const struct circuit *c, uint64_t now) {
    return c->state == CIRCUIT_CLOSED || (c->state == CIRCUIT_OPEN && now >= c->until);
}

bool circuit_sent(struct circuit *c) {
    if (c->state != CIRCUIT_OPEN)
        return false;
    c->state = CIRCUIT_TRYING;
    return true;
}

static void count(struct circuit *c, uint64_t second, bool good) {
    struct circuit_second *s = &c->seconds[second % CIRCUIT_WINDOW];
    if (s->second != second)
        *s = (struct circuit_second){.second = second};
    s->calls++;
    s->failed += !good;
}

static bool is_half_failed(const struct circuit *c, uint64_t second) {
    unsigned calls = 0, failed = 0;
    for (unsigned i = 0; i < CIRCUIT_WINDOW; i++) {
        const struct circuit_second *s = &c->seconds[i];
        if (s->second + CIRCUIT_WINDOW > second) {
            calls += s->calls;
            failed += s->failed;
        }
    }
    return calls >= CIRCUIT_LEAST && 2 * failed >= calls;
}

static void open_again(struct circuit *c, uint64_t now) {
    c->state = CIRCUIT_OPEN;
    c->until = now + CIRCUIT_OPEN_MS;
}

bool circuit_tell(struct circuit *c, uint64_t now, bool good, bool trial) {
    if (c->state != CIRCUIT_CLOSED && good) {
        memset(c, 0, sizeof *c);
        return true;
    }
    if (c->state != CIRCUIT_CLOSED) { /* those that were sent before say nothing new */
        if (trial)
            open_again(c, now);
        return trial;
    }
    count(c, now / 1000, good);
    if (good || !is_half_failed(c, now / 1000))
        return false;
    open_again(c, now);
    return true;
}

void circuit_forget(struct circuit *c, bool trial) {
    if (trial && c->state == CIRCUIT_TRYING)
        c->state = CIRCUIT_OPEN;
}
