/*
 * Memory that runs out: linked with --wrap for malloc, calloc and realloc, so that the n-th
 * call from this program's own objects can be made to fail. Each test repeats an operation with
 * n = 0, 1, 2, ... until it gets through without a failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/map.h"
#include "common/ws.h"
#include "gateway/auth/claims.h"
#include "gateway/auth/jwk.h"
#include "gateway/auth/pem.h"
#include "gateway/auth/sign.h"
#include "gateway/net/conn.h"
#include "gateway/net/turn.h"
#include "tcp_pair.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

static struct {
    bool armed;
    bool all_after; /* not only the n-th fails, but each one from there on */
    unsigned left;
    unsigned calls;
    unsigned failures;
    size_t largest;
} memory;

static void memory_arm(unsigned left, bool all_after) {
    memory.armed = true;
    memory.all_after = all_after;
    memory.left = left;
    memory.calls = 0;
    memory.failures = 0;
    memory.largest = 0;
}

/* Returns true if the operation was let through. */
static bool memory_disarm(void) {
    memory.armed = false;
    return memory.failures == 0;
}

static bool refuses(size_t size) {
    if (!memory.armed)
        return false;
    memory.calls++;
    if (size > memory.largest)
        memory.largest = size;
    if (memory.left > 0) {
        memory.left--;
        return false;
    }
    if (memory.failures > 0 && !memory.all_after)
        return false;
    memory.failures++;
    return true;
}

void *__wrap_malloc(size_t size) {
    return refuses(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
    return refuses(n * size) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return refuses(size) ? NULL : __real_realloc(old, size);
}

enum { ENDLESS = 1000, NEVER = 1000000 };

/* Runs try_it until it returns true, and expects at least `least` failures before. */
static void exhaust(bool (*try_it)(void), unsigned least) {
    for (int all_after = 0; all_after < 2; all_after++) {
        unsigned n = 0;
        for (;; n++) {
            assert_true(n < ENDLESS);
            memory_arm(n, all_after != 0);
            if (try_it())
                break;
        }
        assert_true(n >= least);
    }
}

static bool try_buf(void) {
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < 40; i++) {
        buf_str(&b, "some text ");
        buf_char(&b, '.');
        buf_u64(&b, 12345);
        buf_printf(&b, "%s:%d", "printed", 7);
        json_escape(&b, SLICE("\"\x01"));
    }
    bool through = memory_disarm();
    assert_int_equal(b.failed, !through);
    if (through) {
        assert_int_equal(b.len, 40 * (10 + 1 + 5 + 9 + 10));
    } else {
        size_t len = b.len;
        buf_str(&b, "more");
        assert_int_equal(b.len, len);
        buf_clear(&b);
        buf_str(&b, "again");
        assert_true(slice_is(buf_bytes(&b), "again"));
    }
    buf_deinit(&b);
    return through;
}

static void a_buffer_fails_and_stays_so(void **state) {
    (void)state;
    exhaust(try_buf, 5);
}

struct item {
    struct map_node node;
    char name[16];
    bool in;
};

static void items_init(struct item *items, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        items[i] = (struct item){0};
        int len = snprintf(items[i].name, sizeof items[i].name, "%u", i);
        items[i].node.key = (struct slice){items[i].name, (size_t)len};
    }
}

static bool try_map(void) {
    enum { N = 300 };
    static struct item items[N];
    items_init(items, N);
    struct map m;
    map_init(&m);
    size_t count = 0;
    for (unsigned i = 0; i < N; i++) {
        size_t size = m.size;
        items[i].in = map_insert(&m, &items[i].node);
        if (!items[i].in) {
            assert_int_equal(size, 0);
            assert_int_equal(m.size, 0);
            assert_null(m.buckets);
        }
        count += items[i].in;
        assert_int_equal(m.count, count);
    }
    for (unsigned i = 0; i < N; i++) {
        assert_ptr_equal(map_find(&m, items[i].node.key), items[i].in ? &items[i].node : NULL);
        if (items[i].in)
            map_remove(&m, &items[i].node);
        assert_null(map_find(&m, items[i].node.key));
    }
    bool through = memory_disarm();
    assert_int_equal(m.count, 0);
    map_deinit(&m);
    return through;
}

static void a_map_lives_without_growth(void **state) {
    (void)state;
    exhaust(try_map, 8);
}

struct heard {
    unsigned messages;
    size_t bytes;
    unsigned controls;
};

static bool on_message(void *arg, enum ws_opcode opcode, struct slice payload) {
    struct heard *h = arg;
    (void)opcode;
    h->messages++;
    h->bytes += payload.len;
    return true;
}

static bool on_control(void *arg, enum ws_opcode opcode, struct slice payload) {
    struct heard *h = arg;
    (void)opcode;
    (void)payload;
    h->controls++;
    return true;
}

static const struct ws_handler handler = {on_message, on_control, NULL, NULL};

/* Masked with zeros. announced may be more than len. */
static void put_frame(struct buf *b, unsigned first, uint64_t announced, size_t len) {
    buf_char(b, (char)first);
    buf_char(b, (char)0xff);
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_char(b, (char)(announced >> shift & 0xff));
    buf_append(b, "\0\0\0", 4);
    for (size_t i = 0; i < len; i++)
        buf_char(b, 'x');
}

static enum ws_result feed_all(struct ws_input *in, struct ws_pool *pool, struct heard *heard,
                               struct slice bytes, uint16_t *code) {
    enum ws_result result = WS_OK;
    for (size_t at = 0; at < bytes.len && result == WS_OK; at += 1000) {
        size_t n = bytes.len - at < 1000 ? bytes.len - at : 1000;
        result = ws_feed(in, pool, &handler, heard, bytes.ptr + at, n, code);
    }
    return result;
}

static bool try_ws(void) {
    struct buf b;
    struct ws_pool pool;
    struct ws_input in = {NULL};
    struct heard heard = {0};
    uint16_t code = 0;
    buf_init(&b);
    memory.armed = false;
    put_frame(&b, 0x01, 70000, 70000);
    buf_append(&b, "\x89\x80\0\0\0\0", 6);
    put_frame(&b, 0x80, 66000, 66000);
    put_frame(&b, 0x82, 65536, 65536);
    memory.armed = true;
    ws_pool_init(&pool, 136000, 2);
    enum ws_result result = feed_all(&in, &pool, &heard, buf_bytes(&b), &code);
    bool through = memory_disarm();
    assert_null(in.parser);
    assert_int_equal(result, through ? WS_OK : WS_FAILED);
    assert_int_equal(code, through ? 0 : WS_CODE_INTERNAL);
    if (through) {
        assert_int_equal(heard.messages, 2);
        assert_int_equal(heard.bytes, 136000 + 65536);
        assert_int_equal(heard.controls, 1);
        assert_true(memory.largest <= 136000);
    }
    ws_pool_deinit(&pool);
    buf_deinit(&b);
    return through;
}

static void a_parser_reports_it(void **state) {
    (void)state;
    exhaust(try_ws, 10);
}

static struct ws_deflate deflate;

static void on_inflated(void *arg, size_t packed, size_t plain) {
    (void)arg;
    assert_true(packed < plain);
}

static const struct ws_handler packed_handler = {on_message, on_control, NULL, on_inflated};

/* A message is deflated and comes back. Without memory for that it is not deflated, or the
 * parser reports it; the next one finds all in order. */
static bool try_deflate(void) {
    enum { LEN = 20000 };
    static char plain[LEN];
    struct buf b;
    struct ws_pool pool;
    struct ws_input in = {NULL};
    struct heard heard = {0};
    uint16_t code = 0;
    enum ws_result result = WS_OK;
    buf_init(&b);
    ws_pool_init(&pool, LEN, 2);
    pool.deflate = &deflate;
    struct slice packed = ws_deflate_pack(&deflate, (struct slice){plain, LEN}, LEN - 1);
    if (packed.len > 0) {
        assert_in_range(packed.len, 10, 125);
        buf_append(&b, (char[]){(char)0xc2, (char)(0x80 | packed.len), 0, 0, 0, 0}, 6);
        buf_slice(&b, packed);
        if (!b.failed)
            result = ws_feed(&in, &pool, &packed_handler, &heard, b.data, b.len, &code);
    }
    bool through = memory_disarm();
    assert_true(result == WS_OK || (result == WS_FAILED && code == WS_CODE_INTERNAL));
    assert_int_equal(heard.bytes, heard.messages * LEN);
    assert_true(heard.messages == 1 || !through);
    ws_input_deinit(&in, &pool);
    ws_pool_deinit(&pool);
    ws_deflate_deinit(&deflate);
    buf_deinit(&b);
    return through;
}

static void a_message_is_not_deflated_without_memory(void **state) {
    (void)state;
    exhaust(try_deflate, 10);
}

/* What grows while a message is inflated is never more than it may have. */
static void a_bomb_takes_no_memory(void **state) {
    (void)state;
    enum { LEN = 10000000, MOST = 100000 };
    char *zeros = calloc(1, LEN);
    struct buf plain;
    assert_non_null(zeros);
    buf_init(&plain);
    struct slice packed = ws_deflate_pack(&deflate, (struct slice){zeros, LEN}, LEN - 1);
    assert_in_range(packed.len, 1000, LEN / 100);
    memory_arm(NEVER, false);
    assert_int_equal(ws_deflate_unpack(&deflate, packed, MOST, &plain), WS_UNPACK_TOO_BIG);
    memory_disarm();
    assert_in_range(memory.largest, 1000, MOST);
    buf_deinit(&plain);
    ws_deflate_deinit(&deflate);
    free(zeros);
}

static void an_announced_length_takes_no_memory(void **state) {
    (void)state;
    struct buf b;
    struct ws_pool pool;
    struct ws_input in = {NULL};
    struct heard heard = {0};
    uint16_t code = 0;
    buf_init(&b);
    put_frame(&b, 0x82, 1000000, 100);
    ws_pool_init(&pool, 1000000, 10);
    memory_arm(NEVER, false);
    assert_int_equal(feed_all(&in, &pool, &heard, buf_bytes(&b), &code), WS_OK);
    memory_disarm();
    assert_non_null(in.parser);
    assert_in_range(memory.largest, 100, 1024);
    ws_input_deinit(&in, &pool);
    ws_pool_deinit(&pool);
    buf_deinit(&b);
}

static void a_message_in_one_piece_takes_no_memory(void **state) {
    (void)state;
    struct ws_pool pool;
    struct ws_input in = {NULL};
    struct heard heard = {0};
    uint16_t code = 0;
    static const char bytes[] = "\x81\x83\0\0\0\0abc\x89\x81\0\0\0\0p\x82\x80\0\0\0";
    ws_pool_init(&pool, 1000, 10);
    struct slice s = {bytes, sizeof bytes};
    assert_int_equal(feed_all(&in, &pool, &heard, s, &code), WS_OK);
    assert_null(in.parser);
    memory_arm(0, true);
    assert_int_equal(feed_all(&in, &pool, &heard, s, &code), WS_OK);
    assert_true(memory_disarm());
    assert_int_equal(memory.calls, 0);
    assert_int_equal(heard.messages, 4);
    assert_int_equal(heard.controls, 2);
    ws_pool_deinit(&pool);
}

/* --- connections ----------------------------------------------------------------------------
 */

static unsigned left_to_refuse;
static unsigned accepted;
static bool asks_too_much;

static void on_bytes(struct conn *c, const char *bytes, size_t len) {
    (void)c;
    (void)bytes;
    (void)len;
}

static void on_end(struct conn *c, int status) {
    (void)status;
    conn_close(c, false);
}

static void on_conn(struct conn *c) {
    (void)c;
}

static const struct conn_ops conn_ops = {.on_bytes = on_bytes,
                                         .on_end = on_end,
                                         .on_deadline = on_conn,
                                         .on_drained = on_conn,
                                         .on_closed = on_conn};

static void accept_one(struct net *n, struct tcp_pair *pair) {
    if (left_to_refuse > 0)
        memory_arm(0, true);
    struct conn *c = conn_accept(n, pair->fd, (struct sockaddr *)&pair->from, &conn_ops);
    memory_disarm();
    assert_int_equal(c == NULL, left_to_refuse > 0);
    accepted += c != NULL;
    left_to_refuse -= left_to_refuse > 0;
    if (c == NULL || !asks_too_much)
        return;
    memory_arm(0, true);
    assert_false(conn_slow(c, net_now(n) + 1000));
    memory_disarm();
    assert_true(c->closed);
}

static void on_nothing(void *owner) {
    (void)owner;
}

static void on_conn_gone(void *owner, struct conn *c) {
    (void)owner;
    (void)c;
}

static void on_tick(void *owner, uint64_t now) {
    (void)owner;
    (void)now;
}

/* As many connections as are to be refused at a time, and one more. */
static void accept_all(void) {
    enum { PEERS = 4 };
    static struct net n;
    static struct metrics metrics;
    uv_loop_t loop;
    struct tcp_pair pairs[PEERS];
    int count = (int)left_to_refuse + 1;
    accepted = 0;
    uv_loop_init(&loop);
    net_init(&n, &loop, 4096, &metrics, NULL);
    n.before_flush = on_nothing;
    n.on_gone = on_conn_gone;
    n.on_tick = on_tick;
    assert_int_equal(turn_open(&n), 0);
    for (int i = 0; i < count; i++) {
        pairs[i] = tcp_pair_make(0);
        accept_one(&n, &pairs[i]);
    }
    alarm(60); /* else it would wait for ever */
    uv_run(&loop, UV_RUN_NOWAIT);
    alarm(0);
    for (int i = 0; i < count - 1; i++) {
        char byte;
        assert_int_equal(recv(pairs[i].peer, &byte, 1, 0), 0);
    }
    for (int i = 0; i < count; i++)
        close(pairs[i].peer);
    while (n.count > 0)
        uv_run(&loop, UV_RUN_ONCE);
    turn_close(&n, on_nothing);
    uv_run(&loop, UV_RUN_DEFAULT);
    net_deinit(&n);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* Sockets for which there is no memory are closed, and the next one is taken. */
static void who_cannot_be_kept_is_closed(void **state) {
    (void)state;
    left_to_refuse = 3;
    accept_all();
}

/* A connection that asks for too much is not read on only because it cannot be slowed. */
static void what_cannot_be_slowed_is_closed(void **state) {
    (void)state;
    asks_too_much = true;
    accept_all();
}

/* --- tokens ---------------------------------------------------------------------------------
 */

#define SECRET SLICE("a secret of tests, 32 bytes or more")
#define CLAIMS                                                                                 \
    "{\"sub\":\"ann\",\"exp\":4000000000,\"aud\":[\"a\",\"chat\"],\"iss\":\"me\","             \
    "\"sluice\":{\"rooms\":[\"a*\",\"b\"],\"channels\":[\"c:rw\"]}}"

static struct identity *check_token(struct slice text, const struct keys *keys,
                                    const struct claims_rules *rules, const char **wrong) {
    struct token t;
    struct identity *who = NULL;
    *wrong = token_read(&t, text);
    if (*wrong == NULL && keys_try(keys, &t) == KEYS_GOOD)
        who = claims_read(t.payload, rules, 1800000000000, wrong);
    token_deinit(&t);
    return who;
}

/* Without memory a good token is refused, and the words say something. */
static bool try_token(void) {
    const char *wrong = NULL;
    struct buf text = {0};
    struct keys keys;
    struct claims_rules rules = {.issuer = "me", .audience = "chat", .leeway_ms = 10000};
    keys_init(&keys);
    struct key *k = key_from_secret(SECRET, &wrong);
    if (k != NULL)
        wrong = keys_add(&keys, k);
    struct grant *grants = wrong == NULL ? grant_from_text("private=*,$me", &wrong) : NULL;
    rules.grant = grants;
    sign_token(SECRET, SLICE(CLAIMS), &text);
    struct identity *who = NULL;
    if (wrong == NULL && !text.failed)
        who = check_token(buf_bytes(&text), &keys, &rules, &wrong);
    bool through = memory_disarm();
    assert_true(through || who == NULL);
    assert_true((who != NULL) == (wrong == NULL && !text.failed));
    if (who != NULL)
        assert_true(grant_allows(who->grant, RIGHT_PRIVATE, SLICE("bob"), SLICE("ann")));
    identity_unref(who);
    grant_free(grants);
    keys_deinit(&keys);
    buf_deinit(&text);
    return through;
}

static void a_token_is_refused_without_memory(void **state) {
    (void)state;
    exhaust(try_token, 10);
}

#define EC_KEY                                                                                 \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","  \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define PEM_KEY                                                                                \
    "-----BEGIN PUBLIC KEY-----\n"                                                             \
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"                           \
    "-----END PUBLIC KEY-----\n"

static bool try_keys(void) {
    struct keys keys;
    keys_init(&keys);
    const char *wrong =
        jwk_read(&keys, SLICE("{\"keys\":[{\"kid\":\"a\"," EC_KEY "},{" EC_KEY "}]}"), true);
    if (wrong == NULL)
        wrong = pem_read(&keys, SLICE(PEM_KEY));
    bool through = memory_disarm();
    assert_true(through == (wrong == NULL));
    assert_true(!through || keys.count == 3);
    keys_deinit(&keys);
    return through;
}

static void keys_are_refused_without_memory(void **state) {
    (void)state;
    exhaust(try_keys, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_fails_and_stays_so),
        cmocka_unit_test(a_map_lives_without_growth),
        cmocka_unit_test(a_parser_reports_it),
        cmocka_unit_test(a_message_is_not_deflated_without_memory),
        cmocka_unit_test(a_bomb_takes_no_memory),
        cmocka_unit_test(an_announced_length_takes_no_memory),
        cmocka_unit_test(a_message_in_one_piece_takes_no_memory),
        cmocka_unit_test(who_cannot_be_kept_is_closed),
        cmocka_unit_test(what_cannot_be_slowed_is_closed),
        cmocka_unit_test(a_token_is_refused_without_memory),
        cmocka_unit_test(keys_are_refused_without_memory),
    };
    return cmocka_run_group_tests_name("oom", tests, NULL, NULL);
}
