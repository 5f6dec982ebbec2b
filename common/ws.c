#include "common/ws.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <wslay/wslay.h>

#include "common/base64.h"
#include "common/utf8.h"

enum { CONTROL_MAX = 125, FIRST_CAP = 256, KEY_LEN = 24 };
#define WSLAY_CONTEXT 4224 /* bytes, about: its buffer of 4 KiB and its state */

struct ws_parser {
    struct ws_parser *next; /* in the pool */
    wslay_frame_context_ptr frames;
    const char *bytes; /* of the input: the rest, which wslay has not read yet */
    size_t left;
    uint64_t pending; /* bytes that wslay took since the end of the last whole frame */
    bool in_frame;    /* payload of the frame has begun to come */
    bool compressed;  /* the current message */
    uint64_t received;
    unsigned fragments; /* fragments of the current message; 0: there is none */
    enum ws_opcode opcode;
    uint32_t utf8;
    char *data; /* the message as far as it has come */
    size_t len;
    size_t cap;
    size_t control_len;
    char control[CONTROL_MAX];
};

/* One call of ws_feed. */
struct feed {
    struct ws_parser *parser;
    struct ws_pool *pool;
    const struct ws_handler *handler;
    void *arg;
    uint16_t code;
};

static ssize_t give_bytes(uint8_t *out, size_t cap, int flags, void *arg) {
    struct ws_parser *p = arg;
    (void)flags;
    size_t n = p->left < cap ? p->left : cap;
    if (n == 0)
        return -1;
    memcpy(out, p->bytes, n);
    p->bytes += n;
    p->left -= n;
    p->pending += n;
    return (ssize_t)n;
}

static void parser_free(struct ws_parser *p) {
    wslay_frame_context_free(p->frames);
    free(p->data);
    free(p);
}

static struct ws_parser *parser_create(void) {
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = give_bytes};
    struct ws_parser *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    if (wslay_frame_context_init(&p->frames, &callbacks, p) != 0) {
        free(p);
        return NULL;
    }
    return p;
}

static struct ws_parser *pool_get(struct ws_pool *pool) {
    struct ws_parser *p = pool->free_list;
    if (p == NULL)
        return parser_create();
    pool->free_list = p->next;
    pool->free_count--;
    return p;
}

static void message_reset(struct ws_pool *pool, struct ws_parser *p) {
    pool->held -= p->cap;
    free(p->data);
    p->data = NULL;
    p->len = 0;
    p->cap = 0;
    p->fragments = 0;
    p->utf8 = UTF8_ACCEPT;
}

/* wslay cannot be told to forget a frame, so only a parser between two frames is kept. */
static void pool_put(struct ws_pool *pool, struct ws_parser *p) {
    message_reset(pool, p);
    pool->held -= sizeof *p + WSLAY_CONTEXT;
    if (p->pending != 0 || pool->free_count >= WS_POOL_KEEP) {
        parser_free(p);
        return;
    }
    p->next = pool->free_list;
    pool->free_list = p;
    pool->free_count++;
}

void ws_pool_init(struct ws_pool *pool, size_t max_message, unsigned max_fragments) {
    *pool = (struct ws_pool){.max_message = max_message, .max_fragments = max_fragments};
}

void ws_pool_deinit(struct ws_pool *pool) {
    while (pool->free_list != NULL)
        parser_free(pool_get(pool));
}

void ws_input_deinit(struct ws_input *in, struct ws_pool *pool) {
    if (in->parser == NULL)
        return;
    pool_put(pool, in->parser);
    in->parser = NULL;
}

size_t ws_input_held(const struct ws_input *in) {
    const struct ws_parser *p = in->parser;
    return p != NULL ? p->cap + sizeof *p + WSLAY_CONTEXT : 0;
}

static enum ws_result fail(struct feed *f, uint16_t code) {
    f->code = code;
    return WS_FAILED;
}

static bool is_control(unsigned opcode) {
    return opcode >= WS_CLOSE;
}

static size_t most_of(const struct feed *f) {
    return f->handler->most != NULL ? f->handler->most(f->arg) : f->pool->max_message;
}

/* RSV1 stands on the first frame of a compressed message, and nowhere else (RFC 7692, 6.1). */
static bool rsv_is_good(const struct feed *f, const struct wslay_frame_iocb *io) {
    bool begins = io->opcode == WS_TEXT || io->opcode == WS_BINARY;
    bool may = begins && f->handler->on_inflated != NULL;
    return io->rsv == 0 || (may && io->rsv == WSLAY_RSV1_BIT);
}

/* Looks at a frame when its payload begins. Returns 0 or the code to close with. */
static uint16_t check_frame(const struct feed *f, const struct wslay_frame_iocb *io) {
    const struct ws_parser *p = f->parser;
    if (!io->mask || !rsv_is_good(f, io))
        return WS_CODE_PROTOCOL;
    bool in_message = p->fragments > 0;
    switch (io->opcode) {
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG:
        return 0;
    case WS_CONTINUATION:
    case WS_TEXT:
    case WS_BINARY:
        if (in_message != (io->opcode == WS_CONTINUATION))
            return WS_CODE_PROTOCOL;
        break;
    default:
        return WS_CODE_PROTOCOL;
    }
    size_t most = most_of(f);
    if (p->len > most || io->payload_length > most - p->len)
        return WS_CODE_TOO_BIG;
    return p->fragments >= f->pool->max_fragments ? WS_CODE_POLICY : 0;
}

static enum ws_result begin_frame(struct feed *f, const struct wslay_frame_iocb *io) {
    struct ws_parser *p = f->parser;
    uint16_t code = check_frame(f, io);
    if (code != 0)
        return fail(f, code);
    p->in_frame = true;
    p->received = 0;
    if (is_control(io->opcode)) {
        p->control_len = 0;
        return WS_OK;
    }
    if (p->fragments == 0) {
        p->opcode = (enum ws_opcode)io->opcode;
        p->compressed = io->rsv != 0;
    }
    p->fragments++;
    return WS_OK;
}

/* Counts the payload. Returns true at the end of the frame; then wslay is between frames. */
static bool end_frame(struct ws_parser *p, const struct wslay_frame_iocb *io) {
    p->received += io->data_length;
    if (p->received < io->payload_length)
        return false;
    uint64_t size = io->payload_length;
    uint64_t length_bytes = size > UINT16_MAX ? 8 : size > 125 ? 2 : 0;
    p->pending -= 2 + length_bytes + 4 + size;
    p->in_frame = false;
    return true;
}

/* Memory grows with the bytes that have come, not with the announced length. check_frame made
 * sure that all of it fits the limit. */
static bool append(struct ws_pool *pool, struct ws_parser *p, struct slice chunk) {
    if (chunk.len == 0)
        return true;
    if (chunk.len > p->cap - p->len) {
        size_t cap = p->cap == 0 ? FIRST_CAP : p->cap;
        while (cap - p->len < chunk.len)
            cap *= 2;
        if (cap > pool->max_message)
            cap = pool->max_message;
        char *data = realloc(p->data, cap);
        if (data == NULL)
            return false;
        pool->held += cap - p->cap;
        p->data = data;
        p->cap = cap;
    }
    memcpy(p->data + p->len, chunk.ptr, chunk.len);
    p->len += chunk.len;
    return true;
}

static enum ws_result hand_on(struct feed *f, struct slice message) {
    bool go_on = f->handler->on_message(f->arg, f->parser->opcode, message);
    message_reset(f->pool, f->parser);
    return go_on ? WS_OK : WS_STOPPED;
}

static uint16_t code_of(enum ws_unpacked result) {
    switch (result) {
    case WS_UNPACKED:
        return 0;
    case WS_UNPACK_TOO_BIG:
        return WS_CODE_TOO_BIG;
    case WS_UNPACK_NO_MEMORY:
        return WS_CODE_INTERNAL;
    case WS_UNPACK_CORRUPT:
        break;
    }
    return WS_CODE_INVALID_UTF8; /* data that is not of the message's kind (RFC 6455, 7.4.1) */
}

static enum ws_result take_compressed(struct feed *f, struct slice packed) {
    struct buf plain;
    buf_init(&plain);
    uint16_t code = code_of(ws_deflate_unpack(f->pool->deflate, packed, most_of(f), &plain));
    if (code == 0 && f->parser->opcode == WS_TEXT && !utf8_valid(buf_bytes(&plain)))
        code = WS_CODE_INVALID_UTF8;
    enum ws_result result = WS_FAILED;
    if (code == 0) {
        f->handler->on_inflated(f->arg, packed.len, plain.len);
        result = hand_on(f, buf_bytes(&plain));
    } else {
        fail(f, code);
    }
    buf_deinit(&plain);
    return result;
}

static enum ws_result take_data(struct feed *f, struct slice chunk, bool last) {
    struct ws_parser *p = f->parser;
    if (p->opcode == WS_TEXT && !p->compressed) {
        p->utf8 = utf8_feed(p->utf8, chunk.ptr, chunk.len);
        if (p->utf8 == UTF8_REJECT || (last && p->utf8 != UTF8_ACCEPT))
            return fail(f, WS_CODE_INVALID_UTF8);
    }
    struct slice message = chunk;
    if (!last || p->len > 0) {
        if (!append(f->pool, p, chunk))
            return fail(f, WS_CODE_INTERNAL);
        message = (struct slice){p->data, p->len};
    }
    if (!last)
        return WS_OK;
    return p->compressed ? take_compressed(f, message) : hand_on(f, message);
}

static bool close_code_valid(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static enum ws_result take_close(struct feed *f, struct slice body) {
    if (body.len == 0) {
        f->code = WS_CODE_NO_STATUS;
        return WS_CLOSED;
    }
    if (body.len == 1)
        return fail(f, WS_CODE_PROTOCOL);
    unsigned code = (unsigned)(unsigned char)body.ptr[0] << 8 | (unsigned char)body.ptr[1];
    if (!close_code_valid(code))
        return fail(f, WS_CODE_PROTOCOL);
    if (!utf8_valid((struct slice){body.ptr + 2, body.len - 2}))
        return fail(f, WS_CODE_INVALID_UTF8);
    f->code = (uint16_t)code;
    return WS_CLOSED;
}

static enum ws_result take_control(struct feed *f, enum ws_opcode opcode, struct slice chunk,
                                   bool last) {
    struct ws_parser *p = f->parser;
    memcpy(p->control + p->control_len, chunk.ptr, chunk.len);
    p->control_len += chunk.len;
    if (!last)
        return WS_OK;
    struct slice payload = {p->control, p->control_len};
    if (opcode == WS_CLOSE)
        return take_close(f, payload);
    return f->handler->on_control(f->arg, opcode, payload) ? WS_OK : WS_STOPPED;
}

static enum ws_result take_chunk(struct feed *f, const struct wslay_frame_iocb *io) {
    struct ws_parser *p = f->parser;
    if (!p->in_frame) {
        enum ws_result result = begin_frame(f, io);
        if (result != WS_OK)
            return result;
    }
    bool last = end_frame(p, io);
    struct slice chunk = {(const char *)io->data, io->data_length};
    if (is_control(io->opcode))
        return take_control(f, (enum ws_opcode)io->opcode, chunk, last);
    return take_data(f, chunk, last && io->fin);
}

static enum ws_result feed_all(struct feed *f) {
    enum ws_result result = WS_OK;
    while (result == WS_OK) {
        struct wslay_frame_iocb io;
        ssize_t n = wslay_frame_recv(f->parser->frames, &io);
        if (n == WSLAY_ERR_WANT_READ)
            return WS_OK;
        result = n < 0 ? fail(f, WS_CODE_PROTOCOL) : take_chunk(f, &io);
    }
    return result;
}

enum ws_result ws_feed(struct ws_input *in, struct ws_pool *pool,
                       const struct ws_handler *handler, void *arg, const char *bytes,
                       size_t len, uint16_t *code) {
    if (len == 0)
        return WS_OK;
    if (in->parser == NULL) {
        in->parser = pool_get(pool);
        if (in->parser == NULL) {
            *code = WS_CODE_INTERNAL;
            return WS_FAILED;
        }
        pool->held += sizeof *in->parser + WSLAY_CONTEXT;
    }
    struct ws_parser *p = in->parser;
    p->bytes = bytes;
    p->left = len;
    struct feed f = {.parser = p, .pool = pool, .handler = handler, .arg = arg};
    enum ws_result result = feed_all(&f);
    if (result == WS_CLOSED || result == WS_FAILED)
        *code = f.code;
    bool partial = p->pending != 0 || p->fragments != 0;
    if (result != WS_OK || !partial)
        ws_input_deinit(in, pool);
    return result;
}

static void store_big_endian(uint8_t *out, uint64_t n, size_t len) {
    for (size_t i = len; i > 0; i--) {
        out[i - 1] = (uint8_t)n;
        n >>= 8;
    }
}

size_t ws_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t payload_len) {
    out[0] = (uint8_t)(0x80U | (unsigned)opcode);
    if (payload_len <= 125) {
        out[1] = (uint8_t)payload_len;
        return 2;
    }
    size_t length_bytes = payload_len <= UINT16_MAX ? 2 : 8;
    out[1] = length_bytes == 2 ? 126 : 127;
    store_big_endian(out + 2, payload_len, length_bytes);
    return 2 + length_bytes;
}

size_t ws_close_frame(uint8_t out[WS_CLOSE_MAX], uint16_t code, const char *reason) {
    if (code == WS_CODE_NO_STATUS)
        return ws_header(out, WS_CLOSE, 0);
    size_t len = strnlen(reason, CONTROL_MAX - 2);
    size_t at = ws_header(out, WS_CLOSE, 2 + len);
    store_big_endian(out + at, code, 2);
    memcpy(out + at + 2, reason, len);
    return at + 2 + len;
}

void ws_accept(char out[WS_ACCEPT_SIZE], struct slice key) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *sha1 = EVP_MD_CTX_new();
    bool ok = sha1 != NULL && EVP_DigestInit_ex(sha1, EVP_sha1(), NULL) == 1 &&
              EVP_DigestUpdate(sha1, key.ptr, key.len) == 1 &&
              EVP_DigestUpdate(sha1, guid, sizeof guid - 1) == 1 &&
              EVP_DigestFinal_ex(sha1, digest, NULL) == 1;
    EVP_MD_CTX_free(sha1);
    out[0] = '\0';
    if (ok)
        EVP_EncodeBlock((unsigned char *)out, digest, 20);
}

bool ws_key_valid(struct slice key) {
    return key.len == KEY_LEN && base64_digits(key) == KEY_LEN - 2 &&
           key.ptr[KEY_LEN - 2] == '=' && key.ptr[KEY_LEN - 1] == '=';
}
