#include "common/metrics.h"

#include <string.h>

/* --- counting -------------------------------------------------------------------------------
 */

void metric_handshake(struct metrics *m, enum door_kind door, bool accepted) {
    metric_add(m, METRIC_HANDSHAKES + 2U * door + (accepted ? 0 : 1), 1);
}

void metric_error(struct metrics *m, enum err err) {
    if (err != ERR_OK)
        metric_add(m, METRIC_ERRORS + (unsigned)err - 1, 1);
}

void metric_close(struct metrics *m, uint16_t code) {
#define CLOSE_CODE(code) code,
    static const uint16_t codes[CLOSE_COUNT] = {CLOSE_TABLE(CLOSE_CODE)};
#undef CLOSE_CODE
    for (unsigned i = 0; i < CLOSE_COUNT; i++) {
        if (codes[i] == code)
            metric_add(m, METRIC_CLOSES + i, 1);
    }
}

#define BOUND_US(us, text) us,
static const uint32_t bounds[HISTOGRAM_BUCKETS] = {HISTOGRAM_BOUNDS(BOUND_US)};
#undef BOUND_US

void metric_observe(struct metrics *m, enum histogram_kind which, uint64_t us) {
    struct histogram *h = &m->histogram[which];
    unsigned i = 0;
    while (i < HISTOGRAM_BUCKETS && us > bounds[i])
        i++;
    h->count[i]++;
    h->sum_us += us;
}

void metrics_turn(struct metrics *m, uint64_t us) {
    metric_observe(m, HISTOGRAM_LOOP_TURN, us);
    if (us > m->turn_max_us)
        m->turn_max_us = us;
}

uint64_t metrics_take_turn_max(struct metrics *m) {
    uint64_t us = m->turn_max_us;
    m->turn_max_us = 0;
    return us;
}

/* --- labels ---------------------------------------------------------------------------------
 * The labels of each slot of a set, in order. None needs escaping.
 */

#define LABEL(name, value)         name "=\"" value "\""
#define DOOR_LABEL(symbol, n)      LABEL("door", n),
#define TRANSPORT_LABEL(symbol, n) LABEL("transport", n),
#define HANDSHAKE_LABELS(symbol, n)                                                            \
    LABEL("door", n)                                                                           \
    "," LABEL("result", "accepted"), LABEL("door", n) "," LABEL("result", "refused"),
#define EVENT_LABEL(symbol, name, handler, flags, rights, payload) LABEL("event", name),
#define CODE_LABEL(symbol, code, message)                          LABEL("code", code),
#define CLOSE_LABEL(code)                                          LABEL("code", #code),
#define RECOVERY_LABEL(symbol, n)                                  LABEL("result", n),
#define DROP_LABEL(symbol, drop_class, why)                        LABEL("class", drop_class) "," LABEL("reason", why),

#define HELD_LABEL(symbol, n)           LABEL("what", n),
#define LIMIT_LABEL(symbol, n)          LABEL("limit", n),
#define HANDOVER_LABEL(symbol, n)       LABEL("result", n),
#define TLS_LABEL(symbol, n)            LABEL("result", n),
#define HOOK_END_LABEL(type, symbol, n) LABEL("type", type) "," LABEL("result", n),
#define HOOK_LABELS(symbol, type)       HOOK_END_TABLE(HOOK_END_LABEL, type)

_Static_assert(HISTOGRAM_HOOK_WEBHOOK - HISTOGRAM_HOOK_CONNECT == HOOK_COUNT - 1,
               "a histogram for each type");

static const char *const set_none[] = {""};
static const char *const set_version[] = {LABEL("version", SLUICE_VERSION)};
static const char *const set_door[] = {DOOR_TABLE(DOOR_LABEL)};
static const char *const set_transport[] = {TRANSPORT_TABLE(TRANSPORT_LABEL)};
static const char *const set_handshake[] = {DOOR_TABLE(HANDSHAKE_LABELS)};
static const char *const set_event[] = {EVENT_TABLE(EVENT_LABEL) LABEL("event", "own"),
                                        LABEL("event", "unknown")};
static const char *const every_code[] = {ERR_TABLE(CODE_LABEL)};
#define set_code (every_code + 1) /* ERR_OK is no error */
static const char *const set_close[] = {CLOSE_TABLE(CLOSE_LABEL)};
static const char *const set_drop[] = {DROP_TABLE(DROP_LABEL)};
static const char *const set_recovery[] = {RECOVERY_TABLE(RECOVERY_LABEL)};
static const char *const set_limit[] = {LIMIT_TABLE(LIMIT_LABEL)};
static const char *const set_held[] = {HELD_TABLE(HELD_LABEL)};
static const char *const set_handover[] = {HANDOVER_TABLE(HANDOVER_LABEL)};
static const char *const set_tls[] = {TLS_TABLE(TLS_LABEL)};
static const char *const set_hook[] = {HOOK_TABLE(HOOK_LABELS)};

/* --- the families ---------------------------------------------------------------------------
 */

enum unit { UNIT_ONE, UNIT_BYTES, UNIT_MICROSECONDS };

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_LEAST, KIND_MOST };

struct family {
    const char *name;
    const char *help;
    enum kind kind;
    enum unit unit;
    unsigned first; /* the first of its slots */
    unsigned last;
    const char *const *labels;
};

#define FAMILY(symbol, set, is, of, text, about)                                               \
    {.name = (text),                                                                           \
     .help = (about),                                                                          \
     .kind = KIND_##is,                                                                        \
     .unit = UNIT_##of,                                                                        \
     .first = METRIC_##symbol,                                                                 \
     .last = METRIC_##symbol##_LAST,                                                           \
     .labels = set_##set},
static const struct family families[] = {METRIC_TABLE(FAMILY)};

/* --- several processes ----------------------------------------------------------------------
 */

static uint64_t together(enum kind kind, uint64_t a, uint64_t b) {
    if (kind == KIND_LEAST)
        return a < b ? a : b;
    if (kind == KIND_MOST)
        return a > b ? a : b;
    return a + b;
}

static void add_histogram(struct histogram *into, const struct histogram *h) {
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++)
        into->count[i] += h->count[i];
    into->sum_us += h->sum_us;
}

static void join(struct metrics *into, const struct metrics *other, bool gauges) {
    for (unsigned f = 0; f < sizeof families / sizeof *families; f++) {
        enum kind kind = families[f].kind;
        for (unsigned i = families[f].first; i <= families[f].last; i++)
            if (gauges || kind == KIND_COUNTER)
                into->slot[i] = together(kind, into->slot[i], other->slot[i]);
    }
    for (unsigned i = 0; i < HISTOGRAM_COUNT; i++)
        add_histogram(&into->histogram[i], &other->histogram[i]);
}

void metrics_join(struct metrics *into, const struct metrics *other) {
    join(into, other, true);
}

void metrics_outlive(struct metrics *into, const struct metrics *ended) {
    join(into, ended, false);
}

/* --- printing -------------------------------------------------------------------------------
 */

static void put_head(struct buf *out, const char *name, const char *help, const char *type) {
    buf_printf(out, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name, type);
}

static void put_seconds(struct buf *out, uint64_t us) {
    buf_printf(out, "%llu.%06llu", (unsigned long long)(us / 1000000),
               (unsigned long long)(us % 1000000));
}

static void print_family(const struct metrics *m, const struct family *f, struct buf *out) {
    put_head(out, f->name, f->help, f->kind == KIND_COUNTER ? "counter" : "gauge");
    for (unsigned i = f->first; i <= f->last; i++) {
        const char *labels = f->labels[i - f->first];
        buf_str(out, f->name);
        if (labels[0] != '\0')
            buf_printf(out, "{%s}", labels);
        buf_char(out, ' ');
        if (f->unit == UNIT_MICROSECONDS)
            put_seconds(out, m->slot[i]);
        else
            buf_u64(out, m->slot[i]);
        buf_char(out, '\n');
    }
}

static void print_histogram(const struct histogram *h, const char *name, const char *label,
                            struct buf *out) {
#define BOUND_TEXT(us, text) text,
    static const char *const texts[] = {HISTOGRAM_BOUNDS(BOUND_TEXT) "+Inf"};
#undef BOUND_TEXT
    uint64_t upto = 0;
    const char *comma = label[0] != '\0' ? "," : "";
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        upto += h->count[i];
        buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", name, label, comma, texts[i],
                   (unsigned long long)upto);
    }
    const char *open = label[0] != '\0' ? "{" : "", *end = label[0] != '\0' ? "}" : "";
    buf_printf(out, "%s_sum%s%s%s ", name, open, label, end);
    put_seconds(out, h->sum_us);
    buf_printf(out, "\n%s_count%s%s%s %llu\n", name, open, label, end,
               (unsigned long long)upto);
}

void metrics_print(const struct metrics *m, struct buf *out) {
    static const struct {
        const char *name;
        const char *label;
        const char *help;
    } histograms[] = {
#define HISTOGRAM_ROW(symbol, name, label, help) {name, label, help},
        HISTOGRAM_TABLE(HISTOGRAM_ROW)
#undef HISTOGRAM_ROW
    };
    for (unsigned i = 0; i < sizeof families / sizeof *families; i++)
        print_family(m, &families[i], out);
    for (unsigned i = 0; i < HISTOGRAM_COUNT; i++) {
        if (i == 0 || strcmp(histograms[i].name, histograms[i - 1].name) != 0)
            put_head(out, histograms[i].name, histograms[i].help, "histogram");
        print_histogram(&m->histogram[i], histograms[i].name, histograms[i].label, out);
    }
}
