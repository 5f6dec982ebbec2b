#include "unheard.h"

static void on_nothing(struct lease *l) {
    (void)l;
}
static void on_tick(void *owner) {
    (void)owner;
}
static size_t put_stats(struct lease *l, struct slice *args) {
    (void)l, (void)args;
    return 0;
}
const struct lease_events lease_unheard = {.on_leased = on_nothing,
                                           .on_tick = on_tick,
                                           .on_swept = on_nothing,
                                           .put_stats = put_stats};

static void on_registration(void *owner, struct registration *g) {
    (void)owner, (void)g;
}
static struct slice issued(void *owner, const struct registration *g, char out[DIGITS_SIZE]) {
    (void)owner, (void)g, (void)out;
    return SLICE("-");
}
const struct registry_events registry_unheard = {.on_registered = on_registration,
                                                 .on_visited = on_registration,
                                                 .on_revoked = on_registration,
                                                 .issued = issued};
