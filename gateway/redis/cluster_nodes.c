#include "gateway/redis/cluster_nodes.h"

#include <string.h>

#include "gateway/redis/slots.h"

enum { ID, ADDRESS, FLAGS, MASTER, PING, PONG, EPOCH, LINK, WORDS };

static struct slice take(struct slice *text, char end) {
    const char *at = memchr(text->ptr, end, text->len);
    struct slice word = {text->ptr, at != NULL ? (size_t)(at - text->ptr) : text->len};
    size_t used = word.len + (at != NULL);
    *text = (struct slice){text->ptr + used, text->len - used};
    return word;
}

static bool copy(char *out, size_t size, struct slice s) {
    if (s.len >= size || memchr(s.ptr, '\0', s.len) != NULL)
        return false;
    memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return true;
}

static bool take_number(struct slice s, uint64_t most, uint64_t *out) {
    uint64_t n = 0;
    if (s.len == 0 || s.len > 19)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(s.ptr[i] - '0');
    }
    *out = n;
    return n <= most;
}

static bool has_flag(struct slice flags, const char *flag) {
    while (flags.len > 0) {
        if (slice_is(take(&flags, ','), flag))
            return true;
    }
    return false;
}

/* HOST:PORT[@BUS-PORT][,NAME[,...]]; an IPv6 address has colons, too. */
static bool read_place(struct slice s, bool tls, struct redis_place *out) {
    struct slice address = take(&s, ','), name = take(&s, ',');
    struct slice place = take(&address, '@');
    size_t at = place.len;
    uint64_t port;
    while (at > 0 && place.ptr[at - 1] != ':')
        at--;
    if (at == 0 || !take_number((struct slice){place.ptr + at, place.len - at}, 65535, &port) ||
        port == 0)
        return false;
    out->port = (int)port;
    struct slice host = {place.ptr, at - 1};
    return copy(out->host, sizeof out->host, tls && name.len > 0 ? name : host);
}

static bool read_node(struct slice line, bool tls, struct cluster_node *out) {
    struct slice word[WORDS];
    for (int i = 0; i < WORDS; i++)
        word[i] = take(&line, ' ');
    *out = (struct cluster_node){.slots = line};
    out->master = has_flag(word[FLAGS], "master");
    out->failed = has_flag(word[FLAGS], "fail");
    bool away = has_flag(word[FLAGS], "noaddr") || has_flag(word[FLAGS], "handshake");
    if (!slice_is(word[MASTER], "-") && !copy(out->of, sizeof out->of, word[MASTER]))
        return false;
    return !away && word[ID].len > 0 && copy(out->id, sizeof out->id, word[ID]) &&
           take_number(word[EPOCH], UINT64_MAX, &out->epoch) &&
           read_place(word[ADDRESS], tls, &out->place);
}

bool cluster_nodes_next(struct slice *text, bool tls, struct cluster_node *out) {
    while (text->len > 0) {
        struct slice line = take(text, '\n');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (read_node(line, tls, out))
            return true;
    }
    return false;
}

bool cluster_node_has(const struct cluster_node *node, unsigned slot) {
    struct slice rest = node->slots;
    while (rest.len > 0) {
        struct slice range = take(&rest, ' ');
        uint64_t from, to;
        struct slice whole = range, first = take(&range, '-');
        struct slice last = first.len == whole.len ? first : range;
        if (!take_number(first, SLOTS - 1, &from) || !take_number(last, SLOTS - 1, &to))
            continue; /* such as a slot that moves: [93-<-...] */
        if (slot >= from && slot <= to)
            return true;
    }
    return false;
}
