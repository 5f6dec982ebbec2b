#include "gateway/redis/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/redis/answers.h"
#include "gateway/redis/errors.h"

#define BATCH_BYTES 262144
#define KEYS_MOST   3 /* of one message */
#define ARGS_MOST   10

_Static_assert(BATCH_MOST <= ANSWERS_MOST, "each message has an answer");

/* Scripts of which a call takes several messages. */
static const enum script batched[] = {SCRIPT_append, SCRIPT_private};
#define BATCHED (sizeof batched / sizeof batched[0])

struct appending {
    enum script script;
    struct list calls;
    struct list refused; /* they could not be sent, and are told at the end of the turn */
    unsigned count;
    size_t bytes;
};

/* --- one message ----------------------------------------------------------------------------
 */

struct append {
    struct list link; /* in the lane's `waiting`, in `calls`, or in a batch */
    struct partition *partition;
    struct appending *to; /* NULL: it is sent by itself */
    struct sending *sending;
    redis_done done;
    void *arg;
    enum script script;
    unsigned key_count;
    unsigned arg_count;
    size_t size;
    struct slice words[]; /* keys, then arguments; their bytes follow */
};

static struct append *append_make(const struct slice keys[], size_t key_count,
                                  const struct slice args[], size_t arg_count) {
    size_t words = key_count + arg_count, bytes = 0;
    for (size_t i = 0; i < words; i++)
        bytes += i < key_count ? keys[i].len : args[i - key_count].len;
    size_t size = sizeof(struct append) + words * sizeof(struct slice) + bytes;
    struct append *a = malloc(size);
    if (a == NULL)
        return NULL;
    *a = (struct append){
        .key_count = (unsigned)key_count, .arg_count = (unsigned)arg_count, .size = size};
    list_init(&a->link);
    char *at = (char *)&a->words[words];
    for (size_t i = 0; i < words; i++) {
        struct slice from = i < key_count ? keys[i] : args[i - key_count];
        if (from.len != 0)
            memcpy(at, from.ptr, from.len);
        a->words[i] = (struct slice){at, from.len};
        at += from.len;
    }
    return a;
}

static struct append *first_of(const struct list *appends) {
    return container_of(appends->next, struct append, link);
}

static struct append *pop(struct list *appends) {
    return container_of(list_pop(appends), struct append, link);
}

static struct lane *lane_of(const struct append *a) {
    return a->sending != NULL ? a->sending->lane : NULL;
}

/* Ends it, and tells. reply: NULL if there is none. */
static void finish(struct append *a, const struct reply *reply, enum outcome outcome) {
    struct lane *l = lane_of(a);
    if (l != NULL) {
        l->count--;
        l->bytes -= a->size;
    }
    a->partition->appending_bytes -= a->size;
    a->done(a->arg, reply, outcome);
    free(a);
}

/* --- a call and its answer ------------------------------------------------------------------
 */

struct batch {
    struct list calls;
    unsigned count;
};

/* Puts those back that the script has left out. They come before all that waits already, so
 * this goes from the last to the first. */
static void put_back(struct batch *b, const struct answers *answers) {
    struct list *before;
    unsigned i = b->count;
    for (struct list *at = b->calls.prev; at != &b->calls; at = before) {
        struct append *a = container_of(at, struct append, link);
        struct lane *l = lane_of(a);
        long long status = answers_status(answers, --i);
        before = at->prev;
        if (l == NULL)
            continue;
        if (status == SCRIPT_SKIPPED) {
            list_remove(&a->link);
            list_push(l->waiting.next, &a->link);
            l->under_way--;
        } else if (answers->reply == NULL || status < 0) {
            l->stopped_by = a->sending;
            l->missing =
                answers->reply != NULL && status != SCRIPT_FAILED ? a->sending->own : 0;
        }
    }
}

static void answer_one(struct append *a, const struct answers *answers, unsigned i,
                       enum outcome outcome) {
    struct answer answer;
    if (lane_of(a) != NULL)
        lane_of(a)->under_way--;
    if (answers_status(answers, i) == SCRIPT_FAILED)
        finish(a, NULL, redis_error_outcome(answers_error(answers, i)));
    else
        finish(a, answers_get(answers, i, &answer), outcome);
}

static void on_answer(void *arg, const struct reply *reply, enum outcome outcome) {
    struct batch *b = arg;
    struct answers answers;
    unsigned i = 0;
    answers_read(&answers, reply, b->count);
    put_back(b, &answers);
    while (!list_empty(&b->calls)) {
        struct append *a = pop(&b->calls);
        while (answers_status(&answers, i) == SCRIPT_SKIPPED)
            i++;
        answer_one(a, &answers, i++, outcome);
    }
    free(b);
}

/* A call of a script: the keys of each channel once. */
struct call {
    struct slice keys[BATCH_MOST * KEYS_MOST];
    struct slice args[BATCH_MOST * (ARGS_MOST + 1)];
    char places[BATCH_MOST][2];
    size_t key_count, arg_count;
    unsigned lanes;
};

static bool has_keys(const struct append *a, const struct slice keys[]) {
    for (unsigned i = 0; i < a->key_count; i++) {
        if (!slice_eq(a->words[i], keys[i]))
            return false;
    }
    return true;
}

/* Puts the message's keys in, unless they are there. Returns the how manieth they are, from 1.
 */
static size_t put_keys(struct call *call, const struct append *a) {
    size_t at = 0;
    while (at < call->key_count && !has_keys(a, call->keys + at))
        at += a->key_count;
    if (at == call->key_count) {
        memcpy(call->keys + at, a->words, a->key_count * sizeof *call->keys);
        call->key_count += a->key_count;
    }
    return at / a->key_count + 1;
}

/* The number of a lane in this call, from 1; 0: it is in none. */
static unsigned number_of(struct call *call, struct lane *l) {
    if (l == NULL)
        return 0;
    if (l->number == 0)
        l->number = ++call->lanes;
    return l->number;
}

/* From now on they are sent. */
static void close_lanes(const struct list *calls) {
    for (struct list *at = calls->next; at != calls; at = at->next) {
        struct lane *l = lane_of(container_of(at, struct append, link));
        if (l != NULL) {
            l->number = 0;
            l->gathering = NULL;
        }
    }
}

/* The first argument of a message is empty if it is the only one, or its lane and keys, which
 * are both less than 75 (several.lua). */
static void put_message(struct call *call, struct append *a, unsigned i, bool only) {
    size_t keys = put_keys(call, a);
    char *place = call->places[i];
    if (!only) {
        place[0] = (char)('0' + number_of(call, lane_of(a)));
        place[1] = (char)('0' + keys);
    }
    if (a->to != NULL)
        call->args[call->arg_count++] = (struct slice){place, only ? 0 : 2};
    memcpy(call->args + call->arg_count, a->words + a->key_count,
           a->arg_count * sizeof *call->args);
    call->arg_count += a->arg_count;
}

static bool send_calls(struct partition *p, enum script script, struct batch *b) {
    struct call call;
    unsigned i = 0;
    call.key_count = call.arg_count = call.lanes = 0;
    for (struct list *at = b->calls.next; at != &b->calls; at = at->next)
        put_message(&call, container_of(at, struct append, link), i++, b->count == 1);
    close_lanes(&b->calls);
    return redis_durable(p, script, call.keys, call.key_count, call.args, call.arg_count,
                         on_answer, b);
}

/* Sends these messages. False: none was sent; they are in `calls` as before. */
static bool send_batch(struct partition *p, enum script script, struct list *calls,
                       unsigned count) {
    struct batch *b = malloc(sizeof *b);
    if (b == NULL)
        return false;
    b->count = count;
    list_init(&b->calls);
    list_splice(&b->calls, calls);
    if (send_calls(p, script, b))
        return true;
    list_splice(calls, &b->calls);
    free(b);
    return false;
}

/* --- gathering ------------------------------------------------------------------------------
 */

static void send_gathered(struct partition *p, struct appending *a) {
    struct list calls;
    unsigned count = a->count;
    list_init(&calls);
    list_splice(&calls, &a->calls);
    a->count = 0;
    a->bytes = 0;
    if (count > 0 && !send_batch(p, a->script, &calls, count))
        list_splice(&a->refused, &calls);
}

static void refuse_all(struct list *calls) {
    const struct answers none = {.reply = NULL};
    while (!list_empty(calls))
        answer_one(pop(calls), &none, 0, OUTCOME_REFUSED);
}

void batch_flush(struct partition *p) {
    for (size_t i = 0; i < BATCHED && p->appending_bytes > 0; i++) {
        send_gathered(p, &p->appending[i]);
        refuse_all(&p->appending[i].refused);
    }
}

bool batch_init(struct partition *p) {
    p->appending = calloc(BATCHED, sizeof *p->appending);
    for (size_t i = 0; i < BATCHED && p->appending != NULL; i++) {
        p->appending[i].script = batched[i];
        list_init(&p->appending[i].calls);
        list_init(&p->appending[i].refused);
    }
    return p->appending != NULL;
}

void batch_deinit(struct partition *p) {
    free(p->appending);
    p->appending = NULL;
}

static bool has_room(const struct appending *to, const struct append *a) {
    return to->count < BATCH_MOST && (to->count == 0 || to->bytes + a->size <= BATCH_BYTES);
}

static void gather(struct appending *to, struct append *a) {
    if (!has_room(to, a))
        send_gathered(a->partition, to);
    list_push(&to->calls, &a->link);
    to->count++;
    to->bytes += a->size;
}

/* --- in order -------------------------------------------------------------------------------
 */

void lane_init(struct lane *l) {
    *l = (struct lane){.count = 0};
    list_init(&l->waiting);
}

/* May it be sent now, beside what is under way? */
static bool may_go(const struct lane *l, const struct append *a) {
    return l == NULL || l->under_way == 0 ||
           (a->to != NULL && l->gathering == a->to && !a->sending->alone && has_room(a->to, a));
}

/* False: it could not be sent. */
static bool go(struct append *a) {
    struct lane *l = lane_of(a);
    if (l != NULL) {
        l->under_way++;
        l->gathering = a->to;
        if (a->sending->alone)
            l->stopped_by = a->sending;
    }
    if (a->to != NULL) {
        gather(a->to, a);
        return true;
    }
    struct list one;
    list_init(&one);
    list_push(&one, &a->link);
    if (redis_up(a->partition) && send_batch(a->partition, a->script, &one, 1))
        return true;
    list_remove(&a->link);
    if (l != NULL) {
        l->under_way--;
        l->stopped_by = l->stopped_by == a->sending ? NULL : l->stopped_by;
    }
    return false;
}

/* Does it fail since one before it did? */
static bool must_fail(const struct lane *l, const struct append *a) {
    return l->broken || !redis_up(a->partition) ||
           (l->missing != 0 && a->sending->after == l->missing);
}

static void lane_go(struct lane *l) {
    if (l->going)
        return;
    l->going = true;
    while (!list_empty(&l->waiting) && l->stopped_by == NULL) {
        struct append *a = first_of(&l->waiting);
        bool fails = must_fail(l, a);
        if (fails ? l->under_way > 0 : !may_go(l, a))
            break;
        list_pop(&l->waiting);
        if (fails && !l->broken)
            l->missing = a->sending->own;
        a->sending->given = !fails; /* its end changes nothing more here */
        if (fails || !go(a))
            finish(a, NULL, OUTCOME_REFUSED);
    }
    l->going = false;
    if (l->count == 0)
        l->broken = false;
}

void lane_break(struct lane *l) {
    l->broken = l->count > 0;
    lane_go(l);
}

void lane_over(struct sending *s, bool broken) {
    struct lane *l = s->lane;
    if (!s->given)
        return;
    s->given = false;
    if (l->stopped_by == s)
        l->stopped_by = NULL;
    l->broken = l->broken || (broken && l->count > 0);
    lane_go(l);
}

static struct appending *appending_of(struct partition *p, enum script script) {
    for (size_t i = 0; i < BATCHED; i++) {
        if (batched[i] == script)
            return &p->appending[i];
    }
    return NULL;
}

/* Sends it, or lets it wait. False: it could not be sent. */
static bool begin(struct append *a) {
    struct lane *l = lane_of(a);
    if (l == NULL)
        return go(a);
    bool waits =
        !list_empty(&l->waiting) || l->stopped_by != NULL || l->broken || !may_go(l, a);
    if (!waits && !go(a))
        return false;
    if (waits)
        list_push(&l->waiting, &a->link);
    l->count++;
    l->bytes += a->size;
    a->sending->given = true;
    return true;
}

bool redis_append(struct partition *p, struct sending *s, enum script script,
                  const struct slice keys[], size_t key_count, const struct slice args[],
                  size_t arg_count, redis_done done, void *arg) {
    struct appending *to = appending_of(p, script);
    if (!p->up || redis_is_full(p))
        return false;
    if (to == NULL && s == NULL)
        return redis_durable(p, script, keys, key_count, args, arg_count, done, arg);
    assert(key_count <= KEYS_MOST && arg_count <= ARGS_MOST);
    struct append *a = append_make(keys, key_count, args, arg_count);
    if (a == NULL)
        return false;
    a->partition = p;
    a->script = script;
    a->to = to;
    a->sending = s;
    a->done = done;
    a->arg = arg;
    p->appending_bytes += a->size;
    if (begin(a))
        return true;
    p->appending_bytes -= a->size;
    free(a);
    return false;
}
