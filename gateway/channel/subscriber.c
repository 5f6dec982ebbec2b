#include "gateway/channel/subscriber.h"

#include <stdio.h>

#include "gateway/channel/message.h"

void subscribers_init(struct subscribers *all, struct slabs *slabs, uint32_t birth) {
    *all = (struct subscribers){.slabs = slabs};
    snprintf(all->birth, sizeof all->birth, "%08llx", (unsigned long long)birth);
    list_init(&all->list);
}

void subscriber_init(struct subscriber *s, const struct subscriber_ops *ops,
                     struct subscribers *all) {
    s->ops = ops;
    s->all = all;
    s->number = ++all->last;
    s->refs = 1;
    list_init(&s->subs);
    list_push(&all->list, &s->link);
    all->count++;
}

struct slice subscriber_id(const struct subscriber *s, char out[CLIENT_ID_SIZE]) {
    int len =
        snprintf(out, CLIENT_ID_SIZE, "%llx-%s", (unsigned long long)s->number, s->all->birth);
    return (struct slice){out, (size_t)len};
}

struct slice subscriber_socket(const struct subscriber *s, char out[CLIENT_ID_SIZE]) {
    return s->ops->socket != NULL ? s->ops->socket(s) : subscriber_id(s, out);
}

struct slice subscriber_origin(const struct subscriber *s, char out[CLIENT_ID_SIZE]) {
    return s->origin != NULL ? slice_of(s->origin) : subscriber_id(s, out);
}

bool subscriber_is_origin(const struct subscriber *s, struct slice origin) {
    char id[CLIENT_ID_SIZE];
    return slice_eq(subscriber_origin(s, id), origin);
}

void subscriber_emit(struct subscriber *s, const char *event, struct slice data,
                     bool ephemeral) {
    struct buf frame;
    struct message m;
    buf_init(&frame);
    if (message_bare(&m, &frame, event, data)) {
        m.ephemeral = ephemeral;
        s->ops->deliver(s, &m);
        message_done(&m, s->all->slabs);
    } else {
        s->ops->close(s, 1011, "out of memory");
    }
    buf_deinit(&frame);
}
