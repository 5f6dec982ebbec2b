#ifndef SLUICE_API_MERGE_H
#define SLUICE_API_MERGE_H

#include <stdint.h>

#include "gateway/redis/reply.h"

/*
 * What the partitions of Redis answered to one script, and lists that are made of it. One Redis
 * is one partition, whose lists stay as they are.
 */
struct answers {
    struct reply **of; /* by partition; NULL: it did not answer. Owned. */
    unsigned count;
};

/* Makes room for the answers of so many partitions. False: no memory. */
bool answers_init(struct answers *a, unsigned count);
void answers_deinit(struct answers *a);
/* Keeps a copy of an answer. NULL, and an answer for which there is no memory, is none. */
void answers_put(struct answers *a, unsigned partition, const struct reply *reply);
/* The first partition's that answered, or NULL. */
const struct reply *answers_first(const struct answers *a);

/* The time that an answer has as its second item, in ms; of a nil reply 0. */
uint64_t answer_time(const struct reply *answer);

/* An entry of a list. It points into the answers. */
struct row {
    const struct reply *item;
    uint64_t now;    /* the time of its partition, in ms */
    long long users; /* of a node: in all partitions */
};

struct rows {
    struct row *at; /* owned */
    size_t count;
};

/* The entries of item `list` of each answer. The largest second item comes first, then the
 * least first item; at most `most` of them. False: no memory. The caller calls rows_deinit in
 * either case. */
bool rows_merge(struct rows *rows, const struct answers *a, size_t list, size_t most);
/* The nodes (item `list` of cluster.lua's answers). A node has an incarnation in each
 * partition, and is one row, with its incarnation in the first partition that told one. A node
 * that lives and what is left of an earlier life of it are two rows. */
bool rows_merge_nodes(struct rows *rows, const struct answers *a, size_t list);
void rows_deinit(struct rows *rows);

/* The sum of item `number` of all answers. */
uint64_t answers_sum(const struct answers *a, size_t number);

/* The node's name within its incarnation. */
struct slice node_name(struct slice incarnation);

#endif
