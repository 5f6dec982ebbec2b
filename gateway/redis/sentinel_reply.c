#include "gateway/redis/sentinel_reply.h"

/* Copies a text that must fit and hold neither blanks nor control characters. */
static bool take_word(struct slice text, char *out, size_t size) {
    if (text.len == 0 || text.len >= size)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 127)
            return false;
    }
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static bool take_place(struct slice host, struct slice port, struct redis_place *out) {
    uint64_t n;
    if (!slice_number(port, 65535, &n) || n == 0 ||
        !take_word(host, out->host, sizeof out->host))
        return false;
    out->port = (int)n;
    return true;
}

/* The text after a name, in an array of names and values. */
static struct slice field(const struct reply *r, const char *name) {
    for (size_t i = 0; r != NULL && r->type == REPLY_ARRAY && i + 1 < r->count; i += 2) {
        if (slice_is(reply_text(reply_item(r, i)), name))
            return reply_text(reply_item(r, i + 1));
    }
    return (struct slice){NULL, 0};
}

bool sentinel_read_master(const struct reply *r, uint64_t *epoch, bool *down) {
    *down = slice_lists(field(r, "flags"), "o_down");
    return slice_number(field(r, "config-epoch"), UINT64_MAX, epoch);
}

bool sentinel_read_replicas(const struct reply *r, unsigned *count) {
    uint64_t n;
    bool told = slice_number(field(r, "num-slaves"), 1000, &n);
    if (told)
        *count = (unsigned)n;
    return told;
}

bool sentinel_read_address(const struct reply *r, struct redis_place *out) {
    return take_place(reply_text(reply_item(r, 0)), reply_text(reply_item(r, 1)), out);
}

size_t sentinel_read_peers(const struct reply *r, struct sentinel_peer out[], size_t most) {
    size_t n = 0;
    for (size_t i = 0; r != NULL && r->type == REPLY_ARRAY && i < r->count && n < most; i++) {
        const struct reply *one = reply_item(r, i);
        if (!take_place(field(one, "ip"), field(one, "port"), &out[n].place))
            continue;
        if (!take_word(field(one, "runid"), out[n].id, sizeof out[n].id))
            out[n].id[0] = '\0';
        n++;
    }
    return n;
}

void sentinel_read_id(const struct reply *r, char out[SENTINEL_ID_SIZE]) {
    if (r == NULL || !take_word(reply_text(r), out, SENTINEL_ID_SIZE))
        out[0] = '\0';
}

bool sentinel_read_switch(struct slice text, const char *master, struct redis_place *from,
                          struct redis_place *to) {
    struct slice words[5];
    for (size_t i = 0; i < 5; i++)
        words[i] = slice_cut(&text, ' ');
    return text.len == 0 && slice_is(words[0], master) &&
           take_place(words[1], words[2], from) && take_place(words[3], words[4], to);
}

bool sentinel_concerns(struct slice text, const char *master) {
    struct slice kind = slice_cut(&text, ' ');
    if (slice_is(kind, "master"))
        return slice_is(slice_cut(&text, ' '), master);
    while (text.len > 0) {
        if (slice_is(slice_cut(&text, ' '), "@"))
            return slice_is(slice_cut(&text, ' '), master);
    }
    return false;
}
