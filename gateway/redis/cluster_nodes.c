#include "gateway/redis/cluster_nodes.h"

#include <string.h>

#include "gateway/redis/slots.h"

enum { ID, ADDRESS, FLAGS, MASTER, PING, PONG, EPOCH, LINK, WORDS };

static bool copy(char *out, size_t size, struct slice s) {
    if (s.len >= size || memchr(s.ptr, '\0', s.len) != NULL)
        return false;
    memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return true;
}

/* A node that does not know its own address is where it was asked. */
static bool read_host(struct slice ip, struct slice name, const struct nodes_view *view,
                      struct redis_place *out) {
    bool by_name =
        view->endpoint == ENDPOINT_NAME || (view->endpoint == ENDPOINT_IP && view->tls);
    struct slice host = by_name && name.len > 0 ? name : ip;
    if (view->endpoint == ENDPOINT_ASKED || host.len == 0)
        host = slice_of(view->from->host);
    return copy(out->host, sizeof out->host, host);
}

/* HOST:PORT[@BUS-PORT][,NAME[,...]]; an IPv6 address has colons, too. */
static bool read_place(struct slice s, const struct nodes_view *view,
                       struct cluster_node *out) {
    struct slice address = slice_cut(&s, ','), name = slice_cut(&s, ',');
    struct slice place = slice_cut(&address, '@');
    size_t at = place.len;
    uint64_t port;
    while (at > 0 && place.ptr[at - 1] != ':')
        at--;
    if (at == 0 ||
        !slice_number((struct slice){place.ptr + at, place.len - at}, 65535, &port) ||
        port == 0)
        return false;
    out->place.port = (int)port;
    struct slice ip = {place.ptr, at - 1};
    return copy(out->ip, sizeof out->ip, ip) && read_host(ip, name, view, &out->place);
}

static bool read_node(struct slice line, const struct nodes_view *view,
                      struct cluster_node *out) {
    struct slice word[WORDS];
    for (int i = 0; i < WORDS; i++)
        word[i] = slice_cut(&line, ' ');
    *out = (struct cluster_node){.slots = line};
    out->myself = slice_lists(word[FLAGS], "myself");
    out->master = slice_lists(word[FLAGS], "master");
    out->failed = slice_lists(word[FLAGS], "fail");
    bool away = slice_lists(word[FLAGS], "noaddr") || slice_lists(word[FLAGS], "handshake");
    if (!slice_is(word[MASTER], "-") && !copy(out->of, sizeof out->of, word[MASTER]))
        return false;
    return !away && word[ID].len > 0 && copy(out->id, sizeof out->id, word[ID]) &&
           slice_number(word[EPOCH], UINT64_MAX, &out->epoch) &&
           read_place(word[ADDRESS], view, out);
}

bool cluster_nodes_next(struct slice *text, const struct nodes_view *view,
                        struct cluster_node *out) {
    while (text->len > 0) {
        struct slice line = slice_cut(text, '\n');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (read_node(line, view, out))
            return true;
    }
    return false;
}

bool cluster_node_has(const struct cluster_node *node, unsigned slot) {
    struct slice rest = node->slots;
    while (rest.len > 0) {
        struct slice range = slice_cut(&rest, ' ');
        uint64_t from, to;
        struct slice whole = range, first = slice_cut(&range, '-');
        struct slice last = first.len == whole.len ? first : range;
        if (!slice_number(first, SLOTS - 1, &from) || !slice_number(last, SLOTS - 1, &to))
            continue; /* such as a slot that moves: [93-<-...] */
        if (slot >= from && slot <= to)
            return true;
    }
    return false;
}

/* [[from, to, [host, port, id, [what, value, ...]], ...], ...]: a node's last item has what its
 * host is not. Redis 6 has only IPs, and no such item. */
enum cluster_endpoint cluster_endpoint_of(const struct reply *r) {
    const struct reply *node = reply_item(reply_item(r, 0), 2);
    const struct reply *more = reply_item(node, 3);
    if (node->type != REPLY_ARRAY || node->count == 0)
        return ENDPOINT_IP;
    if (reply_item(node, 0)->type == REPLY_NIL)
        return ENDPOINT_ASKED;
    for (size_t i = 0; more->type == REPLY_ARRAY && i < more->count; i += 2) {
        if (slice_is(reply_text(reply_item(more, i)), "ip"))
            return ENDPOINT_NAME;
    }
    return ENDPOINT_IP;
}
