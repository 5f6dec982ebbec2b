#include "gateway/net/proxies.h"

#include <stdlib.h>
#include <string.h>

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s) {
    while (s.len > 0 && is_space(s.ptr[0]))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* --- the list -------------------------------------------------------------------------------
 */

static bool read_bits(const char *text, unsigned most, unsigned *bits) {
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long n = strtoul(text, &end, 10);
    *bits = (unsigned)n;
    return *end == '\0' && n <= most;
}

static bool read_network(struct slice text, struct network *net) {
    char copy[64];
    struct conn_address a;
    if (text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    if (!conn_address_parse(&a, copy))
        return false;
    bool ip4 = conn_address_is_ip4(&a) && strchr(copy, ':') == NULL;
    unsigned bits = ip4 ? 32 : 128;
    if (slash != NULL && !read_bits(slash + 1, bits, &bits))
        return false;
    memcpy(net->ip, a.ip, sizeof net->ip);
    net->bits = (unsigned char)(ip4 ? bits + 96 : bits);
    return true;
}

const char *proxies_parse(struct proxies *p, const char *list) {
    p->count = 0;
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        struct slice one = trim((struct slice){list, len});
        if (p->count == PROXIES_MOST)
            return "must be at most 64 networks";
        if (!read_network(one, &p->all[p->count]))
            return "must be addresses and networks, separated by commas: 10.0.0.0/8,::1";
        p->count++;
        list += len;
        list += *list == ',';
    }
    return NULL;
}

static bool network_has(const struct network *net, const struct conn_address *a) {
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    if (memcmp(net->ip, a->ip, whole) != 0)
        return false;
    return rest == 0 || ((net->ip[whole] ^ a->ip[whole]) >> (8 - rest)) == 0;
}

bool proxies_have(const struct proxies *p, const struct conn_address *a) {
    if (conn_address_is_none(a))
        return true;
    for (unsigned i = 0; i < p->count; i++) {
        /* ::/0 has every IPv6 address and no IPv4 address. */
        bool ip6 = p->all[i].bits < 96;
        if (!(ip6 && conn_address_is_ip4(a)) && network_has(&p->all[i], a))
            return true;
    }
    return false;
}

/* --- hops -----------------------------------------------------------------------------------
 */

static bool is_port(struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    }
    return text.len > 0 && text.len <= 5;
}

/* Cuts off a port, which follows brackets or the only colon. */
static bool cut_port(struct slice *hop) {
    const char *end = hop->ptr + hop->len;
    const char *colon = memchr(hop->ptr, ':', hop->len);
    if (hop->ptr[0] == '[') {
        const char *close = memchr(hop->ptr, ']', hop->len);
        if (close == NULL)
            return false;
        struct slice port = {close + 2, close + 1 < end ? (size_t)(end - close - 2) : 0};
        *hop = (struct slice){hop->ptr + 1, (size_t)(close - hop->ptr) - 1};
        return close + 1 == end || (close[1] == ':' && is_port(port));
    }
    if (colon == NULL || memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL)
        return true;
    hop->len = (size_t)(colon - hop->ptr);
    return is_port((struct slice){colon + 1, (size_t)(end - colon - 1)});
}

static bool read_hop(struct slice hop, struct conn_address *out) {
    char text[64];
    if (!cut_port(&hop))
        return false;
    const char *zone = memchr(hop.ptr, '%', hop.len);
    if (zone != NULL)
        hop.len = (size_t)(zone - hop.ptr);
    if (hop.len >= sizeof text)
        return false;
    memcpy(text, hop.ptr, hop.len);
    text[hop.len] = '\0';
    return conn_address_parse(out, text);
}

bool proxies_follow(const struct proxies *p, struct slice hops, struct conn_address *at) {
    while (hops.len > 0 && proxies_have(p, at)) {
        const char *comma = memrchr(hops.ptr, ',', hops.len);
        size_t from = comma != NULL ? (size_t)(comma - hops.ptr) + 1 : 0;
        struct slice hop = trim((struct slice){hops.ptr + from, hops.len - from});
        if (hop.len > 0 && !read_hop(hop, at))
            return false;
        hops.len = comma != NULL ? from - 1 : 0;
    }
    return true;
}
