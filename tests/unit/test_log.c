#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/log.h"

/* Standard output goes into a file while a line is written; cmocka writes there otherwise. */
static int saved = -1;
static int file = -1;
static char text[65536];

static void capture_to(int fd) {
    fflush(stdout);
    saved = dup(STDOUT_FILENO);
    assert_true(saved >= 0);
    assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
}

static void capture_begin(void) {
    char path[] = "/tmp/test_log.XXXXXX";
    file = mkstemp(path);
    assert_true(file >= 0);
    unlink(path);
    capture_to(file);
}

static void capture_stop(void) {
    dup2(saved, STDOUT_FILENO);
    close(saved);
}

static const char *capture_end(void) {
    capture_stop();
    ssize_t n = pread(file, text, sizeof text - 1, 0);
    close(file);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

/* The line without its time; `line` must be one and begin with a time of today's form. */
static const char *after_time(const char *line, const char *lead) {
    static const char form[] = "0000-00-00T00:00:00.000Z";
    assert_memory_equal(line, lead, strlen(lead));
    line += strlen(lead);
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = line[i] >= '0' && line[i] <= '9';
        assert_true(form[i] == '0' ? digit : line[i] == form[i]);
    }
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    return line + sizeof form - 1;
}

static void writes_logfmt(void **state) {
    (void)state;
    log_open("n1", LOG_DEBUG, false);
    capture_begin();
    log_write(LOG_INFO, "listening", "addr", "127.0.0.1:8080", "gone", NULL, "k", "v", NULL);
    const char *line = after_time(capture_end(), "time=");
    assert_string_equal(line, " level=info event=listening node=n1 addr=127.0.0.1:8080 k=v\n");
}

static void writes_json(void **state) {
    (void)state;
    log_open("n1", LOG_DEBUG, true);
    capture_begin();
    log_write(LOG_ERROR, "broken", "addr", "127.0.0.1:8080", "gone", NULL, "k", "", NULL);
    const char *line = after_time(capture_end(), "{\"time\":\"");
    assert_string_equal(line, "\",\"level\":\"error\",\"event\":\"broken\",\"node\":\"n1\","
                              "\"addr\":\"127.0.0.1:8080\",\"k\":\"\"}\n");
}

static const char *const values[] = {
    "plain",
    "",
    " ",
    "two words",
    "a=b",
    "\"",
    "say \"hi\"",
    "back\\slash",
    "line\nbreak",
    "cr\rlf\n",
    "tab\t",
    "\x01\x1f",
    "del\x7f",
    "\xc3\xa9\xf0\x9f\x98\x80",
    "node=x level=error",
    "\",\"level\":\"fake",
};
#define VALUE_COUNT (sizeof values / sizeof *values)

static struct json_value field_of(const char *line, const char *key) {
    struct json_value root;
    struct json_value value;
    assert_int_equal(json_parse(slice_of(line), &root), JSON_OK);
    json_fields(root, &key, &value, 1);
    return value;
}

static void json_gives_the_text_back(void **state) {
    (void)state;
    log_open("n1", LOG_DEBUG, true);
    for (size_t i = 0; i < VALUE_COUNT; i++) {
        char back[100];
        capture_begin();
        log_write(LOG_WARN, values[i], "key", values[i], "last", "x", NULL);
        const char *line = capture_end();
        after_time(line, "{\"time\":\"");
        ptrdiff_t len = json_decode(field_of(line, "key"), back, sizeof back);
        assert_int_equal(len, strlen(values[i]));
        assert_memory_equal(back, values[i], (size_t)len);
        assert_true(slice_is(field_of(line, "level").raw, "\"warn\""));
        assert_true(slice_is(field_of(line, "last").raw, "\"x\""));
    }
}

/* The value of ` key=`: quoted as a JSON string, or bare up to the next space. */
static void check_logfmt_value(const char *line, const char *expected) {
    const char *at = strstr(line, " key=");
    char back[100];
    assert_non_null(at);
    at += 5;
    const char *end = strstr(at, " last=x\n");
    assert_non_null(end);
    struct slice raw = {at, (size_t)(end - at)};
    if (*at == '"') {
        struct json_value value;
        assert_int_equal(json_parse(raw, &value), JSON_OK);
        ptrdiff_t len = json_decode(value, back, sizeof back);
        assert_int_equal(len, strlen(expected));
        assert_memory_equal(back, expected, (size_t)len);
        return;
    }
    assert_true(slice_is(raw, expected));
    assert_true(raw.len > 0);
    for (size_t i = 0; i < raw.len; i++)
        assert_true((unsigned char)at[i] > ' ' && !strchr("\"=\\\x7f", at[i]));
}

static void logfmt_quotes_what_needs_it(void **state) {
    (void)state;
    log_open("n1", LOG_DEBUG, false);
    for (size_t i = 0; i < VALUE_COUNT; i++) {
        capture_begin();
        log_write(LOG_DEBUG, "e", "key", values[i], "last", "x", NULL);
        const char *line = capture_end();
        after_time(line, "time=");
        check_logfmt_value(line, values[i]);
    }
}

/* What a client sent may be any bytes: the line stays UTF-8 and one value. */
static void invalid_utf8_is_named(void **state) {
    (void)state;
    static const char *const bad[] = {"\xff", "a\xc3", "a b\x80", "\xed\xa0\x80", "\xc0\xaf"};
    for (size_t i = 0; i < 2 * sizeof bad / sizeof *bad; i++) {
        bool json = i % 2 == 1;
        log_open("n1", LOG_DEBUG, json);
        capture_begin();
        log_write(LOG_INFO, "e", "key", bad[i / 2], "last", "x", NULL);
        const char *line = capture_end();
        if (json)
            assert_true(slice_is(field_of(line, "key").raw, "\"(invalid UTF-8)\""));
        else
            check_logfmt_value(line, "(invalid UTF-8)");
    }
}

static void levels_filter(void **state) {
    (void)state;
    for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        int evaluated = 0;
        log_open("n1", (enum log_level)level, false);
        capture_begin();
        for (int at = LOG_DEBUG; at <= LOG_ERROR; at++) {
            LOG((enum log_level)at, "e", "n", (evaluated++, "x"), NULL);
            assert_int_equal(log_enabled((enum log_level)at), at >= level);
        }
        const char *lines = capture_end();
        static const char *const words[] = {" level=debug ", " level=info ", " level=warn ",
                                            " level=error "};
        for (int at = LOG_DEBUG; at <= LOG_ERROR; at++)
            assert_int_equal(strstr(lines, words[at]) != NULL, at >= level);
        assert_int_equal(evaluated, LOG_ERROR - level + 1);
    }
}

static void long_texts_stay_whole(void **state) {
    (void)state;
    static char big[40001];
    memset(big, 'x', sizeof big - 1);
    log_open("n1", LOG_DEBUG, true);
    capture_begin();
    log_write(LOG_INFO, "e", "key", big, NULL);
    const char *line = capture_end();
    assert_int_equal(field_of(line, "key").raw.len, sizeof big + 1);
}

static void a_long_node_name_is_cut(void **state) {
    (void)state;
    char node[300];
    memset(node, 'n', sizeof node - 1);
    node[sizeof node - 1] = '\0';
    log_open(node, LOG_DEBUG, true);
    node[0] = '!'; /* it was copied */
    capture_begin();
    log_write(LOG_INFO, "e", NULL);
    struct json_value value = field_of(capture_end(), "node");
    assert_true(value.raw.len >= 64 && value.raw.len < 200);
    assert_int_equal(value.raw.ptr[1], 'n');
}

static void lost_lines_are_counted(void **state) {
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    log_open("n1", LOG_DEBUG, false);
    capture_to(full);
    log_write(LOG_INFO, "lost", NULL);
    log_write(LOG_INFO, "lost", NULL);
    capture_stop();
    close(full);
    capture_begin();
    log_write(LOG_INFO, "first", NULL);
    log_write(LOG_INFO, "second", NULL);
    const char *lines = capture_end();
    const char *lost = strstr(lines, "event=log_lines_lost node=n1 lines=2\n");
    assert_non_null(lost);
    assert_true(lost < strchr(lines, '\n'));
    assert_null(strstr(strchr(lost, '\n'), "log_lines_lost"));
}

/* Reads all that a pipe holds. */
static size_t drain(int from) {
    size_t len = 0;
    ssize_t n;
    while ((n = read(from, text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return len;
}

static void nobody_reads(int from, int to) {
    static char value[1001];
    unsigned seen = 0;
    unsigned long told = 0;
    memset(value, 'v', sizeof value - 1);
    log_open("n1", LOG_DEBUG, false);
    fcntl(from, F_SETFL, O_NONBLOCK);
    capture_to(to);
    close(to);
    for (int i = 0; i < 1000; i++) /* a megabyte: more than it and what is kept may hold */
        log_write(LOG_INFO, "flood", "k", value, NULL);
    for (size_t len = drain(from); len > 0; len = drain(from)) {
        /* A piece may end anywhere: ends of lines are counted, and the number looked for. */
        for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
            seen++;
        const char *lost = strstr(text, "log_lines_lost node=n1 lines=");
        if (lost != NULL)
            told = strtoul(lost + strlen("log_lines_lost node=n1 lines="), NULL, 10);
        log_flush();
    }
    int flags = fcntl(STDOUT_FILENO, F_GETFL); /* others may share it */
    capture_stop();
    assert_int_equal(flags & O_NONBLOCK, 0);
    assert_true(told > 0);
    assert_int_equal(seen, 1000 - told + 1);
    close(from);
}

static void a_pipe_that_nobody_reads_holds_nothing_up(void **state) {
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    nobody_reads(ends[0], ends[1]);
}

static void nor_does_a_socket(void **state) {
    int ends[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    nobody_reads(ends[0], ends[1]);
}

static void nor_does_a_terminal(void **state) {
    struct termios mode;
    (void)state;
    int from = posix_openpt(O_RDWR | O_NOCTTY);
    if (from < 0 || grantpt(from) != 0 || unlockpt(from) != 0)
        skip();
    int to = open(ptsname(from), O_RDWR | O_NOCTTY);
    assert_true(to >= 0);
    tcgetattr(to, &mode);
    cfmakeraw(&mode);
    tcsetattr(to, TCSANOW, &mode);
    nobody_reads(from, to);
}

static void texts_hold_until_the_fourth_call(void **state) {
    (void)state;
    const char *made[4];
    for (int i = 0; i < 4; i++)
        made[i] = log_text("%d-%s", i, "x");
    assert_string_equal(made[0], "0-x");
    assert_string_equal(made[3], "3-x");
    log_text("again");
    assert_string_equal(made[1], "1-x");
    assert_string_equal(made[2], "2-x");
    char big[2000];
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    size_t len = strlen(log_text("%s", big));
    assert_true(len > 100 && len < sizeof big);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_logfmt),
        cmocka_unit_test(writes_json),
        cmocka_unit_test(json_gives_the_text_back),
        cmocka_unit_test(logfmt_quotes_what_needs_it),
        cmocka_unit_test(invalid_utf8_is_named),
        cmocka_unit_test(levels_filter),
        cmocka_unit_test(long_texts_stay_whole),
        cmocka_unit_test(a_long_node_name_is_cut),
        cmocka_unit_test(lost_lines_are_counted),
        cmocka_unit_test(a_pipe_that_nobody_reads_holds_nothing_up),
        cmocka_unit_test(nor_does_a_socket),
        cmocka_unit_test(nor_does_a_terminal),
        cmocka_unit_test(texts_hold_until_the_fourth_call),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
