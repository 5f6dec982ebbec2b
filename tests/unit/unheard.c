#include "unheard.h"

static void on_nothing(void *owner) {
    (void)owner;
}
static size_t put_stats(void *owner, struct slice *args) {
    (void)owner, (void)args;
    return 0;
}
const struct lease_events lease_unheard = {.on_leased = on_nothing,
                                           .on_tick = on_nothing,
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
