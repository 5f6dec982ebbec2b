/*
 * libFuzzer on addresses: the first line is a list of trusted proxies, the second one a header
 * with the hops, the others are addresses. An address that was written must be read as the
 * same; the hops must end where a walk one by one ends.
 */
#include "gateway/net/proxies.h"
#include "tests/fuzz/fuzz.h"

static bool same(const struct conn_address *a, const struct conn_address *b) {
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static void address(struct slice text) {
    struct conn_address a, again;
    struct sockaddr_storage socket_address;
    char out[CONN_ADDRESS_SIZE];
    if (!conn_address_read(&a, text))
        return;
    conn_address_text(&a, out);
    check(conn_address_read(&again, slice_of(out)) && same(&a, &again));
    conn_address_get(&a, &socket_address);
    conn_address_set(&again, (const struct sockaddr *)&socket_address);
    check(same(&a, &again));
}

/* Each element of the list trusts the address in it. */
static void networks(const struct proxies *p) {
    for (unsigned i = 0; i < p->count; i++) {
        struct conn_address a = {.port = 1};
        check(p->all[i].bits <= 128);
        memcpy(a.ip, p->all[i].ip, sizeof a.ip);
        check(proxies_have(p, &a) || (p->all[i].bits < 96 && conn_address_is_ip4(&a)));
    }
}

static void hops(const struct proxies *p, struct slice text) {
    struct conn_address at = {.port = 7, .ip = {[15] = 1}}, step = at;
    bool good = proxies_follow(p, text, &at), walked = true;
    struct slice rest = text;
    while (walked && rest.len > 0) {
        const char *comma = memrchr(rest.ptr, ',', rest.len);
        size_t from = comma != NULL ? (size_t)(comma - rest.ptr) + 1 : 0;
        if (!proxies_have(p, &step))
            break;
        walked = proxies_follow(p, (struct slice){rest.ptr + from, rest.len - from}, &step);
        rest.len = comma != NULL ? from - 1 : 0;
    }
    check(good == walked && same(&at, &step));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct proxies p;
    struct slice rest = {(const char *)data, size};
    char *list = fuzz_text(fuzz_line(&rest));
    struct slice header = fuzz_line(&rest);
    if (proxies_parse(&p, list) == NULL) {
        check(p.count <= PROXIES_MOST);
        networks(&p);
        hops(&p, header);
    }
    while (rest.len > 0)
        address(fuzz_line(&rest));
    free(list);
    return 0;
}
