#include "fake_redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fake_redis fake;

/* --- scripts --------------------------------------------------------------------------------
 */

struct asked {
    struct asked *next;
    redis_done done;
    void *arg;
    char *text;
    bool takes_text; /* its answer is a text (append.lua) */
    size_t count;    /* of arguments */
    char *args[];
};
static struct asked *oldest, **newest = &oldest;

static void put_word(struct buf *text, struct slice word) {
    buf_slice(text, word.len > 0 ? word : SLICE("''"));
}

static char *text_of(unsigned partition, enum script script, const struct slice keys[],
                     size_t key_count, const struct slice args[], size_t arg_count) {
#define NAME(name, parts, keys) #name,
    static const char *const names[] = {SCRIPT_TABLE(NAME)};
#undef NAME
    struct buf text;
    buf_init(&text);
    buf_str(&text, names[script]);
    if (fake.place != NULL)
        buf_printf(&text, "@%u", partition);
    for (size_t i = 0; i < key_count; i++) {
        buf_char(&text, ' ');
        put_word(&text, keys[i]);
    }
    buf_str(&text, " |");
    for (size_t i = 0; i < arg_count; i++) {
        buf_char(&text, ' ');
        put_word(&text, args[i]);
    }
    char *copy = strndup(text.data, text.len);
    buf_deinit(&text);
    return copy;
}

struct partition *redis_partition(struct redis *r, struct slice name) {
    if (fake.place != NULL)
        return redis_at(r, fake.place(name));
    char last = name.len > 0 ? name.ptr[name.len - 1] : '0';
    unsigned index = last >= '0' && last <= '9' ? (unsigned)(last - '0') : 0;
    return redis_at(r, index % r->count);
}

bool redis_is_full(const struct partition *r) {
    (void)r;
    return fake.full;
}

void redis_bell(const struct partition *r, struct buf *out, const char *name) {
    (void)r;
    buf_printf(out, "sluice:%s", name);
}

bool redis_script(struct partition *r, enum script script, const struct slice keys[],
                  size_t key_count, const struct slice args[], size_t arg_count,
                  redis_done done, void *arg) {
    assert_in_range(r - fake.redis.partitions, 0, fake.redis.count - 1);
    if (!redis_up(r))
        return false;
    struct asked *a = calloc(1, sizeof *a + arg_count * sizeof *a->args);
    a->done = done;
    a->arg = arg;
    a->text = text_of(r->index, script, keys, key_count, args, arg_count);
    a->takes_text = script == SCRIPT_append || script == SCRIPT_private;
    a->count = arg_count;
    for (size_t i = 0; i < arg_count; i++)
        a->args[i] = args[i].len > 0 ? strndup(args[i].ptr, args[i].len) : strdup("");
    *newest = a;
    newest = &a->next;
    fake.pending++;
    return true;
}

/* No replica is waited for. */
bool redis_durable(struct partition *r, enum script script, const struct slice keys[],
                   size_t key_count, const struct slice args[], size_t arg_count,
                   redis_done done, void *arg) {
    return redis_script(r, script, keys, key_count, args, arg_count, done, arg);
}

void fake_turn(void) {
    for (unsigned i = 0; i < fake.redis.count; i++)
        batch_flush(&fake.redis.partitions[i]);
}

static void put_words(struct buf *text, const struct reply *array, size_t from) {
    for (size_t i = from; i < array->count; i++) {
        if (i > from)
            buf_char(text, array->items[i]->type == REPLY_ARRAY ? '\n' : ' ');
        if (array->items[i]->type == REPLY_ARRAY)
            put_words(text, array->items[i], 0);
        else
            buf_slice(text, reply_text(array->items[i]));
    }
}

/* Tells an array as the text that it stands for: "0 1 2", or of several messages
 * "0 [ 0 1 2 ] [ 0 2 2 ]". */
static void tell_text(const struct asked *a, const struct reply *array, enum outcome outcome) {
    struct buf text;
    bool several = array->count > 1 && array->items[1]->type == REPLY_ARRAY;
    buf_init(&text);
    put_words(&text, array, several);
    const struct reply reply = {.type = REPLY_STRING, .text = buf_bytes(&text)};
    a->done(a->arg, &reply, outcome);
    buf_deinit(&text);
}

static void end_oldest(const struct reply *reply, enum outcome outcome) {
    fake_turn();
    struct asked *a = oldest;
    assert_non_null(a);
    oldest = a->next;
    if (oldest == NULL)
        newest = &oldest;
    fake.pending--;
    if (a->done != NULL && a->takes_text && reply != NULL)
        tell_text(a, reply, outcome);
    else if (a->done != NULL)
        a->done(a->arg, reply, outcome);
    for (size_t i = 0; i < a->count; i++)
        free(a->args[i]);
    free(a->text);
    free(a);
}

const char *fake_asked(void) {
    fake_turn();
    return oldest != NULL ? oldest->text : "";
}

const char *fake_argument(size_t i) {
    assert_non_null(oldest);
    assert_true(i < oldest->count);
    return oldest->args[i];
}

const char *fake_format(const char *format, ...) {
    static char text[32768];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return text;
}

/* --- answers --------------------------------------------------------------------------------
 */

static struct reply *reply_add(struct reply *array, struct reply item) {
    array->items = realloc(array->items, (array->count + 1) * sizeof *array->items);
    struct reply *r = malloc(sizeof *r);
    *r = item;
    array->items[array->count++] = r;
    return r;
}

/* Reads a word, and returns where the next one begins. */
static const char *read_word(const char *at, struct slice *out) {
    const char *end;
    if (*at == '\'') {
        end = strchr(++at, '\'');
        assert_non_null(end);
        *out = (struct slice){at, (size_t)(end - at)};
        end++;
    } else {
        end = at + strcspn(at, " ");
        *out = (struct slice){at, (size_t)(end - at)};
    }
    return end + strspn(end, " ");
}

/* Reads up to the bracket that ends the array. Texts are the reply's own. */
static const char *read_array(const char *at, struct reply *array) {
    struct slice word;
    while (*at != '\0') {
        bool quoted = *at == '\'';
        at = read_word(at, &word);
        if (!quoted && slice_is(word, "]"))
            break;
        if (!quoted && slice_is(word, "["))
            at = read_array(at, reply_add(array, (struct reply){.type = REPLY_ARRAY}));
        else
            reply_add(array, (struct reply){.type = REPLY_STRING,
                                            .text = {strndup(word.ptr, word.len), word.len}});
    }
    return at;
}

static struct reply *reply_of(const char *format, va_list args) {
    char *text;
    struct reply *r = calloc(1, sizeof *r);
    r->type = REPLY_ARRAY;
    assert_true(vasprintf(&text, format, args) >= 0);
    read_array(text, r);
    free(text);
    return r;
}

struct reply *fake_reply(const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct reply *r = reply_of(format, args);
    va_end(args);
    return r;
}

void fake_reply_free(struct reply *r) {
    for (size_t i = 0; i < r->count; i++)
        fake_reply_free(r->items[i]);
    free(r->items);
    free((char *)r->text.ptr);
    free(r);
}

void fake_answer(const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct reply *r = reply_of(format, args);
    va_end(args);
    end_oldest(r, OUTCOME_NONE);
    fake_reply_free(r);
}

void fake_fail(enum outcome outcome) {
    end_oldest(NULL, outcome);
}

void fake_answer_all(void) {
    for (fake_turn(); oldest != NULL; fake_turn())
        fake_answer("0");
}

void fake_fall(void) {
    for (unsigned i = 0; i < fake.redis.count; i++)
        fake.redis.partitions[i].up = false;
}

void fake_split(unsigned partitions) {
    fake.redis.count = partitions;
    for (unsigned i = 1; i < partitions; i++) {
        fake.redis.partitions[i] = fake.redis.partitions[0];
        fake.redis.partitions[i].index = i;
        assert_true(batch_init(&fake.redis.partitions[i]));
    }
}

void fake_fail_all(void) {
    for (fake_turn(); oldest != NULL; fake_turn())
        fake_fail(OUTCOME_UNKNOWN);
}

/* --- subscriptions --------------------------------------------------------------------------
 */

struct subscription {
    struct list link;
    const struct subscription_events *events;
    void *arg;
    char *channel;
};
static struct list subscriptions = {&subscriptions, &subscriptions};

static struct subscription *find(struct slice channel) {
    for (struct list *at = subscriptions.next; at != &subscriptions; at = at->next) {
        struct subscription *s = container_of(at, struct subscription, link);
        if (slice_is(channel, s->channel))
            return s;
    }
    return NULL;
}

static struct subscription *get(const char *channel) {
    struct subscription *s = find(slice_of(channel));
    assert_non_null(s);
    return s;
}

struct subscription *redis_subscribe(struct partition *r, struct slice channel,
                                     const struct subscription_events *events, void *arg) {
    assert_in_range(r - fake.redis.partitions, 0, fake.redis.count - 1);
    assert_null(find(channel)); /* at most once at a time */
    struct subscription *s = calloc(1, sizeof *s);
    s->events = events;
    s->arg = arg;
    s->channel = strndup(channel.ptr, channel.len);
    list_push(&subscriptions, &s->link);
    return s;
}

void redis_unsubscribe(struct partition *r, struct subscription *s) {
    assert_in_range(r - fake.redis.partitions, 0, fake.redis.count - 1);
    list_remove(&s->link);
    free(s->channel);
    free(s);
}

void redis_doorbell(const struct partition *r, struct buf *out, struct slice name) {
    (void)r;
    buf_str(out, "sluice:{");
    buf_slice(out, name);
    buf_char(out, '}');
}

bool fake_subscribed(const char *channel) {
    return find(slice_of(channel)) != NULL;
}

void fake_confirm(const char *channel) {
    struct subscription *s = get(channel);
    s->events->on_confirmed(s->arg);
}

void fake_ring(const char *channel, const char *payload) {
    struct subscription *s = get(channel);
    s->events->on_message(s->arg, slice_of(payload));
}

void fake_lose(const char *channel) {
    struct subscription *s = get(channel);
    s->events->on_lost(s->arg);
}

/* --- the links ------------------------------------------------------------------------------
 */

bool redis_here(const struct partition *r, struct sockaddr_storage *out) {
    (void)r, (void)out;
    return false;
}

void redis_probe(struct partition *r) {
    (void)r;
    fake.probes++;
}

uint64_t redis_probe_age(const struct partition *r) {
    (void)r;
    return fake.probe_age;
}

void redis_look(struct partition *r) {
    (void)r;
    fake.looks++;
}

void redis_look_for_term(struct partition *r) {
    (void)r;
    fake.term_looks++;
}

void redis_reset(struct partition *r, const char *why) {
    (void)r;
    fake.resets++;
    fake.reset_why = why;
}

/* --- life -----------------------------------------------------------------------------------
 */

void fake_begin(void) {
    fake = (struct fake_redis){
        .redis = {.count = 1, .up = 1, .partitions = {{.up = true, .term = "t1"}}}};
    assert_true(batch_init(&fake.redis.partitions[0]));
}

void fake_end(void) {
    fake_fall();
    fake_fail_all();
    assert_true(list_empty(&subscriptions));
    for (unsigned i = 0; i < PARTITIONS_MOST; i++)
        batch_deinit(&fake.redis.partitions[i]);
}
