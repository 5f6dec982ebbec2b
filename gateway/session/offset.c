#include "gateway/session/offset.h"

#include <string.h>

/* --- writing, with one Redis ----------------------------------------------------------------
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

static struct standing *standing_of(const struct session *s, const struct message *m) {
    for (unsigned i = 0; i < s->count; i++) {
        if (channel_is(s->standings[i].sub->channel, m->channel))
            return &s->standings[i];
    }
    return NULL;
}

/* --- writing, with partitions ---------------------------------------------------------------
 */

/* Is what its partition's tide says all of what the client has of the channel? */
static bool is_level(const struct session *s, unsigned i) {
    const struct standing *t = &s->standings[i];
    const struct channel *ch = t->sub->channel;
    const struct tide *tide = &s->all->tides[ch->redis->index];
    if (t->sub->catchup != NULL || (ch->state != CHANNEL_LIVE && !ch->frozen))
        return false;
    return tide->settled ? s->owed[i] <= tide->time : position_is(&ch->at, &t->floor);
}

static bool all_level(struct session *s) {
    if (s->calm == *s->all->upsets)
        return true;
    for (unsigned i = 0; i < s->count; i++) {
        if (!is_level(s, i))
            return false;
    }
    s->calm = *s->all->upsets;
    return true;
}

static enum offset_kind sends_apart(struct session *s, const struct message *m) {
    if (m->ordered && all_level(s))
        return OFFSET_PLAIN;
    const struct standing *own = standing_of(s, m);
    if (own == NULL)
        return OFFSET_NONE;
    if (!m->ordered)
        session_owes(s, own, m->time);
    return OFFSET_OWN;
}

/* --- writing --------------------------------------------------------------------------------
 */

enum offset_kind offset_sends(struct session *s, const struct message *m) {
    if (m->seq == 0)
        return OFFSET_NONE;
    if (s->all->tides != NULL)
        return sends_apart(s, m);
    if (m->time >= s->high && is_calm(s)) {
        settle(s, m->time);
        return OFFSET_PLAIN;
    }
    struct standing *own = standing_of(s, m);
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

/* Is the channel to be named in an offset of the second form? */
static bool is_named(const struct session *s, unsigned i) {
    return s->all->tides != NULL ? !is_level(s, i) : s->standings[i].moved;
}

static unsigned named(const struct session *s) {
    unsigned n = 0;
    if (s->all->tides == NULL)
        return s->moved;
    for (unsigned i = 0; i < s->count; i++)
        n += is_named(s, i);
    return n;
}

static void put_times(const struct session *s, const struct message *m, enum offset_kind kind,
                      struct buf *out) {
    unsigned long long time = m->time;
    if (s->all->tides == NULL) {
        if (kind == OFFSET_PLAIN)
            buf_printf(out, "%llx.", time);
        else
            buf_printf(out, "~%llx.%x.", (unsigned long long)s->base, s->term);
        return;
    }
    if (kind == OFFSET_PLAIN)
        buf_printf(out, "*%llx.", time);
    else
        buf_printf(out, "+%llx.%x.", time, s->salt);
    tides_put(out, s->all->tides, s->all->redis->count, m->time);
    buf_char(out, '.');
}

void offset_put(const struct session *s, const struct message *m, enum offset_kind kind,
                struct buf *out) {
    struct slice channel = {m->channel.ptr + 1, m->channel.len - 2};
    if (kind == OFFSET_NONE)
        return;
    if (kind == OFFSET_OWN && named(s) > OFFSET_MARKS_MOST - 1) {
        buf_char(out, '!');
        return;
    }
    put_times(s, m, kind, out);
    buf_printf(out, "%llx.%.*s.", (unsigned long long)m->seq, (int)m->epoch.len, m->epoch.ptr);
    buf_slice(out, channel);
    for (unsigned i = 0; kind == OFFSET_OWN && i < s->count; i++) {
        const struct standing *t = &s->standings[i];
        if (is_named(s, i) && !channel_is(t->sub->channel, m->channel))
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

static bool take_char(struct slice *at, char c) {
    if (at->len == 0 || at->ptr[0] != c)
        return false;
    *at = (struct slice){at->ptr + 1, at->len - 1};
    return true;
}

/* What stands before the marks. */
static bool take_times(struct offset *o, struct slice *at, unsigned partitions) {
    uint64_t term = 0;
    bool apart = partitions > 1;
    o->plain = !take_char(at, apart ? '+' : '~');
    if (o->plain && apart && !take_char(at, '*'))
        return false;
    if (!take_hex(at, '.', &o->time) || (!o->plain && !take_hex(at, '.', &term)))
        return false;
    o->term = (uint32_t)term;
    return term <= UINT32_MAX &&
           (!apart || (tides_take(at, o->tides, partitions, o->time) && take_char(at, '.')));
}

bool offset_parse(struct offset *o, struct slice at, unsigned partitions) {
    o->given = true;
    if (!take_times(o, &at, partitions))
        return false;
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
