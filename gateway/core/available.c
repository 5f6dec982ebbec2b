#include "gateway/core/core.h"

/*
 * The event `available`. Clients whose events failed for want of Redis would else have to ask
 * again and again, all ten thousand of them, and still lose the time between two questions.
 */

static bool is_told(struct client *c) {
    bool told = c->refused && c->wants_available && !c->as.gone;
    c->refused = c->refused && !told;
    return told;
}

void client_tell_available(struct client *c) {
    if (is_told(c))
        subscriber_emit(&c->as, "available", SLICE("{}"), false);
}

void clients_tell_available(struct core *core) {
    struct buf frame;
    struct message m;
    buf_init(&frame);
    if (!message_bare(&m, &frame, "available", SLICE("{}"))) {
        buf_deinit(&frame);
        return; /* out of memory: they ask by themselves before long */
    }
    for (struct list *at = core->clients.list.next, *next; at != &core->clients.list;
         at = next) {
        struct client *c = client_at(at);
        next = at->next;
        if (is_told(c))
            c->as.ops->deliver(&c->as, &m);
    }
    message_done(&m, &core->net->slabs);
    buf_deinit(&frame);
}
