#ifndef SLUICE_COMMON_MAP_H
#define SLUICE_COMMON_MAP_H

#include <stdint.h>

#include "common/siphash.h"

/*
 * An intrusive hash table from byte strings to objects of the caller. The object has a struct
 * map_node, with the slice of its key, which must not move or change while it is in the map.
 * The map allocates only its array of buckets. Since the strings come from outside, the hash is
 * keyed: each map draws a random, secret key, so no two maps spread alike.
 */
struct map_node {
    struct map_node *next;
    struct slice key;
    uint64_t hash;
};

struct map {
    struct map_node **buckets;
    size_t size; /* the size of the array: a power of two, or 0 */
    size_t count;
    size_t low; /* no node is in a bucket before this one */
    struct siphash_key key;
};

/* Takes no memory yet. */
void map_init(struct map *m);
/* Frees the array; the caller still owns the objects. The map is empty again, with the same
 * key. */
void map_deinit(struct map *m);
struct map_node *map_find(const struct map *m, struct slice key);
/* node->key is set by the caller and must not be in the map yet. Returns false, and changes
 * nothing, when there is no memory for the first array. When a later growth fails, the map is
 * only slower. */
bool map_insert(struct map *m, struct map_node *node);
/* node must be in the map. Shrinks the array when it is an eighth full. */
void map_remove(struct map *m, struct map_node *node);
/* Walks all nodes in no order; NULL begins, NULL ends. The map must not change in between.
 * Removing all nodes one by one, with a new walk for each, takes no longer than one walk. */
struct map_node *map_next(struct map *m, const struct map_node *node);
/* The first node of a bucket, those before `size`; the others follow by `next`. A walk over all
 * buckets may rest while the map changes, if it begins again when `size` has changed. */
static inline struct map_node *map_bucket(const struct map *m, size_t i) {
    return m->buckets[i];
}

#endif
