/*
 * libFuzzer on the WebSocket codec: any bytes, whole and byte by byte. Both must give the same
 * messages, control frames and end. The first two bytes choose the limits, and whether messages
 * may be compressed; then each one is deflated and inflated once more.
 */
#include "common/buf.h"
#include "common/utf8.h"
#include "common/ws.h"
#include "tests/fuzz/fuzz.h"

static void put(struct buf *seen, const char *what, unsigned n, struct slice bytes) {
    buf_printf(seen, "%s %u %zu:", what, n, bytes.len);
    buf_slice(seen, bytes);
}

static bool on_message(void *seen, enum ws_opcode opcode, struct slice payload) {
    check(opcode == WS_BINARY || (opcode == WS_TEXT && utf8_valid(payload)));
    put(seen, "message", opcode, payload);
    return true;
}

static bool on_control(void *seen, enum ws_opcode opcode, struct slice payload) {
    check((opcode == WS_PING || opcode == WS_PONG) && payload.len <= 125);
    put(seen, "control", opcode, payload);
    return true;
}

static const struct ws_handler plain_handler = {.on_message = on_message,
                                                .on_control = on_control};

/* As in a node, what one message leaves in them is there when the next one comes. */
static struct ws_deflate deflate;

static bool on_any_message(void *seen, enum ws_opcode opcode, struct slice payload) {
    struct buf again;
    struct slice packed = ws_deflate_pack(&deflate, payload, 2 * payload.len + 20);
    buf_init(&again);
    check(packed.len > 0);
    check(ws_deflate_unpack(&deflate, packed, payload.len, &again) == WS_UNPACKED);
    check(slice_eq(buf_bytes(&again), payload));
    buf_deinit(&again);
    return on_message(seen, opcode, payload);
}

static void on_inflated(void *seen, size_t packed, size_t plain) {
    buf_printf(seen, "%zu to %zu ", packed, plain);
}

static const struct ws_handler packed_handler = {
    .on_message = on_any_message, .on_control = on_control, .on_inflated = on_inflated};

/* Each piece is a copy of its own, so that a read beyond it is found. */
static void feed(struct ws_pool *pool, const struct ws_handler *handler, struct slice all,
                 size_t step, struct buf *seen) {
    struct ws_input in = {NULL};
    enum ws_result result = WS_OK;
    uint16_t code = 0;
    for (size_t at = 0; at < all.len && result == WS_OK; at += step) {
        size_t n = all.len - at < step ? all.len - at : step;
        char *piece = malloc(n);
        check(piece != NULL);
        memcpy(piece, all.ptr + at, n);
        result = ws_feed(&in, pool, handler, seen, piece, n, &code);
        check(result == WS_OK || in.parser == NULL);
        free(piece);
    }
    check(result == WS_OK || code != 0);
    put(seen, "end", (unsigned)result * 10000U + code, (struct slice){NULL, 0});
    ws_input_deinit(&in, pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ws_pool pool;
    struct buf whole, cut;
    if (size < 3)
        return 0;
    const struct ws_handler *handler = data[1] < 128 ? &plain_handler : &packed_handler;
    ws_pool_init(&pool, (size_t)data[0] * 4, 1U + data[1] % 8U);
    pool.deflate = &deflate;
    struct slice all = {(const char *)data + 2, size - 2};
    buf_init(&whole);
    buf_init(&cut);
    feed(&pool, handler, all, all.len, &whole);
    feed(&pool, handler, all, 1, &cut);
    check(slice_eq(buf_bytes(&whole), buf_bytes(&cut)));
    buf_deinit(&whole);
    buf_deinit(&cut);
    ws_pool_deinit(&pool);
    return 0;
}
