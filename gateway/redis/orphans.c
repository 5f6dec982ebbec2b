#include "gateway/redis/orphans.h"

#include <stdio.h>
#include <string.h>

static void drop(struct orphans *o, size_t at) {
    memmove(&o->all[at], &o->all[at + 1], (o->count - at - 1) * sizeof *o->all);
    o->count--;
}

void orphans_add(struct orphans *o, const char *run, uint64_t id) {
    if (run[0] == '\0' || id == 0)
        return;
    if (o->count == ORPHANS_MOST)
        drop(o, 0);
    struct orphan *added = &o->all[o->count++];
    snprintf(added->run, sizeof added->run, "%s", run);
    added->id = id;
}

void orphans_forget(struct orphans *o, const char *run) {
    for (size_t i = o->count; i-- > 0;) {
        if (strcmp(o->all[i].run, run) == 0)
            drop(o, i);
    }
}
