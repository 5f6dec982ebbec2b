#include "gateway/presence/topics.h"

#include "gateway/channel/name.h"

#define TOLD_AT_ONCE 200

static bool is_on(const struct topics *t) {
    return (t->leases->redis->config.constants.tap >> TAP_TOPICS & 1) != 0;
}

void topics_init(struct topics *t, struct leases *leases, struct hub *hub) {
    *t = (struct topics){.leases = leases, .hub = hub};
    for (unsigned i = 0; i < leases->count; i++) {
        struct topic_shelf *s = &t->shelves[i];
        s->all = t;
        s->lease = &leases->all[i];
        buf_init(&s->names);
        buf_init(&s->sent);
    }
}

void topics_deinit(struct topics *t) {
    for (unsigned i = 0; t->leases != NULL && i < t->leases->count; i++) {
        buf_deinit(&t->shelves[i].names);
        buf_deinit(&t->shelves[i].sent);
    }
}

void topics_changed(struct topics *t, const struct channel *ch) {
    struct slice name = channel_name(ch);
    struct buf *names = &t->shelves[ch->redis->index].names;
    if (!is_on(t) || !slice_starts(name, SLICE("topic:")))
        return;
    buf_slice(names, name);
    buf_char(names, '\0'); /* names have none */
}

void topics_leased(struct topics *t, struct lease *l) {
    struct topic_shelf *s = &t->shelves[l->redis->index];
    if (!is_on(t))
        return;
    buf_clear(&s->names);
    for (struct channel *ch = hub_next(t->hub, l->redis, NULL); ch != NULL;
         ch = hub_next(t->hub, l->redis, ch))
        topics_changed(t, ch);
}

static void on_told(void *arg, const struct reply *reply, enum outcome outcome) {
    struct topic_shelf *s = arg;
    (void)outcome;
    s->asked = false;
    if (reply == NULL) /* again; after an outage as another incarnation, with all others */
        buf_slice(&s->names, buf_bytes(&s->sent));
    buf_clear(&s->sent);
}

static void tell(struct topic_shelf *s) {
    char key[NODE_KEY_SIZE];
    struct slice node = node_key(s->lease->incarnation, key);
    struct slice args[1 + 2 * TOLD_AT_ONCE] = {slice_of(s->lease->incarnation)};
    size_t n = 1, at = 0;
    if (s->names.failed) {
        topics_leased(s->all, s->lease);
        return;
    }
    while (at < s->names.len && n + 2 <= sizeof args / sizeof *args) {
        args[n] = slice_of(s->names.data + at);
        at += args[n].len + 1;
        const struct channel *ch = hub_find(s->all->hub, args[n]);
        args[n + 1] = ch != NULL ? SLICE("1") : SLICE("0");
        n += 2;
    }
    s->asked = redis_script(s->lease->redis, SCRIPT_topics, &node, 1, args, n, on_told, s);
    if (!s->asked)
        return;
    buf_append(&s->sent, s->names.data, at);
    s->names.len -= at;
    memmove(s->names.data, s->names.data + at, s->names.len);
}

void topics_tick(struct topics *t) {
    for (unsigned i = 0; i < t->leases->count; i++) {
        struct topic_shelf *s = &t->shelves[i];
        if (!s->asked && s->lease->held && (s->names.len > 0 || s->names.failed))
            tell(s);
    }
}
