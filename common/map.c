#include "common/map.h"

#include <stdlib.h>

enum { MAP_FIRST_SIZE = 8 };

__extension__ typedef unsigned __int128 wide;

static inline uint64_t fold(uint64_t a, uint64_t b) {
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load(const char *p, size_t len) {
    uint64_t word = 0;
    memcpy(&word, p, len);
    return word;
}

/* Both what is added and what is multiplied by depend on the seed, so that nobody outside can
 * work out keys that meet in one bucket. */
static uint64_t hash_key(uint64_t seed, struct slice key) {
    uint64_t factor =
        fold(seed ^ UINT64_C(0x8f3d6a1c95e27b4d), UINT64_C(0xd1b54a32d192ed03)) | 1;
    uint64_t hash = seed + UINT64_C(0x2545f4914f6cdd1d) * (key.len + 1);
    const char *p = key.ptr;
    size_t left = key.len;
    for (; left >= 8; left -= 8, p += 8)
        hash = fold(hash ^ load(p, 8), factor) + factor;
    if (left > 0)
        hash = fold(hash ^ load(p, left), factor) + factor;
    return fold(hash ^ (hash >> 29), UINT64_C(0x9e3779b97f4a7c15));
}

void map_init(struct map *m, uint64_t seed) {
    *m = (struct map){.seed = seed};
}

void map_deinit(struct map *m) {
    free(m->buckets);
    map_init(m, m->seed);
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
    uint64_t hash = hash_key(m->seed, key);
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
    node->hash = hash_key(m->seed, node->key);
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
    /* Without memory for a smaller array the larger one serves as well. */
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
