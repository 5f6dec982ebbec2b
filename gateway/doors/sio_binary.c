#include "gateway/doors/sio_binary.h"

#include <stdlib.h>

#include "common/base64.h"
#include "common/event.h"

/* True if the value has exactly the placeholders of so many attachments. */
static bool refers_to(struct slice value, uint32_t count) {
    struct buf text;
    struct sio_packet p;
    buf_init(&text);
    buf_printf(&text, "%d%u-[\"x\",", SIO_BINARY_EVENT, count);
    buf_slice(&text, value);
    buf_char(&text, ']');
    bool good = !text.failed && sio_read(buf_bytes(&text), SIO_BINARY_MOST, &p) == SIO_OK;
    buf_deinit(&text);
    return good;
}

/* --- in -------------------------------------------------------------------------------------
 */

/* The field of an event that may have attachments. */
static const char *carrier(struct slice event) {
#define EVENT_CARRIER(symbol, name, handler, flags, rights, payload) {name, payload},
    static const char *const carriers[EVENT_COUNT][2] = {EVENT_TABLE(EVENT_CARRIER)};
#undef EVENT_CARRIER
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        if (slice_is(event, carriers[i][0]))
            return carriers[i][1];
    }
    return NULL;
}

void sio_binary_put(const struct sio_message *m, struct buf *out) {
    if (m->attachment_count == 0)
        return;
    for (uint32_t i = 0; i < m->attachment_count; i++) {
        buf_str(out, i > 0 ? ",\"" : "[\"");
        base64_encode(m->attachments[i], out);
        buf_char(out, '"');
    }
    buf_char(out, ']');
}

const char *sio_binary_in(struct slice event, struct json_value data,
                          const struct sio_message *m, struct buf *out) {
    const char *field = carrier(event);
    struct json_value value;
    if (field == NULL || data.type != JSON_OBJECT)
        return "data";
    json_fields(data, &field, &value, 1);
    /* A published value is handed on as it is, so "bin" is put inside of it. */
    bool inside = slice_is(event, "publish");
    if (value.type == JSON_NONE || (inside && value.type != JSON_OBJECT) ||
        !refers_to(value.raw, m->attachment_count))
        return field;
    struct slice object = inside ? value.raw : data.raw;
    const char *end = object.ptr + object.len - 1;
    buf_append(out, data.raw.ptr, (size_t)(end - data.raw.ptr));
    buf_str(out, ",\"bin\":");
    sio_binary_put(m, out);
    buf_append(out, end, (size_t)(data.raw.ptr + data.raw.len - end));
    return NULL;
}

/* --- out ------------------------------------------------------------------------------------
 */

struct bin {
    struct slice key;
    struct json_value value;
    uint32_t count;
};

/* Is its value an array of strings, and not too long? */
static bool count_strings(struct bin *bin) {
    struct json_iter it;
    if (bin->value.type != JSON_ARRAY)
        return false;
    json_iter_init(&it, bin->value);
    while (json_iter_next(&it)) {
        if (it.value.type != JSON_STRING || ++bin->count > SIO_BINARY_MOST)
            return false;
    }
    return bin->count > 0;
}

static bool find_bin(struct slice data, struct bin *bin) {
    struct json_value object;
    struct json_iter it;
    *bin = (struct bin){.value = {JSON_NONE, {NULL, 0}}};
    if (memmem(data.ptr, data.len, "\"bin\":[", 7) == NULL ||
        json_parse(data, &object) != JSON_OK || object.type != JSON_OBJECT)
        return false;
    json_iter_init(&it, object);
    while (json_iter_next(&it)) {
        if (slice_is(it.key, "\"bin\"")) {
            bin->key = it.key;
            bin->value = it.value;
        }
    }
    return count_strings(bin);
}

/* The attachments of an own event stand beside its data. */
static bool find_own_bin(const struct message *m, struct bin *bin) {
    *bin = (struct bin){.value = {JSON_NONE, {NULL, 0}}};
    if (m->bin.len == 0 || json_parse(m->bin, &bin->value) != JSON_OK)
        return false;
    return count_strings(bin);
}

/* Appends the object without that member, and without the comma before or after it. */
static void put_without(struct slice data, const struct bin *bin, struct buf *out) {
    const char *end = data.ptr + data.len;
    const char *from = bin->key.ptr;
    const char *to = bin->value.raw.ptr + bin->value.raw.len;
    while (strchr(" \t\r\n", from[-1]) != NULL)
        from--;
    if (from[-1] == ',') {
        from--;
    } else {
        while (strchr(" \t\r\n,", *to) != NULL)
            to++;
    }
    buf_append(out, data.ptr, (size_t)(from - data.ptr));
    buf_append(out, to, (size_t)(end - to));
}

/* Decodes the bytes, one attachment after the other; ends: where each one ends. False: one is
 * not base64. */
static bool decode(const struct bin *bin, struct buf *bytes, size_t ends[]) {
    struct json_iter it;
    json_iter_init(&it, bin->value);
    for (uint32_t i = 0; json_iter_next(&it); i++) {
        struct slice text = {it.value.raw.ptr + 1, it.value.raw.len - 2};
        if (!base64_decode(text, bytes))
            return false;
        ends[i] = bytes->len;
    }
    return true;
}

static bool encode_all(struct message *m, struct net *n, const struct buf *bytes,
                       const size_t ends[], uint32_t count) {
    m->attached = calloc(count, sizeof *m->attached);
    if (m->attached == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        size_t from = i > 0 ? ends[i - 1] : 0;
        struct slice one = {from < bytes->len ? bytes->data + from : "", ends[i] - from};
        m->attached[i] = eio_encode(n, true, &one, 1);
        if (m->attached[i].plain.slab == NULL)
            return false;
        m->attached_count++;
    }
    return true;
}

enum sio_binary sio_binary_out(struct message *m, struct net *n, struct buf *out) {
    struct bin bin;
    struct buf bytes;
    if (m->own ? !find_own_bin(m, &bin) : !find_bin(m->data, &bin))
        return SIO_BINARY_NONE;
    if (m->own)
        buf_slice(out, m->data);
    else
        put_without(m->data, &bin, out);
    if (out->failed)
        return SIO_BINARY_NO_MEMORY;
    if (!refers_to(buf_bytes(out), bin.count))
        return SIO_BINARY_NONE;
    if (m->attached != NULL) /* it was encoded for another namespace */
        return m->attached_count == bin.count ? SIO_BINARY_SOME : SIO_BINARY_NO_MEMORY;
    size_t *ends = calloc(bin.count, sizeof *ends);
    buf_init(&bytes);
    enum sio_binary result = SIO_BINARY_NO_MEMORY;
    if (ends != NULL && !decode(&bin, &bytes, ends))
        result = SIO_BINARY_NONE;
    else if (ends != NULL && !bytes.failed && encode_all(m, n, &bytes, ends, bin.count))
        result = SIO_BINARY_SOME;
    buf_deinit(&bytes);
    free(ends);
    return result;
}
