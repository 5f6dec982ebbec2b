#include "gateway/auth/unique.h"

#include <stdlib.h>

/* The names of one object, decoded, one after the other. */
struct names {
    struct buf bytes;
    struct buf ends; /* of size_t: where each one ends */
};

static int compare(const void *a, const void *b) {
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static bool add(struct names *n, struct slice key) {
    struct json_value name = {JSON_STRING, key};
    if (!buf_reserve(&n->bytes, key.len))
        return false;
    ptrdiff_t len = json_decode(name, n->bytes.data + n->bytes.len, key.len);
    if (len < 0)
        return false;
    n->bytes.len += (size_t)len;
    buf_append(&n->ends, &n->bytes.len, sizeof n->bytes.len);
    return !n->ends.failed;
}

static bool differ(const struct names *n) {
    size_t count = n->ends.len / sizeof(size_t);
    const size_t *ends = (const size_t *)(const void *)n->ends.data;
    struct slice *sorted = count < 2 ? NULL : malloc(count * sizeof *sorted);
    if (sorted == NULL)
        return count < 2;
    bool good = true;
    for (size_t i = 0, at = 0; i < count; at = ends[i++])
        sorted[i] = (struct slice){n->bytes.data + at, ends[i] - at};
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 1; i < count; i++)
        good = good && !slice_eq(sorted[i - 1], sorted[i]);
    free(sorted);
    return good;
}

static bool is_unique(struct json_value object) {
    struct names n = {.bytes = {0}};
    struct json_iter it;
    bool good = true;
    json_iter_init(&it, object);
    while (good && json_iter_next(&it))
        good = add(&n, it.key);
    good = good && differ(&n);
    buf_deinit(&n.bytes);
    buf_deinit(&n.ends);
    return good;
}

/* Goes as deep as the text, which json_parse allows to JSON_MAX_DEPTH. */
bool unique_members(struct json_value value) {
    if (value.type == JSON_OBJECT && !is_unique(value))
        return false;
    struct json_iter it;
    json_iter_init(&it, value);
    while (json_iter_next(&it)) {
        if (!unique_members(it.value))
            return false;
    }
    return true;
}
