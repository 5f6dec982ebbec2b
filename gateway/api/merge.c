#include "gateway/api/merge.h"

#include <stdlib.h>
#include <string.h>

/* --- answers --------------------------------------------------------------------------------
 */

bool answers_init(struct answers *a, unsigned count) {
    *a = (struct answers){.of = calloc(count, sizeof(struct reply *)), .count = count};
    return a->of != NULL;
}

void answers_deinit(struct answers *a) {
    for (unsigned i = 0; a->of != NULL && i < a->count; i++)
        free(a->of[i]);
    free(a->of);
    *a = (struct answers){.of = NULL};
}

void answers_put(struct answers *a, unsigned partition, const struct reply *reply) {
    free(a->of[partition]);
    a->of[partition] = reply != NULL ? reply_copy(reply) : NULL;
}

const struct reply *answers_first(const struct answers *a) {
    for (unsigned i = 0; i < a->count; i++) {
        if (a->of[i] != NULL)
            return a->of[i];
    }
    return NULL;
}

uint64_t answer_time(const struct reply *answer) {
    return (uint64_t)reply_number(reply_item(answer, 1)) / 1000;
}

uint64_t answers_sum(const struct answers *a, size_t number) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < a->count; i++) {
        long long n = a->of[i] != NULL ? reply_number(reply_item(a->of[i], number)) : 0;
        sum += n > 0 ? (uint64_t)n : 0;
    }
    return sum;
}

struct slice node_name(struct slice incarnation) {
    size_t len = incarnation.len;
    while (len > 0 && incarnation.ptr[len - 1] != '.')
        len--;
    return len > 0 ? (struct slice){incarnation.ptr, len - 1} : incarnation;
}

/* --- rows -----------------------------------------------------------------------------------
 */

static bool make_room(struct rows *rows, const struct answers *a, size_t list) {
    size_t all = 0;
    for (unsigned i = 0; i < a->count; i++)
        all += a->of[i] != NULL ? reply_item(a->of[i], list)->count : 0;
    *rows = (struct rows){.at = calloc(all + 1, sizeof *rows->at)};
    return rows->at != NULL;
}

void rows_deinit(struct rows *rows) {
    free(rows->at);
    *rows = (struct rows){.at = NULL};
}

static int by_text(struct slice a, struct slice b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_size(const void *a, const void *b) {
    const struct reply *x = ((const struct row *)a)->item, *y = ((const struct row *)b)->item;
    long long of_x = reply_number(reply_item(x, 1)), of_y = reply_number(reply_item(y, 1));
    if (of_x != of_y)
        return of_x < of_y ? 1 : -1;
    return by_text(reply_text(reply_item(x, 0)), reply_text(reply_item(y, 0)));
}

bool rows_merge(struct rows *rows, const struct answers *a, size_t list, size_t most) {
    if (!make_room(rows, a, list))
        return false;
    for (unsigned i = 0; i < a->count; i++) {
        const struct reply *items = a->of[i] != NULL ? reply_item(a->of[i], list) : NULL;
        for (size_t k = 0; items != NULL && k < items->count; k++)
            rows->at[rows->count++] =
                (struct row){.item = items->items[k], .now = answer_time(a->of[i])};
    }
    if (a->count > 1) /* one Redis has sorted them */
        qsort(rows->at, rows->count, sizeof *rows->at, by_size);
    rows->count = rows->count < most ? rows->count : most;
    return true;
}

/* --- nodes ----------------------------------------------------------------------------------
 */

/* Leases of 0 and 1 are those of incarnations that were given up (lease.lua). */
static bool lives(const struct reply *node) {
    return reply_number(reply_item(node, 1)) > 1;
}

/* The row of the same node that an earlier partition has made, or NULL. */
static struct row *same_node(struct rows *rows, size_t before, const struct reply *node) {
    struct slice name = node_name(reply_text(reply_item(node, 0)));
    for (size_t i = 0; i < before; i++) {
        const struct reply *other = rows->at[i].item;
        if (lives(other) == lives(node) &&
            slice_eq(node_name(reply_text(reply_item(other, 0))), name))
            return &rows->at[i];
    }
    return NULL;
}

bool rows_merge_nodes(struct rows *rows, const struct answers *a, size_t list) {
    if (!make_room(rows, a, list))
        return false;
    for (unsigned i = 0; i < a->count; i++) {
        const struct reply *items = a->of[i] != NULL ? reply_item(a->of[i], list) : NULL;
        size_t before = rows->count; /* incarnations of one partition are never the same node */
        for (size_t k = 0; items != NULL && k < items->count; k++) {
            long long users = reply_number(reply_item(items->items[k], 2));
            struct row *same = same_node(rows, before, items->items[k]);
            if (same == NULL) {
                same = &rows->at[rows->count++];
                *same = (struct row){.item = items->items[k], .now = answer_time(a->of[i])};
            }
            same->users += users;
        }
    }
    return true;
}
