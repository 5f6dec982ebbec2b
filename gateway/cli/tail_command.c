#include "gateway/cli/tail_command.h"

#include <string.h>

#include "common/log.h"
#include "gateway/cli/command.h"
#include "gateway/cli/follow.h"
#include "gateway/cli/line.h"

#define LAST       10 /* messages that are printed at first */
#define SEQ_MOST   (1ULL << 53)
#define EPOCH_SIZE 64
/* A log is asked often while there is news. */
#define SOONEST_MS 100
#define LATEST_MS  500
#define AGAIN_MS   1000
#define LOOK_EVERY 10 /* so many answers without a message, and the epoch is looked at */

struct tail {
    struct command command;
    struct caller caller;
    const char *from;
    char channel[800];      /* percent-encoded */
    uint64_t at;            /* the seq after which it goes on */
    char epoch[EPOCH_SIZE]; /* of the last message; empty: none was seen */
    char only[EPOCH_SIZE];  /* those before the first of this epoch are passed over; empty: none
                             */
    struct follow follow;
    bool positioned; /* a page came, so `at` says where to go on */
    bool more;       /* the log has more than was read */
    unsigned quiet;  /* answers without a message since the last one */
    int wait_ms;
};

/* --- the command line -----------------------------------------------------------------------
 */

/* All but what a path can have as it is. */
static bool encode(const char *name, char *out, size_t size) {
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (; *name != '\0' && n + 4 <= size; name++) {
        unsigned char c = (unsigned char)*name;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                     (c >= 'a' && c <= 'z') || strchr("-._~:", c) != NULL;
        if (plain) {
            out[n++] = *name;
        } else {
            out[n++] = '%';
            out[n++] = digits[c >> 4];
            out[n++] = digits[c & 15];
        }
    }
    out[n] = '\0';
    return *name == '\0';
}

static const char *check(struct tail *t) {
    uint64_t from = 0;
    if (t->command.count == 0)
        return "a channel is missing (see sluice tail --help)";
    if (t->command.count > 1)
        return "there must be one channel";
    if (t->from != NULL && !slice_number(slice_of(t->from), SEQ_MOST, &from))
        return "--from must be a seq, a number";
    t->at = from > 0 ? from - 1 : 0;
    return encode(t->command.words[0], t->channel, sizeof t->channel)
               ? NULL
               : "the channel's name is too long";
}

/* --- a message ------------------------------------------------------------------------------
 */

enum { SEQ, EPOCH, TIME, EVENT, USER, DATA, ARGS, COUNT };
static const char *const names[] = {"seq",  "epoch", "timestamp", "event",
                                    "user", "data",  "args"};

/* A text has no quotes, unless it has a blank. */
static void put_word(struct buf *out, struct json_value value) {
    struct slice text = value.raw;
    bool parted = text.len > 0 && memchr(text.ptr, ' ', text.len) != NULL;
    buf_char(out, ' ');
    if (value.type == JSON_STRING && text.len > 2 && !parted)
        line_json(out, (struct slice){text.ptr + 1, text.len - 2});
    else if (text.len <= 2 && !json_is_integer(value))
        buf_char(out, '-');
    else
        line_json(out, text);
}

static void put_line(struct buf *out, const struct json_value part[]) {
    uint64_t ms = 0;
    (void)json_uint64(part[TIME], &ms); /* a node has written it */
    line_time(out, ms);
    put_word(out, part[SEQ]);
    put_word(out, part[EVENT]);
    put_word(out, part[USER]);
    buf_char(out, ' ');
    line_json(out, part[DATA].type != JSON_NONE ? part[DATA].raw : part[ARGS].raw);
}

static void epoch_of(struct json_value value, char out[EPOCH_SIZE]) {
    ptrdiff_t len = json_decode(value, out, EPOCH_SIZE - 1);
    out[len > 0 ? len : 0] = '\0';
}

/* Returns false if it is no message. */
static bool take(struct tail *t, struct json_value message, struct buf *out) {
    struct json_value part[COUNT];
    char epoch[EPOCH_SIZE];
    uint64_t seq;
    json_fields(message, names, part, COUNT);
    if (!json_uint64(part[SEQ], &seq))
        return false;
    epoch_of(part[EPOCH], epoch);
    t->at = seq;
    memcpy(t->epoch, epoch, sizeof epoch);
    if (t->only[0] != '\0' && strcmp(epoch, t->only) != 0)
        return true;
    t->only[0] = '\0';
    if (t->command.as_json)
        line_json(out, message.raw);
    else
        put_line(out, part);
    buf_char(out, '\n');
    return true;
}

/* --- a page ---------------------------------------------------------------------------------
 */

/* Returns how many messages it had. */
static size_t take_page(struct tail *t, struct buf *out) {
    static const char *const parts[] = {"messages", "more"};
    struct json_value part[2];
    struct json_iter it;
    size_t count = 0;
    bool forward = t->positioned || t->from != NULL;
    json_fields(t->caller.said, parts, part, 2);
    json_iter_init(&it, part[0]);
    while (json_iter_next(&it))
        count += take(t, it.value, out);
    t->more = forward && part[1].type == JSON_TRUE && count > 0;
    return count;
}

static enum caller_result ask_page(struct tail *t, bool forward) {
    const char *query = forward ? log_text("after=%llu&limit=100", (unsigned long long)t->at)
                                : log_text("limit=%d", LAST);
    return caller_ask(&t->caller, log_text("/channels/%s/history?%s", t->channel, query), NULL);
}

/*
 * Redis may have lost messages, or the whole log. The log goes on in another epoch then, with a
 * seq that is less than one that was printed. Is that so? The last message tells it.
 */
static enum caller_result look(struct tail *t) {
    static const char *const parts[] = {"messages"};
    struct json_value list, last[COUNT];
    struct json_iter it;
    char epoch[EPOCH_SIZE];
    enum caller_result result =
        caller_ask(&t->caller, log_text("/channels/%s/history?limit=1", t->channel), NULL);
    if (result != CALLER_GOOD)
        return result;
    json_fields(t->caller.said, parts, &list, 1);
    json_iter_init(&it, list);
    if (!json_iter_next(&it))
        return result;
    json_fields(it.value, names, last, COUNT);
    epoch_of(last[EPOCH], epoch);
    if (t->epoch[0] == '\0' || strcmp(epoch, t->epoch) == 0)
        return result;
    command_wrong(&t->command, log_text("the log goes on in epoch %s", epoch), 0);
    memcpy(t->only, epoch, sizeof epoch);
    t->at = 0;
    t->wait_ms = 0;
    return result;
}

/* --- following ------------------------------------------------------------------------------
 */

/* News make the next question come sooner. */
static bool on_page(struct tail *t, int *status) {
    struct buf out = {0};
    size_t count = take_page(t, &out);
    bool good = follow_write(&t->command, &out, status);
    buf_deinit(&out);
    t->positioned = true;
    t->quiet = count > 0 ? 0 : t->quiet + 1;
    t->wait_ms = t->more     ? 0
                 : count > 0 ? SOONEST_MS
                             : (t->wait_ms < LATEST_MS / 2 ? t->wait_ms * 2 : LATEST_MS);
    return good;
}

static bool step(struct tail *t, int *status) {
    bool looks = t->quiet > 0 && t->quiet % LOOK_EVERY == 0;
    enum caller_result result = looks ? look(t) : ask_page(t, t->positioned || t->from != NULL);
    if (!follow_answered(&t->follow, &t->command, &t->caller, result, status))
        return false;
    if (result != CALLER_GOOD) {
        t->wait_ms = AGAIN_MS;
        return true;
    }
    if (!looks)
        return on_page(t, status);
    t->quiet++;
    return true;
}

static int go_on(struct tail *t) {
    int status;
    follow_begin(&t->follow);
    while (step(t, &status)) {
        if (!follow_wait(t->wait_ms))
            return COMMAND_DONE;
    }
    return status;
}

static int run(struct tail *t) {
    const char *wrong = check(t);
    if (wrong != NULL)
        return command_wrong(&t->command, wrong, COMMAND_USAGE);
    int status = command_call(&t->command, &t->caller, follow_stopped);
    if (status != COMMAND_DONE)
        return status;
    status = go_on(t);
    caller_close(&t->caller);
    return status;
}

int tail_command_run(int argc, char **argv) {
    struct tail t = {.command = {.name = "tail"}, .wait_ms = LATEST_MS};
    const struct words_flag flags[] = {COMMAND_FLAGS(&t.command), {"--from", &t.from, NULL}};
    int status;
    if (command_read(&t.command, flags, sizeof flags / sizeof *flags, argc, argv, &status))
        status = run(&t);
    command_deinit(&t.command);
    return status;
}
