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

static struct address_count *find(const struct addresses *a, const struct conn_address *of) {
    struct slice key = {(const char *)of->ip, sizeof of->ip};
    struct map_node *found = map_find(&a->counts, key);
    return found != NULL ? container_of(found, struct address_count, node) : NULL;
}

static struct address_count *add(struct addresses *a, const struct conn_address *of) {
    struct address_count *one = calloc(1, sizeof *one);
    if (one == NULL)
        return NULL;
    memcpy(one->ip, of->ip, sizeof one->ip);
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
