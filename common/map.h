#ifndef SLUICE_COMMON_MAP_H
#define SLUICE_COMMON_MAP_H

#include <stdint.h>

#include "common/siphash.h"

/*
 * A hash table from byte strings to objects of the caller, intrusive: the object holds a struct
 * map_node (with the slice of its key, which must not move or change while it is in) and the
 * map allocates only its array of buckets. Keys come from outside, so the hash has a
 * key, which each map draws for itself and nobody sees: no two maps fall alike.
 */
struct map_node {
    struct map_node *next;
    struct slice key;
    uint64_t hash;
};

struct map {
    struct map_node **buckets;
    size_t size; /* of the array: a power of two, or 0 */
    size_t count;
    size_t low; /* no node is in a bucket before this one */
    struct siphash_key key;
};

/* Takes no memory yet. */
void map_init(struct map *m);
/* Frees the array; the objects stay the caller's. It is empty again, with the same key. */
void map_deinit(struct map *m);
struct map_node *map_find(const struct map *m, struct slice key);
/* node->key is set by the caller and must not be in the map yet. Returns false, with nothing
 * changed, when there is no memory for the first array; a failed growth is only slower. */
bool map_insert(struct map *m, struct map_node *node);
/* node must be in the map. Shrinks the array when it is an eighth full. */
void map_remove(struct map *m, struct map_node *node);
/* Walks all nodes in no order; NULL begins, NULL ends. The map must not change between. To
 * begin again and again while the nodes are removed one by one takes no longer than to walk. */
struct map_node *map_next(struct map *m, const struct map_node *node);

#endif
