#include "common/map.h"

#include <stdlib.h>

#include "common/random.h"

enum { MAP_FIRST_SIZE = 8 };

void map_init(struct map *m) {
    *m = (struct map){.size = 0};
    random_bytes(&m->key, sizeof m->key);
}

void map_deinit(struct map *m) {
    free(m->buckets);
    m->buckets = NULL;
    m->size = m->count = m->low = 0;
}

static struct map_node **bucket_of(const struct map *m, uint64_t hash) {
    return &m->buckets[hash & (m->size - 1)];
}

static void put(struct map *m, struct map_node *node) {
    struct map_node **bucket = bucket_of(m, node->hash);
    node->next = *bucket;
    *bucket = node;
    if ((size_t)(bucket - m->buckets) < m->low)
        m->low = (size_t)(bucket - m->buckets);
}

struct map_node *map_find(const struct map *m, struct slice key) {
    if (m->count == 0)
        return NULL;
    uint64_t hash = siphash(&m->key, key);
    struct map_node *node = *bucket_of(m, hash);
    while (node != NULL && (node->hash != hash || !slice_eq(node->key, key)))
        node = node->next;
    return node;
}

static bool resize(struct map *m, size_t size) {
    struct map_node **buckets = calloc(size, sizeof(struct map_node *));
    if (buckets == NULL)
        return false;
    struct map old = *m;
    m->buckets = buckets;
    m->size = size;
    m->low = size;
    for (size_t i = 0; i < old.size; i++) {
        struct map_node *node = old.buckets[i];
        while (node != NULL) {
            struct map_node *next = node->next;
            put(m, node);
            node = next;
        }
    }
    free(old.buckets);
    return true;
}

bool map_insert(struct map *m, struct map_node *node) {
    size_t size = m->size == 0 ? MAP_FIRST_SIZE : m->size * 2;
    if (m->count >= m->size && !resize(m, size) && m->size == 0)
        return false;
    node->hash = siphash(&m->key, node->key);
    put(m, node);
    m->count++;
    return true;
}

void map_remove(struct map *m, struct map_node *node) {
    struct map_node **link = bucket_of(m, node->hash);
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    node->next = NULL;
    m->count--;
    /* Without memory for a smaller array the larger one is kept. */
    if (m->size > MAP_FIRST_SIZE && m->count <= m->size / 8)
        (void)resize(m, m->size / 2);
}

struct map_node *map_next(struct map *m, const struct map_node *node) {
    if (node != NULL && node->next != NULL)
        return node->next;
    size_t i = node == NULL ? m->low : (node->hash & (m->size - 1)) + 1;
    while (i < m->size && m->buckets[i] == NULL)
        i++;
    if (node == NULL)
        m->low = i;
    return i < m->size ? m->buckets[i] : NULL;
}
