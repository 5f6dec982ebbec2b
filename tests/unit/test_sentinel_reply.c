/* What Sentinels answer and publish, as bytes from the wire: each form, each split, and what is
 * of no form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "gateway/redis/sentinel_reply.h"

/* Writes a reply from words: "[ a b [ c ] nil ]". */
static void put_reply(struct buf *out, const char *text) {
    static const size_t most = 64;
    size_t depth = 0, counts[8] = {0};
    struct buf parts[8];
    char copy[2048];
    snprintf(copy, sizeof copy, "%s", text);
    for (size_t i = 0; i < 8; i++)
        buf_init(&parts[i]);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_true(counts[depth] < most);
        if (strcmp(word, "[") == 0) {
            counts[++depth] = 0;
            buf_clear(&parts[depth]);
            continue;
        }
        if (strcmp(word, "]") == 0) {
            depth--;
            buf_printf(&parts[depth], "*%zu\r\n", counts[depth + 1]);
            buf_slice(&parts[depth], buf_bytes(&parts[depth + 1]));
        } else if (strcmp(word, "nil") == 0) {
            buf_str(&parts[depth], "$-1\r\n");
        } else if (word[0] == ':' && word[1] >= '0' && word[1] <= '9') {
            buf_printf(&parts[depth], "%s\r\n", word);
        } else {
            if (strcmp(word, "''") == 0)
                word += 2;
            buf_printf(&parts[depth], "$%zu\r\n%s\r\n", strlen(word), word);
        }
        counts[depth]++;
    }
    assert_int_equal(depth, 0);
    buf_slice(out, buf_bytes(&parts[0]));
    for (size_t i = 0; i < 8; i++)
        buf_deinit(&parts[i]);
}

/* Feeds the reply in two parts, cut at each byte, and calls `check` with it each time. */
static void each_split(const char *text, void (*check)(const struct reply *r, const void *arg),
                       const void *arg) {
    struct buf in;
    buf_init(&in);
    put_reply(&in, text);
    for (size_t cut = 0; cut < in.len; cut++) {
        const struct reply *r;
        struct reply_reader *reader = reply_reader_create();
        assert_true(reply_reader_feed(reader, in.data, cut));
        assert_int_equal(reply_reader_next(reader, &r), 0);
        assert_true(reply_reader_feed(reader, in.data + cut, in.len - cut));
        assert_int_equal(reply_reader_next(reader, &r), 1);
        check(r, arg);
        reply_reader_destroy(reader);
    }
    buf_deinit(&in);
}

struct master {
    const char *text;
    bool told, down;
    uint64_t epoch;
};

static void check_master(const struct reply *r, const void *arg) {
    const struct master *m = arg;
    uint64_t epoch = 99;
    bool down;
    assert_int_equal(sentinel_read_master(r, &epoch, &down), m->told);
    assert_int_equal(down, m->down);
    if (m->told)
        assert_int_equal(epoch, m->epoch);
}

static void reads_the_epoch(void **state) {
    (void)state;
    static const struct master table[] = {
        {"[ name m ip h port 1 flags master config-epoch 7 quorum 2 ]", true, false, 7},
        {"[ flags master,s_down,o_down config-epoch 0 ]", true, true, 0},
        {"[ flags o_down,master config-epoch 999999999999999999 ]", true, true,
         999999999999999999},
        {"[ flags master,s_down,xo_down,o_downx config-epoch 3 ]", true, false, 3},
        {"[ config-epoch 3 ]", true, false, 3},
        {"[ config-epoch ]", false, false, 0},
        {"[ name config-epoch ip 5 ]", false, false, 0},
        {"[ config-epoch 10000000000000000000 ]", false, false, 0},
        {"[ config-epoch -1 ]", false, false, 0},
        {"[ config-epoch 1x ]", false, false, 0},
        {"[ config-epoch '' ]", false, false, 0},
        {"[ config-epoch nil ]", false, false, 0},
        {"[ config-epoch [ 1 ] ]", false, false, 0},
        {"[ [ config-epoch 1 ] ]", false, false, 0},
        {"[ flags o_down ]", false, true, 0},
        {"[ ]", false, false, 0},
        {"nil", false, false, 0},
        {"config-epoch", false, false, 0},
        {":7", false, false, 0},
    };
    uint64_t epoch;
    bool down;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        each_split(table[i].text, check_master, &table[i]);
    assert_false(sentinel_read_master(NULL, &epoch, &down));
}

static void check_replicas(const struct reply *r, const void *arg) {
    const int *expected = arg;
    unsigned count = 99;
    assert_int_equal(sentinel_read_replicas(r, &count), *expected >= 0);
    assert_int_equal(count, *expected >= 0 ? *expected : 99);
}

static void reads_the_number_of_replicas(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int count; /* -1: none is told */
    } table[] = {
        {"[ name m num-slaves 2 quorum 2 ]", 2},
        {"[ num-slaves 0 ]", 0},
        {"[ num-slaves 1001 ]", -1},
        {"[ num-slaves -1 ]", -1},
        {"[ num-slaves ]", -1},
        {"[ name m ]", -1},
        {"nil", -1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        each_split(table[i].text, check_replicas, &table[i].count);
}

struct place {
    const char *text, *host; /* NULL: none */
    int port;
};

static void check_address(const struct reply *r, const void *arg) {
    const struct place *p = arg;
    struct redis_place place;
    assert_int_equal(sentinel_read_address(r, &place), p->host != NULL);
    if (p->host != NULL) {
        assert_string_equal(place.host, p->host);
        assert_int_equal(place.port, p->port);
    }
}

static void reads_the_address(void **state) {
    (void)state;
    static const struct place table[] = {
        {"[ 127.0.0.1 6379 ]", "127.0.0.1", 6379},
        {"[ ::1 65535 ]", "::1", 65535},
        {"[ redis.internal 1 more ]", "redis.internal", 1},
        {"[ h 0 ]", NULL, 0},
        {"[ h 65536 ]", NULL, 0},
        {"[ h 4294967297 ]", NULL, 0},
        {"[ h 18446744073709551617 ]", NULL, 0},
        {"[ h '' ]", NULL, 0},
        {"[ h :6379 ]", NULL, 0},
        {"[ '' 6379 ]", NULL, 0},
        {"[ h\x01 6379 ]", NULL, 0},
        {"[ h\x7f 6379 ]", NULL, 0},
        {"[ nil 6379 ]", NULL, 0},
        {"[ h ]", NULL, 0},
        {"[ ]", NULL, 0},
        {"nil", NULL, 0},
        {"h", NULL, 0},
    };
    struct redis_place place;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        each_split(table[i].text, check_address, &table[i]);
    assert_false(sentinel_read_address(NULL, &place));
    for (int len = 254; len <= 257; len++) { /* the host just fits, or not */
        char text[300];
        struct place p = {text, len < REDIS_HOST_SIZE ? text + 2 : NULL, 7};
        snprintf(text, sizeof text, "[ %0*d 7 ]", len, 1);
        char host[300];
        snprintf(host, sizeof host, "%0*d", len, 1);
        p.host = p.host != NULL ? host : NULL;
        each_split(text, check_address, &p);
    }
}

static void check_peers(const struct reply *r, const void *arg) {
    struct sentinel_peer peers[3];
    struct buf out;
    size_t n = sentinel_read_peers(r, peers, 3);
    buf_init(&out);
    for (size_t i = 0; i < n; i++)
        buf_printf(&out, "%s:%d=%s ", peers[i].place.host, peers[i].place.port, peers[i].id);
    buf_char(&out, '\0');
    assert_string_equal(out.data, (const char *)arg);
    buf_deinit(&out);
}

static void reads_the_others(void **state) {
    (void)state;
    static const char *const table[][2] = {
        {"[ [ name x ip a port 1 runid r1 ] [ runid r2 port 2 ip b ] ]", "a:1=r1 b:2=r2 "},
        {"[ [ ip a port 1 ] [ ip b ] [ port 3 ] [ ] x nil [ ip d port 4 runid '' ] ]",
         "a:1= d:4= "},
        {"[ [ ip a port 1 ] [ ip b port 2 ] [ ip c port 3 ] [ ip d port 4 ] ]",
         "a:1= b:2= c:3= "},
        {"[ [ ip a port 1 runid "
         "0123456789012345678901234567890123456789012345678901234567890123 ] ]",
         "a:1= "},
        {"[ [ ip a port 1 runid "
         "012345678901234567890123456789012345678901234567890123456789012 ] ]",
         "a:1=012345678901234567890123456789012345678901234567890123456789012 "},
        {"[ ]", ""},
        {"nil", ""},
        {"a", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        each_split(table[i][0], check_peers, table[i][1]);
    check_peers(NULL, "");
}

static void check_id(const struct reply *r, const void *arg) {
    char id[SENTINEL_ID_SIZE];
    sentinel_read_id(r, id);
    assert_string_equal(id, (const char *)arg);
}

static void reads_an_id(void **state) {
    (void)state;
    each_split("abc123", check_id, "abc123");
    each_split("nil", check_id, "");
    each_split("[ a ]", check_id, "");
    each_split("''", check_id, "");
    check_id(NULL, "");
}

static void reads_news(void **state) {
    (void)state;
    static const char *const good[] = {"m 1.1.1.1 1 2.2.2.2 2", "m ::1 1 ::2 65535"};
    static const char *const bad[] = {
        "",
        "m",
        "m ",
        "m a 1 b",
        "m a 1 b ",
        "m a 1 b 2 3",
        "x a 1 b 2",
        "mm a 1 b 2",
        " m a 1 b 2",
        "m  a 1 b 2",
        "m a 1 b 0",
        "m a 0 b 2",
        "m a 1 b 65536",
        "m a 1 b -2",
        "m a 1 b 2\n",
        "m a x b 2",
        "m a 1\tb 2",
    };
    struct redis_place from, to;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(sentinel_read_switch(slice_of(good[i]), "m", &from, &to));
    assert_string_equal(from.host, "::1");
    assert_int_equal(from.port, 1);
    assert_string_equal(to.host, "::2");
    assert_int_equal(to.port, 65535);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (sentinel_read_switch(slice_of(bad[i]), "m", &from, &to))
            fail_msg("taken: \"%s\"", bad[i]);
    }
    /* Each cut of a good one, without a byte after it. */
    for (size_t len = 0; len < strlen(good[0]); len++) {
        char *copy = len > 0 ? malloc(len) : NULL;
        if (len > 0)
            memcpy(copy, good[0], len);
        sentinel_read_switch((struct slice){copy, len}, "m", &from, &to);
        sentinel_concerns((struct slice){copy, len}, "m");
        free(copy);
    }
    assert_false(sentinel_read_switch((struct slice){NULL, 0}, "m", &from, &to));
}

static void tells_whom_a_hint_concerns(void **state) {
    (void)state;
    static const char *const good[] = {"master m 1.1.1.1 1", "master m",
                                       "slave 1:2 1 2 @ m 1.1.1.1 1",
                                       "sentinel x 1 2 @ m 1.1.1.1 1", "sentinel @ m"};
    static const char *const bad[] = {
        "",           "m",         "master",
        "master x m", "slave m",   "slave x @ y m",
        "slave x @",  "master mm", "sentinel x 1 2 @ mm 1.1.1.1 1",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(sentinel_concerns(slice_of(good[i]), "m"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(sentinel_concerns(slice_of(bad[i]), "m"));
    assert_false(sentinel_concerns((struct slice){NULL, 0}, "m"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_epoch),
        cmocka_unit_test(reads_the_number_of_replicas),
        cmocka_unit_test(reads_the_address),
        cmocka_unit_test(reads_the_others),
        cmocka_unit_test(reads_an_id),
        cmocka_unit_test(reads_news),
        cmocka_unit_test(tells_whom_a_hint_concerns),
    };
    return cmocka_run_group_tests_name("sentinel_reply", tests, NULL, NULL);
}
