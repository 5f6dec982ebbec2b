/*
 * Two ends of gateway/tls that talk to each other without sockets, with a certificate made
 * here. OpenSSL's memory goes through this program, so that the n-th piece can be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "gateway/net/tls.h"
#include "gateway/tls.h"
#include "gateway/tls_context.h"

/* --- memory that runs out -------------------------------------------------------------------
 */

static unsigned left = UINT_MAX; /* pieces until one is refused */
static bool refused;

static bool refuses(void) {
    bool now = left == 0;
    refused = refused || now;
    left -= left > 0 && left != UINT_MAX;
    if (now)
        left = UINT_MAX; /* one alone: what follows it must cope */
    return now;
}

static void *take(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return refuses() ? NULL : malloc(size);
}

static void *resize(void *old, size_t size, const char *file, int line) {
    (void)file, (void)line;
    return refuses() ? NULL : realloc(old, size);
}

static void give(void *piece, const char *file, int line) {
    (void)file, (void)line;
    free(piece);
}

/* --- a certificate --------------------------------------------------------------------------
 */

static char cert_path[64], key_path[64];
static SSL_CTX *server_side, *client_side;

static void add_name(X509 *cert) {
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:node.test,IP:192.0.2.7");
    assert_int_equal(X509_add_ext(cert, names, -1), 1);
    X509_EXTENSION_free(names);
}

static void write_certificate(void) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"node", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    add_name(cert);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    FILE *file = fopen(cert_path, "w");
    PEM_write_X509(file, cert);
    fclose(file);
    file = fopen(key_path, "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static int set_up(void **state) {
    struct tls_fault fault;
    (void)state;
    snprintf(cert_path, sizeof cert_path, "/tmp/sluice-unit-%d.pem", getpid());
    snprintf(key_path, sizeof key_path, "/tmp/sluice-unit-%d.key", getpid());
    write_certificate();
    struct tls_files own = {cert_path, key_path, ""};
    struct tls_files trusted = {"", "", cert_path};
    server_side = tls_context_server(&own, &fault);
    client_side = tls_context_client(&trusted, &fault);
    unlink(key_path);
    unlink(cert_path);
    return server_side != NULL && client_side != NULL ? 0 : 1;
}

static int tear_down(void **state) {
    (void)state;
    SSL_CTX_free(server_side);
    SSL_CTX_free(client_side);
    return 0;
}

/* --- two ends -------------------------------------------------------------------------------
 */

struct pair {
    struct tls server, client;
    struct buf at_server, at_client; /* what each was told */
};

static bool pair_begin(struct pair *p, const char *host) {
    memset(p, 0, sizeof *p);
    struct slice none = {NULL, 0};
    bool good = tls_init(&p->server, server_side, true) &&
                tls_init(&p->client, client_side, false) && tls_expect(&p->client, host);
    if (good)
        tls_read(&p->client, none, &none);
    return good;
}

static void pair_end(struct pair *p) {
    tls_deinit(&p->server);
    tls_deinit(&p->client);
    buf_deinit(&p->at_server);
    buf_deinit(&p->at_client);
}

/* Moves the records of one end to the other, in steps. */
static void carry(struct tls *from, struct tls *to, struct buf *told, size_t step) {
    struct buf records = from->out;
    buf_init(&from->out);
    for (size_t at = 0; at < records.len; at += step) {
        size_t len = records.len - at < step ? records.len - at : step;
        struct slice plain;
        tls_read(to, (struct slice){records.data + at, len}, &plain);
        buf_slice(told, plain);
    }
    buf_deinit(&records);
}

static void exchange(struct pair *p, size_t step) {
    for (int i = 0; i < 4; i++) {
        carry(&p->client, &p->server, &p->at_server, step);
        carry(&p->server, &p->client, &p->at_client, step);
    }
}

/* --- tests ----------------------------------------------------------------------------------
 */

static void talk(size_t step) {
    static const size_t sizes[] = {1, 300, TLS_RECORD, TLS_RECORD + 1, 100000};
    static char bytes[100000];
    struct pair p;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    assert_true(pair_begin(&p, "node.test"));
    assert_false(tls_write(&p.client, SLICE("too early")) && tls_is_open(&p.client));
    exchange(&p, step);
    assert_true(tls_is_open(&p.server) && tls_is_open(&p.client));
    buf_clear(&p.at_server);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct slice all = {bytes, sizes[i]};
        assert_true(tls_write(&p.client, all));
        assert_true(tls_write(&p.server, all));
        exchange(&p, step);
        assert_int_equal(p.at_server.len, sizes[i]);
        assert_memory_equal(p.at_server.data, bytes, sizes[i]);
        assert_int_equal(p.at_client.len, sizes[i]);
        assert_memory_equal(p.at_client.data, bytes, sizes[i]);
        buf_clear(&p.at_server);
        buf_clear(&p.at_client);
    }
    pair_end(&p);
}

static void what_is_said_arrives(void **state) {
    (void)state;
    talk(TLS_READ_MOST);
}

static void in_pieces_of_any_size(void **state) {
    (void)state;
    talk(1);
    talk(1000);
    talk(16406);
}

static void each_side_ends_for_itself(void **state) {
    struct pair p;
    (void)state;
    assert_true(pair_begin(&p, "192.0.2.7"));
    exchange(&p, TLS_READ_MOST);
    assert_true(tls_write(&p.client, SLICE("last words")));
    tls_end(&p.client);
    tls_end(&p.client);
    carry(&p.client, &p.server, &p.at_server, TLS_READ_MOST);
    assert_true(p.server.ended && !p.server.failed);
    assert_int_equal(p.at_server.len, 10);
    assert_false(tls_write(&p.client, SLICE("more")));
    assert_true(tls_write(&p.server, SLICE("answer")));
    tls_end(&p.server);
    carry(&p.server, &p.client, &p.at_client, TLS_READ_MOST);
    assert_true(p.client.ended && !p.client.failed);
    assert_int_equal(p.at_client.len, 6);
    pair_end(&p);
}

static void another_name_is_refused(void **state) {
    static const char *const hosts[] = {"other.test", "192.0.2.8", "sub.node.test"};
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct pair p;
        assert_true(pair_begin(&p, hosts[i]));
        carry(&p.client, &p.server, &p.at_server, TLS_READ_MOST);
        carry(&p.server, &p.client, &p.at_client, TLS_READ_MOST);
        assert_true(p.client.failed);
        assert_int_equal(p.client.trouble, TLS_CERTIFICATE);
        assert_non_null(strstr(tls_why(&p.client), "mismatch"));
        carry(&p.client, &p.server, &p.at_server, TLS_READ_MOST);
        assert_true(p.server.failed);
        assert_int_equal(p.server.trouble, TLS_ALERT);
        pair_end(&p);
    }
}

static void what_was_changed_is_refused(void **state) {
    struct pair p;
    struct slice plain;
    (void)state;
    assert_true(pair_begin(&p, "node.test"));
    exchange(&p, TLS_READ_MOST);
    assert_true(tls_write(&p.client, SLICE("pay 100 to ann")));
    p.client.out.data[9] ^= 1;
    tls_read(&p.server, buf_bytes(&p.client.out), &plain);
    assert_int_equal(plain.len, 0);
    assert_true(p.server.failed);
    assert_true(p.server.out.len > 0); /* an alert */
    tls_read(&p.server, SLICE("whatever"), &plain);
    assert_int_equal(plain.len, 0);
    pair_end(&p);
}

static void http_is_told_from_nonsense(void **state) {
    static const struct {
        const char *bytes;
        enum tls_handshake kind;
    } table[] = {{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", TLS_HTTP},
                 {"CONNECT a:1 HTTP/1.1\r\n\r\n", TLS_HTTP},
                 {"*1\r\n$4\r\nPING\r\n", TLS_VERSION}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct tls t;
        struct slice plain;
        assert_true(tls_init(&t, server_side, true));
        tls_read(&t, slice_of(table[i].bytes), &plain);
        assert_true(t.failed);
        assert_int_equal(t.trouble, table[i].kind);
        tls_deinit(&t);
    }
}

/* Returns true if all of it was done: then no piece was refused, or OpenSSL could do without.
 */
static bool talk_a_little(void) {
    struct pair p;
    bool good = pair_begin(&p, "node.test");
    if (good)
        exchange(&p, TLS_READ_MOST);
    good = good && tls_is_open(&p.server) && tls_is_open(&p.client);
    good = good && tls_write(&p.client, SLICE("hello"));
    if (good)
        exchange(&p, TLS_READ_MOST);
    good = good && p.at_server.len == 5;
    if (p.server.failed)
        assert_non_null(tls_why(&p.server));
    pair_end(&p);
    return good;
}

/* A client that has the server answer by KeyUpdate, again and again, and takes no answer. */
static void answers_that_nobody_takes_are_bounded(void **state) {
    struct metrics metrics = {0};
    struct net net = {.metrics = &metrics};
    struct conn_address from = {.port = 0};
    struct tls client;
    struct slice plain = {NULL, 0};
    (void)state;
    struct conn_tls *t = conn_tls_make(server_side, NULL);
    assert_true(tls_init(&client, client_side, false) && tls_expect(&client, "node.test"));
    tls_read(&client, plain, &plain);
    for (unsigned i = 0; i < 100000 && t->end == 0; i++) {
        struct buf records = client.out;
        buf_init(&client.out);
        conn_tls_read(&net, t, buf_bytes(&records), &from, &plain);
        buf_deinit(&records);
        if (!tls_is_open(&client)) {
            tls_read(&client, buf_bytes(&t->tls.out), &plain);
            buf_clear(&t->tls.out);
        } else {
            SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED);
            assert_true(tls_write(&client, SLICE("x")));
        }
    }
    assert_int_equal(t->end, UV_EPROTO);
    assert_true(t->tls.out.len > 30000 && t->tls.out.len < 70000);
    tls_deinit(&client);
    conn_tls_free(t);
}

static void no_piece_of_memory_is_needed_to_stay_alive(void **state) {
    unsigned failures = 0;
    (void)state;
    assert_true(talk_a_little()); /* what OpenSSL keeps for ever is there now */
    for (unsigned n = 0;; n += 3) {
        left = n;
        refused = false;
        bool good = talk_a_little();
        left = UINT_MAX;
        if (!refused)
            break;
        failures += !good;
        ERR_clear_error();
    }
    assert_true(failures > 20);
    assert_true(talk_a_little());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_arrives),
        cmocka_unit_test(in_pieces_of_any_size),
        cmocka_unit_test(each_side_ends_for_itself),
        cmocka_unit_test(another_name_is_refused),
        cmocka_unit_test(what_was_changed_is_refused),
        cmocka_unit_test(http_is_told_from_nonsense),
        cmocka_unit_test(answers_that_nobody_takes_are_bounded),
        cmocka_unit_test(no_piece_of_memory_is_needed_to_stay_alive),
    };
    CRYPTO_set_mem_functions(take, resize, give);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
