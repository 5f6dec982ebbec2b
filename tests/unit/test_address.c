#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/net/conn_address.h"
#include "gateway/redis/link.h"

static struct redis_seeds seeds;

struct good {
    const char *url, *host;
    bool path;
    int port, database;
    const char *user, *password;
};

static void reads_good_ones(void **state) {
    (void)state;
    static const struct good table[] = {
        {"redis://h", "h", false, 6379, 0, "", ""},
        {"redis://h/", "h", false, 6379, 0, "", ""},
        {"redis://127.0.0.1:6379/0", "127.0.0.1", false, 6379, 0, "", ""},
        {"redis://h:1", "h", false, 1, 0, "", ""},
        {"redis://h:65535/15", "h", false, 65535, 15, "", ""},
        {"redis://h/999999", "h", false, 6379, 999999, "", ""},
        {"redis://[::1]", "::1", false, 6379, 0, "", ""},
        {"redis://[::1]:7000/2", "::1", false, 7000, 2, "", ""},
        {"redis://[fe80::1%25eth0]:7000", "fe80::1%eth0", false, 7000, 0, "", ""},
        {"redis://[::1]/3", "::1", false, 6379, 3, "", ""},
        {"redis://:secret@h", "h", false, 6379, 0, "", "secret"},
        {"redis://me:secret@h:7000/4", "h", false, 7000, 4, "me", "secret"},
        {"redis://me:@h", "h", false, 6379, 0, "me", ""},
        {"redis://me@h", "h", false, 6379, 0, "me", ""},
        {"redis://:a%40b%3a%2F%25@h", "h", false, 6379, 0, "", "a@b:/%"},
        {"redis://m%65:p@h", "h", false, 6379, 0, "me", "p"},
        {"redis://u:a:b@h", "h", false, 6379, 0, "u", "a:b"},
        {"redis://u:a/b@h/1", "h", false, 6379, 1, "u", "a/b"},
        {"redis://u:a@b@h", "h", false, 6379, 0, "u", "a@b"},
        {"redis://u:p@[::1]:7/1", "::1", false, 7, 1, "u", "p"},
        {"rediss://h", "h", false, 6379, 0, "", ""},
        {"rediss://u:p@[::1]:7/1", "::1", false, 7, 1, "u", "p"},
        {"redis://u:%C3%A9@h", "h", false, 6379, 0, "u", "\xc3\xa9"},
        {"unix:///run/redis.sock", "/run/redis.sock", true, 6379, 0, "", ""},
        {"unix:///run/redis.sock?db=3", "/run/redis.sock", true, 6379, 3, "", ""},
        {"unix://u:p@/run/redis.sock?db=0", "/run/redis.sock", true, 6379, 0, "u", "p"},
        {"unix://:p@/s", "/s", true, 6379, 0, "", "p"},
        {"unix:///run/a%3fb", "/run/a?b", true, 6379, 0, "", ""},
        {"unix:///run/a%40b", "/run/a@b", true, 6379, 0, "", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct good *g = &table[i];
        struct redis_address a;
        memset(&a, 0x5a, sizeof a);
        const char *wrong = redis_address_parse(&a, &seeds, g->url);
        if (wrong != NULL)
            fail_msg("%s: %s", g->url, wrong);
        assert_string_equal(a.host, g->host);
        assert_int_equal(a.path, g->path);
        assert_int_equal(a.tls, strncmp(g->url, "rediss:", 7) == 0);
        assert_int_equal(a.port, g->port);
        assert_int_equal(a.database, g->database);
        assert_string_equal(a.user, g->user);
        assert_string_equal(a.password, g->password);
    }
}

/* The hosts as "host:port host:port". */
static void reads_sentinels(void **state) {
    (void)state;
    static const struct {
        const char *url, *hosts, *master;
        int database;
        const char *user, *password;
        bool tls;
    } table[] = {
        {"redis+sentinel://h/m", "h:26379", "m", 0, "", "", false},
        {"redis+sentinel://h:1/m/", "h:1", "m", 0, "", "", false},
        {"redis+sentinel://a,b:7,c/my.master_1-2/3", "a:26379 b:7 c:26379", "my.master_1-2", 3,
         "", "", false},
        {"redis+sentinel://u:p@a,b/m", "a:26379 b:26379", "m", 0, "u", "p", false},
        {"redis+sentinel://:p%40%2F,@a,b/m/0", "a:26379 b:26379", "m", 0, "", "p@/,", false},
        {"rediss+sentinel://[::1],[fe80::2]:9,h/m", "::1:26379 fe80::2:9 h:26379", "m", 0, "",
         "", true},
        {"redis+sentinel://a,a,a:26379,a:1/m", "a:26379 a:1", "m", 0, "", "", false},
        {"redis+sentinel://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16/m",
         "1:26379 2:26379 3:26379 4:26379 5:26379 6:26379 7:26379 8:26379 9:26379 10:26379 "
         "11:26379 12:26379 13:26379 14:26379 15:26379 16:26379",
         "m", 0, "", "", false},
        {"redis+sentinel://h/%6d", "h:26379", "m", 0, "", "", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct redis_address a;
        char hosts[512] = "";
        memset(&a, 0x5a, sizeof a);
        memset(&seeds, 0x5a, sizeof seeds);
        const char *wrong = redis_address_parse(&a, &seeds, table[i].url);
        if (wrong != NULL)
            fail_msg("%s: %s", table[i].url, wrong);
        for (size_t j = 0; j < seeds.count; j++)
            snprintf(hosts + strlen(hosts), sizeof hosts - strlen(hosts), "%s%s:%d",
                     j > 0 ? " " : "", seeds.all[j].host, seeds.all[j].port);
        assert_string_equal(hosts, table[i].hosts);
        assert_string_equal(seeds.master, table[i].master);
        assert_int_equal(a.database, table[i].database);
        assert_string_equal(a.host, "");
        assert_string_equal(a.user, table[i].user);
        assert_string_equal(a.password, table[i].password);
        assert_int_equal(a.tls, table[i].tls);
        assert_false(a.path);
        assert_int_equal(redis_address_secure(table[i].url), table[i].tls);
        assert_true(redis_address_sentinels(table[i].url));
    }
}

static void assert_bad(const char *url, const char *word) {
    struct redis_address a;
    const char *wrong = redis_address_parse(&a, &seeds, url);
    if (wrong == NULL)
        fail_msg("accepted: %s (host \"%s\", port %d)", url, a.host, a.port);
    else if (strstr(wrong, word) == NULL)
        fail_msg("%s: \"%s\" does not name %s", url, wrong, word);
}

static void refuses_bad_ones(void **state) {
    (void)state;
    static const char *const table[][2] = {
        {"", "redis://"},
        {"redis", "redis://"},
        {"redis:/h", "redis://"},
        {"h:6379", "redis://"},
        {"http://h", "redis://"},
        {"rediss:/h", "redis://"},
        {"redisss://h", "redis://"},
        {"rediss://", "host"},
        {"rediss://h:0", "port"},
        {"REDIS://h", "redis://"},
        {" redis://h", "redis://"},
        {"redis://", "host"},
        {"redis:///0", "host"},
        {"redis://:6379", "host"},
        {"redis://u:p@", "host"},
        {"redis://u:p@:6379", "host"},
        {"redis://[::1", "bracket"},
        {"redis://[::1/0", "bracket"},
        {"redis://[]:6379", "host"},
        {"redis://h%00", "host"},
        {"redis://h%zz", "host"},
        {"redis://[::1]7", "port"},
        {"redis://h:", "port"},
        {"redis://h:/0", "port"},
        {"redis://h:0", "port"},
        {"redis://h:65536", "port"},
        {"redis://h:-1", "port"},
        {"redis://h:+1", "port"},
        {"redis://h: 1", "port"},
        {"redis://h:0x1", "port"},
        {"redis://h:1a", "port"},
        {"redis://h:99999999999999999999", "port"},
        {"redis://h:4294967297", "port"},
        {"redis://::1", "host"},
        {"redis://h/a", "database"},
        {"redis://h/-1", "database"},
        {"redis://h/1/2", "database"},
        {"redis://h/1 ", "database"},
        {"redis://h/0?x=1", "database"},
        {"redis://h/1000000", "database"},
        {"redis://h/4294967296", "database"},
        {"redis://u:%@h", "password"},
        {"redis://u:%4@h", "password"},
        {"redis://u:%zz@h", "password"},
        {"redis://u:a%00b@h", "password"},
        {"redis://%g0:p@h", "user"},
        {"redis://u%@h", "user"},
        {"redis+sentinel:/h/m", "redis+sentinel://"},
        {"redis+sentinel://", "name"},
        {"redis+sentinel://h", "name"},
        {"redis+sentinel://h/", "name"},
        {"redis+sentinel://h//1", "name"},
        {"redis+sentinel://u:p@h", "name"},
        {"redis+sentinel://h/a%20b", "name"},
        {"redis+sentinel://h/a,b", "name"},
        {"redis+sentinel://h/m?db=1", "name"},
        {"redis+sentinel://h/%00", "name"},
        {"redis+sentinel:///m", "host"},
        {"redis+sentinel://,/m", "host"},
        {"redis+sentinel://a,/m", "host"},
        {"redis+sentinel://,a/m", "host"},
        {"redis+sentinel://a,,b/m", "host"},
        {"redis+sentinel://:26379/m", "host"},
        {"redis+sentinel://a, b/m", "comma"},
        {"redis+sentinel://a;b /m", "comma"},
        {"redis+sentinel://[::1/m", "bracket"},
        {"redis+sentinel://[::1]x/m", "port"},
        {"redis+sentinel://::1/m", "host"},
        {"redis+sentinel://a:0/m", "port"},
        {"redis+sentinel://a,b:65536/m", "port"},
        {"redis+sentinel://a:,b/m", "port"},
        {"redis+sentinel://h/m/x", "database"},
        {"redis+sentinel://h/m/1/2", "database"},
        {"redis+sentinel://h/m/1000000", "database"},
        {"redis+sentinel://u:%@h/m", "password"},
        {"redis+sentinel://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17/m", "16"},
        {"unix://", "path"},
        {"unix://run/redis.sock", "path"},
        {"unix://?db=1", "path"},
        {"unix:///a%00", "path"},
        {"unix:///a%4", "path"},
        {"unix:///a?", "db="},
        {"unix:///a?db=", "db="},
        {"unix:///a?db=x", "db="},
        {"unix:///a?db=-1", "db="},
        {"unix:///a?database=1", "db="},
        {"unix:///a?db=1&x=2", "db="},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_bad(table[i][0], table[i][1]);
}

/* Each part just fits, and with one byte more is refused; ASan watches the ends. */
static void each_part_has_a_bound(void **state) {
    (void)state;
    static const struct {
        const char *before, *after, *word;
        int fits;
    } table[] = {
        {"redis://", "", "host", 255},
        {"redis://[", "]:1", "host", 255},
        {"redis://", ":p@h", "user", 127},
        {"redis://u:", "@h", "password", 511},
        {"unix:///", "", "path", 106},
        {"unix:///", "?db=1", "path", 106},
        {"unix://u:", "@/s", "password", 511},
        {"redis+sentinel://", "/m", "host", 255},
        {"redis+sentinel://h/", "/1", "name", 127},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char url[700];
        struct redis_address a;
        snprintf(url, sizeof url, "%s%0*d%s", table[i].before, table[i].fits, 1,
                 table[i].after);
        if (redis_address_parse(&a, &seeds, url) != NULL)
            fail_msg("refused: %s", url);
        snprintf(url, sizeof url, "%s%0*d%s", table[i].before, table[i].fits + 1, 1,
                 table[i].after);
        assert_bad(url, table[i].word);
    }
}

/* Any text: a verdict, and strings that end. */
static void survives_each_prefix_and_byte(void **state) {
    (void)state;
    static const char *const urls[] = {"redis://me:s%40cret@[::1]:7000/4",
                                       "unix://me:s%40cret@/run/redis.sock?db=3",
                                       "redis+sentinel://me:s@a:1,[::1]:2,b/mine/4"};
    static const char bytes[] = "@:/[]%?=0,\xff";
    for (size_t i = 0; i < 3; i++) {
        for (size_t len = 0; len < strlen(urls[i]); len++) {
            char url[64];
            struct redis_address a;
            memcpy(url, urls[i], len);
            url[len] = '\0';
            redis_address_parse(&a, &seeds, url);
            for (size_t b = 0; b < sizeof bytes - 1; b++) {
                strcpy(url, urls[i]);
                url[len] = bytes[b];
                redis_address_parse(&a, &seeds, url);
                assert_non_null(memchr(a.host, '\0', sizeof a.host));
                assert_non_null(memchr(a.password, '\0', sizeof a.password));
            }
        }
    }
}

static void client_addresses_are_read_and_written(void **state) {
    (void)state;
    static const char *const table[][2] = {{"127.0.0.1", "127.0.0.1:0"},
                                           {"::1", "[::1]:0"},
                                           {"::ffff:1.2.3.4", "1.2.3.4:0"},
                                           {"2001:db8::a", "[2001:db8::a]:0"}};
    static const char *const bad[] = {"",  "1.2.3",     "1.2.3.4:5", "[::1]",
                                      "x", "1.2.3.256", ":::"};
    char text[CONN_ADDRESS_SIZE];
    struct conn_address a;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_true(conn_address_parse(&a, table[i][0]));
        conn_address_text(&a, text);
        assert_string_equal(text, table[i][1]);
        assert_int_equal(conn_address_is_ip4(&a), text[0] != '[');
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct conn_address before = a;
        assert_false(conn_address_parse(&a, bad[i]));
        assert_memory_equal(&a, &before, sizeof a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_good_ones),
        cmocka_unit_test(reads_sentinels),
        cmocka_unit_test(refuses_bad_ones),
        cmocka_unit_test(each_part_has_a_bound),
        cmocka_unit_test(survives_each_prefix_and_byte),
        cmocka_unit_test(client_addresses_are_read_and_written),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
