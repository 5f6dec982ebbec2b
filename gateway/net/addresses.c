#include "gateway/net/addresses.h"

#include <stdlib.h>

struct address_count {
    struct map_node node;
    unsigned count;
    unsigned char ip[16];
};

void addresses_init(struct addresses *a, unsigned most) {
    map_init(&a->counts);
    a->most = most;
}

void addresses_deinit(struct addresses *a) {
    map_deinit(&a->counts);
}

static struct conn_address network_of(const struct conn_address *of) {
    struct conn_address network = *of;
    if (!conn_address_is_ip4(of))
        memset(network.ip + 8, 0, 8);
    return network;
}

static struct address_count *find(const struct addresses *a, const struct conn_address *of) {
    struct conn_address network = network_of(of);
    struct slice key = {(const char *)network.ip, sizeof network.ip};
    struct map_node *found = map_find(&a->counts, key);
    return found != NULL ? container_of(found, struct address_count, node) : NULL;
}

static struct address_count *add(struct addresses *a, const struct conn_address *of) {
    struct address_count *one = calloc(1, sizeof *one);
    struct conn_address network = network_of(of);
    if (one == NULL)
        return NULL;
    memcpy(one->ip, network.ip, sizeof one->ip);
    one->node.key = (struct slice){(const char *)one->ip, sizeof one->ip};
    if (map_insert(&a->counts, &one->node))
        return one;
    free(one);
    return NULL;
}

bool addresses_enter(struct addresses *a, const struct conn_address *of) {
    if (a->most == 0)
        return true;
    struct address_count *one = find(a, of);
    if (one == NULL)
        one = add(a, of);
    if (one == NULL || one->count >= a->most)
        return false;
    one->count++;
    return true;
}

void addresses_leave(struct addresses *a, const struct conn_address *of) {
    struct address_count *one = a->most != 0 ? find(a, of) : NULL;
    if (one == NULL || --one->count > 0)
        return;
    map_remove(&a->counts, &one->node);
    free(one);
}
