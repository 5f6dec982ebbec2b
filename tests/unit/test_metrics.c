#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/metrics.h"

static struct metrics m;
static char text[65536];

static int begin(void **state) {
    (void)state;
    memset(&m, 0, sizeof m);
    return 0;
}

static uint64_t histogram_count(const struct histogram *h) {
    uint64_t n = 0;
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++)
        n += h->count[i];
    return n;
}

static void print(void) {
    struct buf b;
    buf_init(&b);
    metrics_print(&m, &b);
    assert_false(b.failed);
    assert_in_range(b.len, 1, sizeof text - 1);
    memcpy(text, b.data, b.len);
    text[b.len] = '\0';
    buf_deinit(&b);
}

/* The value of the one line that begins with `sample` and a space. */
static const char *value(const char *sample) {
    static char found[64];
    char line[160];
    snprintf(line, sizeof line, "\n%s ", sample);
    const char *at = strstr(text, line);
    if (at == NULL)
        fail_msg("no %s", sample);
    at += strlen(line);
    assert_null(strstr(at, line));
    snprintf(found, sizeof found, "%.*s", (int)strcspn(at, "\n"), at);
    return found;
}

/* --- histograms -----------------------------------------------------------------------------
 */

/* Each bound is still in its own bucket, one more is in the next. */
static void test_bounds(void **state) {
#define BOUND(us, text) us,
    static const uint64_t bounds[] = {HISTOGRAM_BOUNDS(BOUND)};
#undef BOUND
    const struct histogram *h = &m.histogram[HISTOGRAM_LOOP_TURN];
    (void)state;
    assert_int_equal(sizeof bounds / sizeof *bounds, HISTOGRAM_BUCKETS);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t own = h->count[i], next = h->count[i + 1];
        assert_true(i == 0 || bounds[i] > bounds[i - 1]);
        metric_observe(&m, HISTOGRAM_LOOP_TURN, bounds[i]);
        assert_int_equal(h->count[i], own + 1);
        metric_observe(&m, HISTOGRAM_LOOP_TURN, bounds[i] + 1);
        assert_int_equal(h->count[i + 1], next + 1);
    }
    assert_int_equal(histogram_count(h), 2 * HISTOGRAM_BUCKETS);
}

/* What is shown is the bound that is counted by. */
static void test_bound_texts(void **state) {
#define BOUND(us, text) assert_int_equal((int)(strtod(text, NULL) * 1e6 + 0.5), us);
    (void)state;
    HISTOGRAM_BOUNDS(BOUND)
#undef BOUND
}

static void test_extremes(void **state) {
    const struct histogram *h = &m.histogram[HISTOGRAM_REDIS_ROUND_TRIP];
    (void)state;
    metric_observe(&m, HISTOGRAM_REDIS_ROUND_TRIP, 0);
    metric_observe(&m, HISTOGRAM_REDIS_ROUND_TRIP, 3600000000ULL);
    assert_int_equal(h->count[0], 1);
    assert_int_equal(h->count[HISTOGRAM_BUCKETS], 1);
    assert_int_equal(h->sum_us, 3600000000ULL);
    assert_int_equal(histogram_count(&m.histogram[HISTOGRAM_LOOP_TURN]), 0);
}

static void test_histogram_text(void **state) {
    (void)state;
    metric_observe(&m, HISTOGRAM_REDIS_ROUND_TRIP, 50);
    metric_observe(&m, HISTOGRAM_REDIS_ROUND_TRIP, 70);
    metric_observe(&m, HISTOGRAM_REDIS_ROUND_TRIP, 1500000);
    metric_observe(&m, HISTOGRAM_REDIS_ROUND_TRIP, 11000000);
    print();
    const struct {
        const char *le;
        const char *count;
    } rows[] = {{"0.00005", "1"}, {"0.0001", "2"}, {"0.0002", "2"}, {"1", "2"},
                {"2", "3"},       {"10", "3"},     {"+Inf", "4"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char sample[80];
        snprintf(sample, sizeof sample, "sluice_redis_round_trip_seconds_bucket{le=\"%s\"}",
                 rows[i].le);
        assert_string_equal(value(sample), rows[i].count);
    }
    assert_string_equal(value("sluice_redis_round_trip_seconds_sum"), "12.500120");
    assert_string_equal(value("sluice_redis_round_trip_seconds_count"), "4");
    assert_string_equal(value("sluice_loop_turn_seconds_count"), "0");
}

static void test_turn_max(void **state) {
    (void)state;
    assert_int_equal(metrics_take_turn_max(&m), 0);
    metrics_turn(&m, 300);
    metrics_turn(&m, 7000);
    metrics_turn(&m, 20);
    assert_int_equal(metrics_take_turn_max(&m), 7000);
    assert_int_equal(metrics_take_turn_max(&m), 0);
    metrics_turn(&m, 20);
    assert_int_equal(metrics_take_turn_max(&m), 20);
    assert_int_equal(histogram_count(&m.histogram[HISTOGRAM_LOOP_TURN]), 4);
}

/* --- counters and gauges --------------------------------------------------------------------
 */

/* No family's slots are another's: each set to its own number, each shown with it once. */
static void test_slots(void **state) {
    unsigned next = 0;
    (void)state;
#define FOLLOWS(symbol, set, type, unit, name, help)                                           \
    assert_int_equal(METRIC_##symbol, next);                                                   \
    next = METRIC_##symbol##_LAST + 1;
    METRIC_TABLE(FOLLOWS)
#undef FOLLOWS
    assert_int_equal(next, METRIC_SLOTS);
    for (unsigned i = 0; i < METRIC_SLOTS; i++)
        metric_set(&m, i, 1000000ULL * (1000 + i));
    print();
    for (unsigned i = 0; i < METRIC_SLOTS; i++) {
        char number[32], micros[32];
        snprintf(number, sizeof number, " %u000000\n", 1000 + i);
        snprintf(micros, sizeof micros, " %u.000000\n", 1000 + i);
        const char *at = strstr(text, number) ? strstr(text, number) : strstr(text, micros);
        assert_non_null(at);
        assert_null(strstr(at + 1, number));
    }
}

static void test_labels(void **state) {
    (void)state;
    metric_add(&m, METRIC_EVENTS + EVENT_SEND_MESSAGE, 3);
    metric_add(&m, METRIC_EVENTS_LAST, 4);
    metric_add(&m, METRIC_CONNECTIONS + DOOR_HTTP, 5);
    metric_add(&m, METRIC_DROPPED + DROP_NOT_WRITABLE, 6);
    print();
    assert_string_equal(value("sluice_events_total{event=\"sendMessage\"}"), "3");
    assert_string_equal(value("sluice_events_total{event=\"unknown\"}"), "4");
    assert_string_equal(value("sluice_events_total{event=\"login\"}"), "0");
    assert_string_equal(value("sluice_connections{door=\"http\"}"), "5");
    assert_string_equal(
        value("sluice_dropped_total{class=\"message\",reason=\"not_writable\"}"), "6");
    assert_string_equal(value("sluice_build_info{version=\"" SLUICE_VERSION "\"}"), "0");
}

static void test_handshakes(void **state) {
    (void)state;
    metric_handshake(&m, DOOR_JSON, true);
    metric_handshake(&m, DOOR_RAW, false);
    metric_handshake(&m, DOOR_RAW, false);
    print();
    assert_string_equal(value("sluice_handshakes_total{door=\"json\",result=\"accepted\"}"),
                        "1");
    assert_string_equal(value("sluice_handshakes_total{door=\"json\",result=\"refused\"}"),
                        "0");
    assert_string_equal(value("sluice_handshakes_total{door=\"raw\",result=\"accepted\"}"),
                        "0");
    assert_string_equal(value("sluice_handshakes_total{door=\"raw\",result=\"refused\"}"), "2");
}

static void test_errors(void **state) {
    (void)state;
    for (int e = ERR_OK; e < ERR_COUNT; e++) {
        for (int i = 0; i < e; i++)
            metric_error(&m, (enum err)e);
    }
    metric_error(&m, ERR_OK);
    print();
    assert_null(strstr(text, "code=\"ok\""));
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        char sample[80];
        snprintf(sample, sizeof sample, "sluice_errors_total{code=\"%s\"}",
                 err_code((enum err)e));
        assert_int_equal(strtol(value(sample), NULL, 10), e);
    }
}

static void test_closes(void **state) {
    (void)state;
    metric_close(&m, 1013);
    metric_close(&m, 1002);
    metric_close(&m, 1013);
    metric_close(&m, 4999); /* none of ours */
    print();
    assert_string_equal(value("sluice_closes_total{code=\"1013\"}"), "2");
    assert_string_equal(value("sluice_closes_total{code=\"1002\"}"), "1");
    assert_string_equal(value("sluice_closes_total{code=\"1011\"}"), "0");
    assert_null(strstr(text, "4999"));
}

static void test_limits(void **state) {
    (void)state;
    metric_limited(&m, LIMIT_RATE);
    metric_limited(&m, LIMIT_LOG_BYTES);
    metric_limited(&m, LIMIT_RATE);
    print();
    assert_string_equal(value("sluice_limited_total{limit=\"rate-limit\"}"), "2");
    assert_string_equal(value("sluice_limited_total{limit=\"log-bytes\"}"), "1");
    assert_string_equal(value("sluice_limited_total{limit=\"login-deadline\"}"), "0");
}

static void test_seconds(void **state) {
    (void)state;
    metric_set(&m, METRIC_CPU, 12000034);
    metric_set(&m, METRIC_START_TIME, 1732155555000001ULL);
    metric_set(&m, METRIC_RESIDENT, 5000000000ULL);
    print();
    assert_string_equal(value("process_cpu_seconds_total"), "12.000034");
    assert_string_equal(value("process_start_time_seconds"), "1732155555.000001");
    assert_string_equal(value("process_resident_memory_bytes"), "5000000000");
}

/* --- several processes ----------------------------------------------------------------------
 */

static void test_joined(void **state) {
    (void)state;
    struct metrics other;
    memset(&other, 0, sizeof other);
    metric_set(&m, METRIC_USERS, 3);
    metric_set(&other, METRIC_USERS, 4);
    metric_add(&m, METRIC_EVENTS, 10);
    metric_add(&other, METRIC_EVENTS, 20);
    metric_set(&m, METRIC_READY, 1);
    metric_set(&m, METRIC_PARTITIONS, 16);
    metric_set(&other, METRIC_PARTITIONS, 16);
    metric_set(&m, METRIC_BUILD_INFO, 1);
    metric_set(&other, METRIC_BUILD_INFO, 1);
    metric_set(&m, METRIC_START_TIME, 7);
    metric_set(&other, METRIC_START_TIME, 5);
    metric_observe(&m, HISTOGRAM_LOOP_TURN, 60);
    metric_observe(&other, HISTOGRAM_LOOP_TURN, 60);
    metric_observe(&other, HISTOGRAM_LOOP_TURN, 1000000000);
    metrics_join(&m, &other);
    assert_int_equal(metric_value(&m, METRIC_USERS), 7);
    assert_int_equal(metric_value(&m, METRIC_EVENTS), 30);
    assert_int_equal(metric_value(&m, METRIC_READY), 0);
    assert_int_equal(metric_value(&m, METRIC_PARTITIONS), 16);
    assert_int_equal(metric_value(&m, METRIC_BUILD_INFO), 1);
    assert_int_equal(metric_value(&m, METRIC_START_TIME), 5);
    assert_int_equal(histogram_count(&m.histogram[HISTOGRAM_LOOP_TURN]), 3);
    assert_int_equal(m.histogram[HISTOGRAM_LOOP_TURN].sum_us, 1000000120);
}

/* Who has ended holds nothing any more, but has counted. */
static void test_outlived(void **state) {
    (void)state;
    struct metrics ended;
    memset(&ended, 0, sizeof ended);
    metric_set(&m, METRIC_READY, 1);
    metric_set(&m, METRIC_USERS, 3);
    metric_set(&ended, METRIC_USERS, 4);
    metric_add(&ended, METRIC_EVENTS, 20);
    metric_observe(&ended, HISTOGRAM_LOOP_TURN, 60);
    metrics_outlive(&m, &ended);
    assert_int_equal(metric_value(&m, METRIC_USERS), 3);
    assert_int_equal(metric_value(&m, METRIC_READY), 1);
    assert_int_equal(metric_value(&m, METRIC_EVENTS), 20);
    assert_int_equal(histogram_count(&m.histogram[HISTOGRAM_LOOP_TURN]), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bounds, begin),
        cmocka_unit_test_setup(test_bound_texts, begin),
        cmocka_unit_test_setup(test_extremes, begin),
        cmocka_unit_test_setup(test_histogram_text, begin),
        cmocka_unit_test_setup(test_turn_max, begin),
        cmocka_unit_test_setup(test_slots, begin),
        cmocka_unit_test_setup(test_labels, begin),
        cmocka_unit_test_setup(test_handshakes, begin),
        cmocka_unit_test_setup(test_errors, begin),
        cmocka_unit_test_setup(test_closes, begin),
        cmocka_unit_test_setup(test_limits, begin),
        cmocka_unit_test_setup(test_seconds, begin),
        cmocka_unit_test_setup(test_joined, begin),
        cmocka_unit_test_setup(test_outlived, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
