#include "gateway/client/available.h"

static bool is_told(struct client *c) {
    bool told = c->refused && c->wants_available && !c->as.gone;
    c->refused = c->refused && !told;
    return told;
}

void client_tell_available(struct client *c) {
    if (is_told(c))
        subscriber_emit(&c->as, "available", SLICE("{}"), false);
}

void clients_tell_available(struct clients *all) {
    struct buf frame;
    struct message m;
    buf_init(&frame);
    if (!message_bare(&m, &frame, "available", SLICE("{}"))) {
        buf_deinit(&frame);
        return; /* out of memory; the clients try again by themselves before long */
    }
    for (struct list *at = all->registry.all.list.next, *next; at != &all->registry.all.list;
         at = next) {
        struct client *c = client_at(at);
        next = at->next;
        if (is_told(c))
            c->as.ops->deliver(&c->as, &m);
    }
    message_done(&m, all->slabs);
    buf_deinit(&frame);
}
