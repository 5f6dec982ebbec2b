/*
 * A node's checks of tokens: keys of several sources, reloads, and the set at jwks-url, which
 * fake_fetch.c answers for.
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

#include <openssl/ec.h>

#include "common/log.h"
#include "gateway/auth/auth.h"
#include "tests/unit/fake_fetch.h"
#include "tests/unit/token_bench.h"

#define SECRET "a secret of tests, 32 bytes or more"
#define OTHER  "another secret of 32 bytes or longer"
#define CLAIMS "{\"sub\":\"ann\",\"exp\":4000000000}"

static uv_loop_t loop;
static struct metrics metrics;
static struct options options;
static struct auth auth;

static void set_options(struct options *o) {
    *o = (struct options){.jwt_secret = "",
                          .jwt_secret_file = "",
                          .jwt_keys = "",
                          .jwks_url = "",
                          .jwks_ca = "",
                          .jwt_issuer = "",
                          .jwt_audience = "",
                          .connect_hook = "",
                          .jwt_leeway = 10000,
                          .grants = "rooms=*"};
}

static const char *start(const char **flag) {
    memset(&metrics, 0, sizeof metrics);
    fake_fetch_reset();
    uv_update_time(&loop);
    const char *wrong = auth_init(&auth, &options, &loop, &metrics, flag);
    if (wrong == NULL)
        auth_open(&auth);
    return wrong;
}

static void start_good(void) {
    const char *flag;
    const char *wrong = start(&flag);
    if (wrong != NULL)
        fail_msg("%s: %s", flag, wrong);
}

static void stop(void) {
    auth_close(&auth);
    uv_run(&loop, UV_RUN_DEFAULT);
    auth_deinit(&auth);
}

/* --- checks ---------------------------------------------------------------------------------
 */

struct waiter {
    struct auth_check check;
    bool done;
    char user[129];
    char why[256];
};

static void on_done(struct auth_check *check, struct identity *who, const char *why) {
    struct waiter *w = (struct waiter *)check;
    assert_false(w->done);
    w->done = true;
    if (who != NULL)
        snprintf(w->user, sizeof w->user, "%.*s", who->sub.len, who->sub.bytes);
    else
        snprintf(w->why, sizeof w->why, "%s", why);
    identity_unref(who);
}

static struct waiter ask(char *token) {
    struct waiter w = {.check = {.done = on_done}};
    auth_check_begin(&auth, &w.check, slice_of(token));
    assert_true(w.done);
    free(token);
    return w;
}

static char *hs256(const char *secret) {
    return bench_mac_token("{\"alg\":\"HS256\"}", CLAIMS, slice_of(secret), "SHA256");
}

static char *es256(const char *kid, EVP_PKEY *pair) {
    char header[64];
    if (kid == NULL)
        snprintf(header, sizeof header, "{\"alg\":\"ES256\"}");
    else
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
    return bench_token(header, CLAIMS, pair, "SHA256", false);
}

static void good(char *token) {
    struct waiter w = ask(token);
    assert_string_equal(w.why, "");
    assert_string_equal(w.user, "ann");
}

static void refused(char *token, const char *words) {
    struct waiter w = ask(token);
    if (strstr(w.why, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", w.why, words);
}

/* --- sources --------------------------------------------------------------------------------
 */

static char path[] = "/tmp/test_auth.XXXXXX";

static const char *write_file(const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void off_without_a_key(void **state) {
    (void)state;
    set_options(&options);
    start_good();
    assert_false(auth_on(&auth));
    assert_string_equal(auth_sources(&auth), "");
    stop();
}

static void several_sources(void **state) {
    (void)state;
    EVP_PKEY *pair = bench_pair("P-256");
    char *jwk = bench_jwk(pair, "");
    char more[] = "/tmp/test_auth.XXXXXX";
    int fd = mkstemp(more);
    assert_int_equal(write(fd, jwk, strlen(jwk)), strlen(jwk));
    close(fd);
    set_options(&options);
    options.jwt_secret = SECRET;
    options.jwt_secret_file = write_file(OTHER "\n");
    options.jwt_keys = more;
    start_good();
    assert_true(auth_on(&auth));
    assert_string_equal(auth_sources(&auth), "jwt-secret,jwt-secret-file,jwt-keys");
    good(hs256(SECRET));
    good(hs256(OTHER));
    good(es256(NULL, pair));
    refused(hs256(OTHER "\n"), "signature is wrong");
    refused(bench_mac_token("{\"alg\":\"RS256\"}", CLAIMS, SLICE(SECRET), "SHA256"),
            "alg does not fit");
    stop();
    unlink(more);
    free(jwk);
}

static void one_newline_is_no_part_of_a_secret(void **state) {
    (void)state;
    set_options(&options);
    options.jwt_secret_file = write_file(SECRET "\n\n");
    start_good();
    good(hs256(SECRET "\n"));
    refused(hs256(SECRET), "signature is wrong");
    stop();
}

static void wrong_sources(void **state) {
    static const char rsa[] = "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"4YQ\",\"e\":\"AQAB\"}]}";
    static const struct {
        const char *secret, *file, *keys, *url, *grants;
        const char *flag, *words;
    } rows[] = {
        {"0123456789012345678901234567890", "", "", "", "", "jwt-secret", "32 bytes"},
        {"", "/nowhere/at/all", "", "", "", "jwt-secret-file", "/nowhere/at/all"},
        {"", "/tmp", "", "", "", "jwt-secret-file", "not a file"},
        {"", "/dev/zero", "", "", "", "jwt-secret-file", "not a file"},
        {"", "short\n", "", "", "", "jwt-secret-file", "32 bytes"},
        {"", "0123456789012345678901234567890\n", "", "", "", "jwt-secret-file", "32 bytes"},
        {"", "", "", "", "", NULL, NULL},
        {"", "", "nothing", "", "", "jwt-keys", "no public key"},
        {"", "", rsa, "", "", "jwt-keys", "2048 bits"},
        {"", "", "{\"keys\":[]}", "", "", "jwt-keys", "no key"},
        {"", "", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "", "", "jwt-keys", "no key"},
        {"", "", "", "ftp", "", "jwks-url", "not a URL"},
        {"", "", "", "", "rooms", "grants", "rooms"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *flag = NULL;
        set_options(&options);
        options.jwt_secret = rows[i].secret;
        options.grants = rows[i].grants;
        options.jwks_url = rows[i].url;
        if (rows[i].file[0] != '\0')
            options.jwt_secret_file =
                rows[i].file[0] == '/' ? rows[i].file : write_file(rows[i].file);
        if (rows[i].keys[0] != '\0')
            options.jwt_keys = write_file(rows[i].keys);
        const char *wrong = start(&flag);
        if (rows[i].flag != NULL) {
            assert_non_null(wrong);
            assert_string_equal(flag, rows[i].flag);
            assert_non_null(strstr(wrong, rows[i].words));
        }
        auth_deinit(&auth);
    }
}

static void reload(void **state) {
    struct options fresh;
    const char *flag;
    (void)state;
    set_options(&options);
    options.jwt_secret_file = write_file(SECRET "\n");
    start_good();
    write_file(OTHER);
    good(hs256(SECRET));
    fresh = options;
    assert_null(auth_reload(&auth, &fresh, &flag));
    good(hs256(OTHER));
    refused(hs256(SECRET), "signature is wrong");
    write_file("short");
    assert_non_null(auth_reload(&auth, &fresh, &flag));
    assert_string_equal(flag, "jwt-secret-file");
    good(hs256(OTHER)); /* all stayed */
    fresh.jwt_secret_file = "";
    assert_non_null(strstr(auth_reload(&auth, &fresh, &flag), "restart"));
    good(hs256(OTHER));
    fresh.jwt_secret = SECRET;
    fresh.grants = "rooms=a";
    assert_null(auth_reload(&auth, &fresh, &flag));
    good(hs256(SECRET));
    stop();
    set_options(&options);
    start_good();
    assert_non_null(strstr(auth_reload(&auth, &fresh, &flag), "restart"));
    assert_false(auth_on(&auth));
    stop();
}

/* --- jwks-url -------------------------------------------------------------------------------
 */

static EVP_PKEY *one, *two;

static void start_jwks(void) {
    set_options(&options);
    options.jwks_url = "https://issuer.example/keys";
    start_good();
    auth.jwks.times =
        (struct jwks_times){.refresh = 600000, .unknown = 30000, .retry = 20, .retry_most = 40};
}

static void answer_with(const char *first, const char *second) {
    char *a = bench_jwk(one, "\"kid\":\"one\","), *b = bench_jwk(two, "\"kid\":\"two\",");
    char set[1024];
    snprintf(set, sizeof set, "{\"keys\":[%s%s%s]}", first != NULL ? a : "",
             first != NULL && second != NULL ? "," : "", second != NULL ? b : "");
    fake_fetch_answer(set, NULL);
    free(a);
    free(b);
}

static void begin(struct waiter *w, char *token) {
    *w = (struct waiter){.check = {.done = on_done}};
    auth_check_begin(&auth, &w->check, slice_of(token));
    free(token);
}

static void until_begun(unsigned count) {
    while (fake_fetch_begun() < count)
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void a_check_waits_for_the_first_set(void **state) {
    struct waiter w[3];
    (void)state;
    start_jwks();
    assert_true(auth_on(&auth));
    begin(&w[0], es256("one", one));
    begin(&w[1], es256(NULL, one));
    begin(&w[2], es256("two", two));
    refused(hs256(SECRET), "not known here"); /* which no set can bring */
    assert_int_equal(fake_fetch_begun(), 1);
    assert_false(w[0].done || w[1].done || w[2].done);
    answer_with("one", NULL);
    assert_string_equal(w[0].user, "ann");
    assert_string_equal(w[1].user, "ann");
    assert_false(w[2].done); /* the set is new, so an unknown key may ask for the next */
    until_begun(2);
    answer_with("one", NULL);
    assert_non_null(strstr(w[2].why, "not known here"));
    good(es256("one", one));
    assert_int_equal(fake_fetch_begun(), 2);
    stop();
}

static void rotation(void **state) {
    struct waiter w[3];
    (void)state;
    start_jwks();
    answer_with("one", NULL);
    good(es256("one", one));
    assert_int_equal(fake_fetch_begun(), 1);
    begin(&w[0], es256("two", two));
    begin(&w[1], es256("two", two));
    until_begun(2);
    begin(&w[2], es256("two", two));
    assert_int_equal(fake_fetch_begun(), 2); /* for all of them */
    answer_with(NULL, "two");
    for (int i = 0; i < 3; i++)
        assert_string_equal(w[i].user, "ann");
    refused(es256("one", one), "not known here"); /* it is gone, and no fetch is due so soon */
    refused(es256("three", one), "not known here");
    assert_int_equal(fake_fetch_begun(), 2);
    stop();
}

static void an_outage_keeps_the_set(void **state) {
    struct waiter w;
    (void)state;
    start_jwks();
    auth.jwks.times.retry_most = 60000;
    answer_with("one", NULL);
    begin(&w, es256("two", two));
    until_begun(2);
    fake_fetch_answer("", "could not connect");
    assert_true(w.done); /* the next one is not due within its patience */
    assert_string_equal(w.user, "");
    good(es256("one", one));
    auth.jwks.times.retry_most = 20;
    uv_timer_start(&auth.jwks.timer, auth.jwks.timer.timer_cb, 0, 0);
    until_begun(3);
    fake_fetch_answer("<html>", NULL);
    good(es256("one", one));
    until_begun(4);
    fake_fetch_answer("{\"keys\":[{\"a\":1,\"a\":1}]}", NULL);
    good(es256("one", one));
    assert_int_equal(metric_value(&metrics, METRIC_JWKS_FAILURES), 3);
    until_begun(5);
    fake_fetch_answer("{\"keys\":[]}", NULL); /* it is an answer, that none is good any more */
    refused(es256("one", one), "not known here");
    assert_int_equal(metric_value(&metrics, METRIC_JWKS_FAILURES), 3);
    stop();
}

static void no_set_yet(void **state) {
    struct waiter w;
    (void)state;
    start_jwks();
    fake_fetch_answer("", "could not connect");
    begin(&w, es256("one", one));
    assert_false(w.done);
    until_begun(2);
    fake_fetch_answer("", "could not connect");
    assert_false(w.done); /* the next one is due within its patience */
    until_begun(3);
    answer_with("one", NULL);
    assert_string_equal(w.user, "ann");
    stop();
}

static void a_long_backoff_is_not_waited_for(void **state) {
    struct waiter w;
    (void)state;
    start_jwks();
    auth.jwks.times.retry = auth.jwks.times.retry_most = 60000;
    begin(&w, es256("one", one));
    fake_fetch_answer("", "could not connect");
    assert_true(w.done);
    refused(es256("one", one), "not known here");
    assert_int_equal(fake_fetch_begun(), 1);
    stop();
}

/* Looks at the clock of the loop in place of waiting for 5 s. */
static void five_seconds(void **state) {
    struct waiter w;
    (void)state;
    start_jwks();
    begin(&w, es256("one", one));
    assert_in_range(w.check.until, uv_now(&loop), uv_now(&loop) + AUTH_WAIT_MS);
    w.check.until = uv_now(&loop);
    uv_timer_start(&auth.timer, auth.timer.timer_cb, 0, 0);
    while (!w.done)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_non_null(strstr(w.why, "could not be fetched"));
    assert_true(fake_fetch_is_open());
    stop();
}

static void a_check_can_be_cancelled(void **state) {
    struct waiter w[2];
    (void)state;
    start_jwks();
    begin(&w[0], es256("one", one));
    begin(&w[1], es256("one", one));
    auth_check_cancel(&w[0].check);
    answer_with("one", NULL);
    assert_false(w[0].done);
    assert_true(w[1].done);
    auth_check_cancel(&w[1].check); /* which is over */
    auth_check_cancel(&w[0].check);
    stop();
}

static struct waiter *other;

static void cancel_other(struct auth_check *check, struct identity *who, const char *why) {
    on_done(check, who, why);
    auth_check_cancel(&other->check);
}

static void done_may_cancel_another(void **state) {
    struct waiter w[3];
    (void)state;
    start_jwks();
    for (int i = 0; i < 3; i++)
        begin(&w[i], es256("one", one));
    w[0].check.done = cancel_other;
    other = &w[1];
    answer_with("one", NULL);
    assert_true(w[0].done && !w[1].done && w[2].done);
    stop();
}

static void a_hoard_of_waiters(void **state) {
    enum { COUNT = 1001 };
    struct waiter *w = calloc(COUNT, sizeof *w);
    char *token = es256("one", one);
    (void)state;
    start_jwks();
    for (int i = 0; i < COUNT; i++) {
        w[i].check.done = on_done;
        auth_check_begin(&auth, &w[i].check, slice_of(token));
    }
    assert_false(w[COUNT - 2].done);
    assert_true(w[COUNT - 1].done);
    assert_non_null(strstr(w[COUNT - 1].why, "not known here"));
    answer_with("one", NULL);
    assert_string_equal(w[0].user, "ann");
    assert_string_equal(w[COUNT - 2].user, "ann");
    stop();
    free(token);
    free(w);
}

static void the_end_while_a_fetch_is_open(void **state) {
    struct waiter w;
    (void)state;
    start_jwks();
    begin(&w, es256("one", one));
    auth_check_cancel(&w.check);
    stop();
    assert_false(w.done);
}

static int begin_all(void **state) {
    (void)state;
    log_open("test", LOG_ERROR, false);
    int fd = mkstemp(path);
    one = bench_pair("P-256");
    two = EVP_EC_gen("P-256");
    return fd < 0 || close(fd) != 0 || uv_loop_init(&loop) != 0 ? -1 : 0;
}

static int end_all(void **state) {
    (void)state;
    bench_end();
    EVP_PKEY_free(two);
    unlink(path);
    return uv_loop_close(&loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_without_a_key),
        cmocka_unit_test(several_sources),
        cmocka_unit_test(one_newline_is_no_part_of_a_secret),
        cmocka_unit_test(wrong_sources),
        cmocka_unit_test(reload),
        cmocka_unit_test(a_check_waits_for_the_first_set),
        cmocka_unit_test(rotation),
        cmocka_unit_test(an_outage_keeps_the_set),
        cmocka_unit_test(no_set_yet),
        cmocka_unit_test(a_long_backoff_is_not_waited_for),
        cmocka_unit_test(five_seconds),
        cmocka_unit_test(a_check_can_be_cancelled),
        cmocka_unit_test(done_may_cancel_another),
        cmocka_unit_test(a_hoard_of_waiters),
        cmocka_unit_test(the_end_while_a_fetch_is_open),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
