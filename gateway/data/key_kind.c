#include "gateway/data/key_kind.h"

#include <string.h>

const char *const key_owner_names[OWNER_COUNT] = {"room", "topic", "dm", "user"};
const char *const key_part_names[PART_COUNT] = {
#define KEY_PART(name, text) text,
    KEY_PARTS(KEY_PART)
#undef KEY_PART
};

static struct slice after(struct slice s, size_t n) {
    return (struct slice){s.ptr + n, s.len - n};
}

/* The index of the last of these bytes; s.len if there is none. */
static size_t last_of(struct slice s, char c) {
    const char *at = s.len > 0 ? memrchr(s.ptr, c, s.len) : NULL;
    return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

static bool is_number(struct slice s) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    }
    return s.len > 0;
}

static bool is_one_of(struct slice s, const char *const words[]) {
    size_t i = 0;
    while (words[i] != NULL && !slice_is(s, words[i]))
        i++;
    return words[i] != NULL;
}

/* --- what stands between the prefix and the end ---------------------------------------------
 */

/* With one Redis: {name}:part. In a Cluster: {tag}name:part, and a tag's own keys as
 * {tag}nodes. False: it is a key of the Redis, or the partition, as a whole, and *name is what
 * it is. */
static bool split(const struct deployment *d, struct slice rest, struct slice *name,
                  struct slice *part) {
    *name = rest;
    *part = after(rest, rest.len);
    if (rest.len == 0 || rest.ptr[0] != '{')
        return false;
    const char *close = memchr(rest.ptr, '}', rest.len);
    if (close == NULL)
        return false;
    size_t inside = (size_t)(close - rest.ptr) - 1;
    struct slice tail = after(rest, inside + 2);
    if (d->partitions == 1) {
        *name = (struct slice){rest.ptr + 1, inside};
        *part = tail;
        return true;
    }
    *name = tail;
    size_t colon = last_of(tail, ':');
    if (colon == tail.len)
        return false;
    size_t before = last_of((struct slice){tail.ptr, colon}, ':');
    if (is_number(after(tail, colon + 1)) && before < colon &&
        slice_is((struct slice){tail.ptr + before, colon - before}, ":ids"))
        colon = before;
    *name = (struct slice){tail.ptr, colon};
    *part = after(tail, colon);
    return true;
}

static enum key_class class_of_whole(struct slice name) {
    static const char *const own[] = {"clock",     "term",       "ids", "rooms",
                                      "migration", "partitions", "tap", NULL};
    static const char *const presence[] = {"nodes",     "online", "lingering", "turning",
                                           "guests",    "told",   "heard",     "noted",
                                           "api:lease", "topics", NULL};
    static const char *const waiting[] = {"outbox", "pending",     "bye", "byes",
                                          "api",    "api:refused", NULL};
    if (is_one_of(name, own))
        return KEY_OWN;
    if (is_one_of(name, waiting))
        return KEY_WAITING;
    if (is_one_of(name, presence) || slice_starts(name, SLICE("stamp:")))
        return KEY_PRESENCE;
    if (slice_starts(name, SLICE("events:")))
        return KEY_WAITING;
    if (slice_starts(name, SLICE("tap:")))
        return KEY_OWN;
    return slice_starts(name, SLICE("sio:")) ? KEY_SESSION : KEY_UNKNOWN;
}

static bool read_part(struct key_kind *k, struct slice part) {
    static const struct slice ids = {"ids:", 4};
    if (slice_starts(part, ids) && is_number(after(part, ids.len))) {
        k->part = PART_IDS;
        k->bucket = after(part, ids.len);
        return true;
    }
    for (unsigned i = 0; i < PART_COUNT; i++) {
        if (i != PART_IDS && slice_is(part, key_part_names[i])) {
            k->part = (enum key_part)i;
            return true;
        }
    }
    return false;
}

static bool read_owner(struct key_kind *k) {
    for (unsigned i = 0; i < OWNER_COUNT; i++) {
        size_t len = strlen(key_owner_names[i]);
        if (slice_starts(k->name, slice_of(key_owner_names[i])) && k->name.len > len &&
            k->name.ptr[len] == ':') {
            k->owner = (enum key_owner)i;
            return true;
        }
    }
    return false;
}

static enum key_class class_of_part(struct key_kind *k, struct slice part) {
    static const char *const presence[] = {"conns", "here", "raw", "stamp", "turning", NULL};
    static const char *const waiting[] = {"pending", NULL};
    if (slice_starts(k->name, SLICE("node:")))
        return KEY_PRESENCE;
    if (is_one_of(part, presence))
        return KEY_PRESENCE;
    if (is_one_of(part, waiting))
        return KEY_WAITING;
    return read_owner(k) && read_part(k, part) ? KEY_DATA : KEY_UNKNOWN;
}

struct key_kind key_kind_of(const struct deployment *d, struct slice key) {
    struct key_kind k = {.class = KEY_UNKNOWN};
    struct slice prefix = slice_of(d->prefix);
    if (!slice_starts(key, prefix))
        return k;
    bool named = split(d, after(key, prefix.len), &k.name, &k.suffix);
    if (!named || slice_is(k.name, "tap") || slice_is(k.name, "api") ||
        slice_starts(k.name, SLICE("events")) || slice_starts(k.name, SLICE("sio")) ||
        slice_starts(k.name, SLICE("stamp")) || k.suffix.len < 2)
        k.class = class_of_whole(named && k.suffix.len > 0
                                     ? (struct slice){k.name.ptr, k.name.len + k.suffix.len}
                                     : k.name);
    else
        k.class = class_of_part(&k, after(k.suffix, 1));
    return k;
}

void key_pattern(const struct deployment *d, struct buf *out) {
    for (const char *c = d->prefix; *c != '\0'; c++) {
        if (strchr("*?[]", *c) != NULL)
            buf_char(out, '\\');
        buf_char(out, *c);
    }
    buf_char(out, '*');
}
