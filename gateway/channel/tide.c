#include "gateway/channel/tide.h"

#include <stdlib.h>

struct tide *tides_make(unsigned count) {
    struct tide *tides = calloc(count, sizeof *tides);
    for (unsigned i = 0; tides != NULL && i < count; i++)
        tides[i].settled = true;
    return tides;
}

uint16_t tide_term(const struct partition *p) {
    return (uint16_t)(strtoull(p->term, NULL, 10) % TIDE_TERMS);
}

bool tide_rise(struct tide *t, uint64_t time) {
    if (time <= t->time)
        return false;
    t->time = time;
    t->settled = true;
    return true;
}

bool tide_doubt(struct tide *t) {
    if (!t->settled || t->time == 0)
        return false;
    t->settled = false;
    return true;
}
