#include "gateway/redis/clock.h"

#define DRIFT 5000 /* one part in so many: 200 ppm, by which two bad clocks may differ */

/* How exact the distance still is. */
static uint64_t error_at(const struct redis_clock *c, uint64_t now) {
    return c->error + (now - c->learnt) / DRIFT;
}

int64_t redis_clock_learn(struct redis_clock *c, uint64_t asked, uint64_t answered,
                          uint64_t time) {
    uint64_t error = (answered - asked) / 2;
    int64_t ahead = (int64_t)(time - asked - error);
    uint64_t aged = error_at(c, answered);
    uint64_t apart = (uint64_t)(ahead > c->ahead ? ahead - c->ahead : c->ahead - ahead);
    bool set = c->learnt != 0 && apart > error + aged;
    int64_t step = set ? ahead - c->ahead : 0;
    if (c->learnt == 0 || error <= aged || set)
        *c = (struct redis_clock){.ahead = ahead, .error = error, .learnt = answered};
    return step;
}

bool redis_clock_age(const struct redis_clock *c, uint64_t now, uint64_t time, uint64_t *age) {
    int64_t n = (int64_t)(now + (uint64_t)c->ahead - time);
    *age = n > 0 ? (uint64_t)n : 0;
    return c->learnt != 0;
}

uint64_t redis_clock_least(const struct redis_clock *c, uint64_t now) {
    int64_t n = (int64_t)(now + (uint64_t)c->ahead - error_at(c, now));
    return c->learnt != 0 && n > 0 ? (uint64_t)n : 0;
}
