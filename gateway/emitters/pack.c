#include "gateway/emitters/pack.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base64.h"
#include "common/json.h"
#include "common/utf8.h"

/* --- the heads ------------------------------------------------------------------------------
 */

/* What stands behind the heads 0xc0 to 0xdf: a number of so many bytes, which is that of bytes
 * or values that follow; and so many bytes more. */
struct shape {
    unsigned char counts;
    unsigned char bytes;
    unsigned char values; /* for each that is counted; 0: bytes are counted */
    bool wrong;
};

static const struct shape shapes[32] = {
    [0x01] = {.wrong = true},           /* c1 is not used */
    [0x04] = {.counts = 1},             /* binaries */
    [0x05] = {.counts = 2},             /**/
    [0x06] = {.counts = 4},             /**/
    [0x07] = {.counts = 1, .bytes = 1}, /* extensions, with their type */
    [0x08] = {.counts = 2, .bytes = 1}, /**/
    [0x09] = {.counts = 4, .bytes = 1}, /**/
    [0x0a] = {.bytes = 4},
    [0x0b] = {.bytes = 8}, /* floats */
    [0x0c] = {.bytes = 1},
    [0x0d] = {.bytes = 2}, /* integers */
    [0x0e] = {.bytes = 4},
    [0x0f] = {.bytes = 8}, /**/
    [0x10] = {.bytes = 1},
    [0x11] = {.bytes = 2}, /**/
    [0x12] = {.bytes = 4},
    [0x13] = {.bytes = 8}, /**/
    [0x14] = {.bytes = 2},
    [0x15] = {.bytes = 3}, /* extensions of a fixed length */
    [0x16] = {.bytes = 5},
    [0x17] = {.bytes = 9}, /**/
    [0x18] = {.bytes = 17},
    [0x19] = {.counts = 1}, /* texts */
    [0x1a] = {.counts = 2},
    [0x1b] = {.counts = 4},              /**/
    [0x1c] = {.counts = 2, .values = 1}, /* arrays */
    [0x1d] = {.counts = 4, .values = 1}, /**/
    [0x1e] = {.counts = 2, .values = 2}, /* maps */
    [0x1f] = {.counts = 4, .values = 2}, /**/
};

struct heads {
    const unsigned char *at;
    size_t left;
    uint64_t owed; /* values that are announced, and have not come */
    uint64_t open[PACK_DEEPEST];
    unsigned depth;
};

static bool skip(struct heads *h, uint64_t n) {
    if (n > h->left)
        return false;
    h->at += n;
    h->left -= (size_t)n;
    return true;
}

/* Takes a head, and the bytes of its value. *values: how many follow as its parts. */
static bool take_head(struct heads *h, uint64_t *values) {
    unsigned char head = *h->at;
    uint64_t count = 0;
    skip(h, 1);
    *values = 0;
    if (head < 0x80 || head >= 0xe0)
        return true;
    if (head < 0xa0) {
        *values = (head & 0x0fULL) * (head < 0x90 ? 2 : 1);
        return true;
    }
    if (head < 0xc0)
        return skip(h, head & 0x1fU);
    const struct shape *shape = &shapes[head - 0xc0];
    if (shape->wrong || shape->counts > h->left)
        return false;
    for (unsigned i = 0; i < shape->counts; i++)
        count = count << 8 | h->at[i];
    skip(h, shape->counts);
    *values = count * shape->values;
    return skip(h, shape->bytes) && skip(h, shape->values > 0 ? 0 : count);
}

/* A value is whole, and maybe what it is the last part of. */
static void close_parts(struct heads *h) {
    while (h->depth > 0 && --h->open[h->depth - 1] == 0)
        h->depth--;
}

/* Is that one value, no deeper than allowed, of parts that can all be there? */
static bool is_sound(struct slice bytes) {
    struct heads h = {(const unsigned char *)bytes.ptr, bytes.len, 1, {0}, 0};
    uint64_t values;
    while (h.owed > 0) {
        if (h.left == 0 || !take_head(&h, &values))
            return false;
        h.owed += values - 1;
        if (h.owed > h.left || (values > 0 && h.depth == PACK_DEEPEST))
            return false;
        if (values > 0)
            h.open[h.depth++] = values;
        else
            close_parts(&h);
    }
    return h.left == 0;
}

/* --- reading --------------------------------------------------------------------------------
 */

bool pack_read(struct pack *p, struct slice bytes) {
    size_t at = 0;
    if (!is_sound(bytes) || !msgpack_zone_init(&p->zone, MSGPACK_ZONE_CHUNK_SIZE))
        return false;
    if (msgpack_unpack(bytes.ptr, bytes.len, &at, &p->zone, &p->root) == MSGPACK_UNPACK_SUCCESS)
        return true;
    msgpack_zone_destroy(&p->zone);
    return false;
}

void pack_free(struct pack *p) {
    msgpack_zone_destroy(&p->zone);
}

struct slice pack_text(const msgpack_object *o) {
    struct slice none = {NULL, 0};
    if (o == NULL || o->type != MSGPACK_OBJECT_STR)
        return none;
    struct slice text = {o->via.str.ptr, o->via.str.size};
    return utf8_valid(text) ? text : none;
}

const msgpack_object *pack_member(const msgpack_object *map, const char *key) {
    if (map == NULL || map->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *kv = &map->via.map.ptr[i];
        if (kv->key.type == MSGPACK_OBJECT_STR &&
            slice_is((struct slice){kv->key.via.str.ptr, kv->key.via.str.size}, key))
            return &kv->val;
    }
    return NULL;
}

/* --- JSON -----------------------------------------------------------------------------------
 */

/* The shortest text that is this number; JSON has no others than finite ones. */
static void put_float(struct buf *out, double value) {
    char text[32];
    if (!isfinite(value)) {
        buf_str(out, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (digits == 17 || strtod(text, NULL) == value)
            break;
    }
    buf_str(out, text);
}

static uint64_t big_endian(const char *at, unsigned bytes) {
    uint64_t n = 0;
    for (unsigned i = 0; i < bytes; i++)
        n = n << 8 | (unsigned char)at[i];
    return n;
}

/* A time as JSON.stringify writes it. False: it is out of reach. */
static bool put_time(struct buf *out, int64_t seconds, unsigned ms) {
    struct tm tm;
    time_t at = (time_t)seconds;
    if (gmtime_r(&at, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 8099)
        return false;
    buf_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03uZ\"", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ms);
    return true;
}

/* Times of MessagePack; and two of extensions of notepack.io 2: a time in ms, and undefined. */
static bool put_extension(struct buf *out, const msgpack_object_ext *e) {
    const char *at = e->ptr;
    if (e->type == -1 && e->size == 4)
        return put_time(out, (int64_t)big_endian(at, 4), 0);
    if (e->type == -1 && e->size == 8)
        return put_time(out, (int64_t)(big_endian(at, 8) & 0x3ffffffffU),
                        (unsigned)(big_endian(at, 8) >> 34) / 1000000U % 1000U);
    if (e->type == -1 && e->size == 12)
        return put_time(out, (int64_t)big_endian(at + 4, 8),
                        (unsigned)big_endian(at, 4) / 1000000U % 1000U);
    if (e->type != 0 || (e->size != 1 && e->size != 8))
        return false;
    if (e->size == 1) {
        buf_str(out, "null");
        return true;
    }
    int64_t ms = (int64_t)big_endian(at, 8);
    int64_t rest = ms % 1000 < 0 ? ms % 1000 + 1000 : ms % 1000;
    return put_time(out, (ms - rest) / 1000, (unsigned)rest);
}

static bool put_text(struct buf *out, const char *at, size_t len) {
    struct slice text = {at, len};
    if (!utf8_valid(text))
        return false;
    json_escape(out, text);
    return true;
}

static void put_binary(struct pack_json *j, const msgpack_object_bin *b) {
    buf_printf(j->out, "{\"_placeholder\":true,\"num\":%u}", j->count);
    buf_str(j->bin, j->count++ == 0 ? "[\"" : ",\"");
    base64_encode((struct slice){b->ptr, b->size}, j->bin);
    buf_char(j->bin, '"');
}

static bool put_key(struct buf *out, const msgpack_object *key) {
    if (key->type == MSGPACK_OBJECT_STR)
        return put_text(out, key->via.str.ptr, key->via.str.size);
    if (key->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        buf_printf(out, "\"%" PRIu64 "\"", key->via.u64);
    else if (key->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        buf_printf(out, "\"%" PRId64 "\"", key->via.i64);
    else
        return false;
    return true;
}

static bool put_array(struct pack_json *j, const msgpack_object_array *a) {
    buf_char(j->out, '[');
    for (uint32_t i = 0; i < a->size; i++) {
        if (i > 0)
            buf_char(j->out, ',');
        if (!pack_put(j, &a->ptr[i]))
            return false;
    }
    buf_char(j->out, ']');
    return true;
}

static bool put_map(struct pack_json *j, const msgpack_object_map *m) {
    buf_char(j->out, '{');
    for (uint32_t i = 0; i < m->size; i++) {
        if (i > 0)
            buf_char(j->out, ',');
        if (!put_key(j->out, &m->ptr[i].key))
            return false;
        buf_char(j->out, ':');
        if (!pack_put(j, &m->ptr[i].val))
            return false;
    }
    buf_char(j->out, '}');
    return true;
}

bool pack_put(struct pack_json *j, const msgpack_object *o) {
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        buf_str(j->out, "null");
        return true;
    case MSGPACK_OBJECT_BOOLEAN:
        buf_str(j->out, o->via.boolean ? "true" : "false");
        return true;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        buf_printf(j->out, "%" PRIu64, o->via.u64);
        return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        buf_printf(j->out, "%" PRId64, o->via.i64);
        return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        put_float(j->out, o->via.f64);
        return true;
    case MSGPACK_OBJECT_STR:
        return put_text(j->out, o->via.str.ptr, o->via.str.size);
    case MSGPACK_OBJECT_BIN:
        put_binary(j, &o->via.bin);
        return true;
    case MSGPACK_OBJECT_ARRAY:
        return put_array(j, &o->via.array);
    case MSGPACK_OBJECT_MAP:
        return put_map(j, &o->via.map);
    case MSGPACK_OBJECT_EXT:
        return put_extension(j->out, &o->via.ext);
    }
    return false;
}
