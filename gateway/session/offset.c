#include "gateway/session/offset.h"

#include <string.h>

/* --- writing --------------------------------------------------------------------------------
 */

/* Are all channels of the client live? */
static bool is_calm(struct session *s) {
    const struct client *c = s->client;
    uint32_t upsets = *s->all->upsets;
    if (s->calm == upsets)
        return true;
    for (struct list *at = c->as.subs.next; at != &c->as.subs; at = at->next) {
        const struct sub *sub = container_of(at, struct sub, in_subscriber);
        if (sub->catchup != NULL || sub->channel->state != CHANNEL_LIVE)
            return false;
    }
    s->calm = upsets;
    return true;
}

/* The client has every message up to this time, and none that is later. */
static void settle(struct session *s, uint64_t time) {
    s->base = s->high = time;
    for (unsigned i = 0; s->moved > 0 && i < s->count; i++)
        session_moved(s, &s->standings[i], false);
    s->term = session_term(s) ^ s->salt;
}

enum offset_kind offset_sends(struct session *s, const struct message *m) {
    struct standing *own = NULL;
    if (m->seq == 0)
        return OFFSET_NONE;
    if (m->time >= s->high && is_calm(s)) {
        settle(s, m->time);
        return OFFSET_PLAIN;
    }
    for (unsigned i = 0; own == NULL && i < s->count; i++) {
        if (channel_is(s->standings[i].sub->channel, m->channel))
            own = &s->standings[i];
    }
    if (own == NULL)
        return OFFSET_NONE;
    session_moved(s, own, true);
    if (m->time > s->high)
        s->high = m->time;
    return s->moved == 1 ? OFFSET_BASE : OFFSET_OWN;
}

static void put_other(struct buf *out, const struct standing *t) {
    struct position at = sub_position(t->sub);
    buf_printf(out, " %llx.%s.", (unsigned long long)at.seq, at.epoch);
    size_t quote = out->len;
    json_escape(out, channel_name(t->sub->channel));
    if (out->failed)
        return;
    memmove(out->data + quote, out->data + quote + 1, out->len - quote - 2);
    out->len -= 2;
}

void offset_put(const struct session *s, const struct message *m, enum offset_kind kind,
                struct buf *out) {
    struct slice channel = {m->channel.ptr + 1, m->channel.len - 2};
    if (kind == OFFSET_NONE)
        return;
    if (s->moved > OFFSET_MARKS_MOST - 1 && kind == OFFSET_OWN) {
        buf_char(out, '!');
        return;
    }
    if (kind == OFFSET_PLAIN)
        buf_printf(out, "%llx.", (unsigned long long)m->time);
    else
        buf_printf(out, "~%llx.%x.", (unsigned long long)s->base, s->term);
    buf_printf(out, "%llx.%.*s.", (unsigned long long)m->seq, (int)m->epoch.len, m->epoch.ptr);
    buf_slice(out, channel);
    for (unsigned i = 0; kind == OFFSET_OWN && i < s->count; i++) {
        const struct standing *t = &s->standings[i];
        if (t->moved && !channel_is(t->sub->channel, m->channel))
            put_other(out, t);
    }
}

/* --- reading --------------------------------------------------------------------------------
 */

static bool take_hex(struct slice *at, char end, uint64_t *out) {
    uint64_t n = 0;
    size_t i = 0;
    for (; i < at->len && i < 16 && at->ptr[i] != end; i++) {
        const char *digit = strchr("0123456789abcdef", at->ptr[i]);
        if (digit == NULL || at->ptr[i] == '\0')
            return false;
        n = n * 16 + (uint64_t)(digit - "0123456789abcdef");
    }
    if (i == 0 || i == at->len || at->ptr[i] != end)
        return false;
    *at = (struct slice){at->ptr + i + 1, at->len - i - 1};
    *out = n;
    return n <= 1ULL << 53;
}

static bool take_mark(struct slice *at, struct mark *m) {
    if (!take_hex(at, '.', &m->at.seq))
        return false;
    const char *dot = memchr(at->ptr, '.', at->len);
    size_t len = dot != NULL ? (size_t)(dot - at->ptr) : 0;
    /* A NUL would cut the epoch short, and a recovery with an empty epoch gets nothing of what
     * it missed. */
    if (len == 0 || len >= sizeof m->at.epoch || memchr(at->ptr, 0, len) != NULL)
        return false;
    position_set(&m->at, (struct slice){at->ptr, len}, m->at.seq);
    *at = (struct slice){dot + 1, at->len - len - 1};
    const char *space = memchr(at->ptr, ' ', at->len);
    len = space != NULL ? (size_t)(space - at->ptr) : at->len;
    m->channel = (struct slice){at->ptr, len};
    *at = (struct slice){at->ptr + len, at->len - len};
    return len > 0;
}

bool offset_parse(struct offset *o, struct slice at) {
    uint64_t term = 0;
    o->given = true;
    o->plain = at.len == 0 || at.ptr[0] != '~';
    if (!o->plain)
        at = (struct slice){at.ptr + 1, at.len - 1};
    if (!take_hex(&at, '.', &o->time) || (!o->plain && !take_hex(&at, '.', &term)))
        return false;
    if (term > UINT32_MAX)
        return false;
    o->term = (uint32_t)term;
    while (o->count < OFFSET_MARKS_MOST && take_mark(&at, &o->marks[o->count])) {
        o->count++;
        if (at.len == 0)
            return !o->plain || o->count == 1;
        at = (struct slice){at.ptr + 1, at.len - 1};
    }
    return false;
}

const struct mark *offset_mark(const struct offset *o, struct slice channel) {
    for (size_t i = 0; i < o->count; i++) {
        if (slice_eq(o->marks[i].channel, channel))
            return &o->marks[i];
    }
    return NULL;
}
