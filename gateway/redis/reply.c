#include "gateway/redis/reply.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>
#include <stdalign.h>
#include <stdlib.h>

/*
 * hiredis parses. The replies are made here, in an arena that is freed as a whole, so that a
 * message costs no malloc and no free.
 */
#define ARENA_BLOCK 16384

struct block {
    struct block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) char bytes[];
};

struct reply_reader {
    redisReader *reader;
    struct block *blocks; /* the newest first */
    bool taken;           /* the last reply that was returned is still in the arena */
};

static const struct reply nil = {.type = REPLY_NIL};

const struct reply *reply_item(const struct reply *r, size_t i) {
    return r != NULL && r->type == REPLY_ARRAY && i < r->count ? r->items[i] : &nil;
}

long long reply_number(const struct reply *r) {
    if (r->type == REPLY_INTEGER)
        return r->integer;
    if (r->type != REPLY_STRING && r->type != REPLY_STATUS)
        return 0;
    long long n = 0;
    bool minus = r->text.len > 0 && r->text.ptr[0] == '-';
    if (r->text.len - minus > 18)
        return 0;
    for (size_t i = minus; i < r->text.len; i++) {
        if (r->text.ptr[i] < '0' || r->text.ptr[i] > '9')
            return 0;
        n = n * 10 + (r->text.ptr[i] - '0');
    }
    return minus ? -n : n;
}

struct slice reply_text(const struct reply *r) {
    bool text = r->type == REPLY_STRING || r->type == REPLY_STATUS;
    return text ? r->text : (struct slice){NULL, 0};
}

/* --- copies ---------------------------------------------------------------------------------
 */

/* First the replies and the pointers to them, then the texts, each with a NUL, as the reader's
 * have. They need no alignment. */
struct sizes {
    size_t items;
    size_t texts;
};

static void measure(const struct reply *r, struct sizes *s) {
    size_t count = r->type == REPLY_ARRAY ? r->count : 0;
    s->items += sizeof *r + count * sizeof(void *);
    s->texts += r->text.len + 1;
    for (size_t i = 0; i < count; i++)
        measure(r->items[i], s);
}

static struct reply *put_copy(const struct reply *r, char **items, char **texts) {
    struct reply *copy = (struct reply *)(void *)*items;
    *items += sizeof *copy;
    *copy = *r;
    if (r->text.len > 0)
        memcpy(*texts, r->text.ptr, r->text.len);
    copy->text.ptr = *texts;
    (*texts)[r->text.len] = '\0';
    *texts += r->text.len + 1;
    if (r->type != REPLY_ARRAY)
        return copy;
    copy->items = (struct reply **)(void *)*items;
    *items += r->count * sizeof(void *);
    for (size_t i = 0; i < r->count; i++)
        copy->items[i] = put_copy(r->items[i], items, texts);
    return copy;
}

struct reply *reply_copy(const struct reply *r) {
    struct sizes s = {0, 0};
    measure(r, &s);
    char *items = malloc(s.items + s.texts);
    char *texts = items + s.items;
    return items != NULL ? put_copy(r, &items, &texts) : NULL;
}

/* --- the reader -----------------------------------------------------------------------------
 */

static void *arena_take(struct reply_reader *r, size_t size) {
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct block *b = r->blocks;
    if (b == NULL || b->size - b->used < size) {
        size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
        b = malloc(sizeof *b + room);
        if (b == NULL)
            return NULL;
        *b = (struct block){.next = r->blocks, .size = room};
        r->blocks = b;
    }
    void *at = b->bytes + b->used;
    b->used += size;
    return at;
}

/* Keeps one ordinary block for the next reply. */
static void arena_reset(struct reply_reader *r) {
    while (r->blocks != NULL && (r->blocks->next != NULL || r->blocks->size > ARENA_BLOCK)) {
        struct block *b = r->blocks;
        r->blocks = b->next;
        free(b);
    }
    if (r->blocks != NULL)
        r->blocks->used = 0;
}

/*
 * An array has room for this many items at first, and for twice as many whenever it is full. A
 * length that is only announced takes no memory.
 */
#define ITEMS_FIRST 64

static bool is_full(size_t at) {
    return at >= ITEMS_FIRST && (at & (at - 1)) == 0;
}

static bool array_put(struct reply_reader *r, struct reply *array, size_t at,
                      struct reply *item) {
    if (is_full(at)) {
        size_t room = at < array->count - at ? 2 * at : array->count;
        struct reply **items = arena_take(r, room * sizeof(void *));
        if (items == NULL)
            return false;
        memcpy(items, array->items, at * sizeof(void *));
        array->items = items;
    }
    array->items[at] = item;
    return true;
}

static struct reply *reply_new(const redisReadTask *task, enum reply_type type) {
    struct reply_reader *r = task->privdata;
    struct reply *made = arena_take(r, sizeof *made);
    if (made == NULL)
        return NULL;
    *made = (struct reply){.type = type};
    if (task->parent != NULL && !array_put(r, task->parent->obj, (size_t)task->idx, made))
        return NULL;
    return made;
}

static void *make_string(const redisReadTask *task, char *text, size_t len) {
    enum reply_type type = task->type == REDIS_REPLY_ERROR    ? REPLY_ERROR
                           : task->type == REDIS_REPLY_STATUS ? REPLY_STATUS
                                                              : REPLY_STRING;
    char *bytes = arena_take(task->privdata, len + 1);
    struct reply *made = bytes != NULL ? reply_new(task, type) : NULL;
    if (made == NULL)
        return NULL;
    memcpy(bytes, text, len);
    bytes[len] = '\0';
    made->text = (struct slice){bytes, len};
    return made;
}

#if HIREDIS_MAJOR >= 1
typedef size_t array_size;
#else
typedef int array_size;
#endif

static void *make_array(const redisReadTask *task, array_size count) {
    struct reply *made = reply_new(task, REPLY_ARRAY);
    if (made == NULL)
        return NULL;
    made->count = (size_t)count;
    if (made->count == 0)
        return made;
    size_t room = made->count < ITEMS_FIRST ? made->count : ITEMS_FIRST;
    made->items = arena_take(task->privdata, room * sizeof(void *));
    return made->items != NULL ? made : NULL;
}

static void *make_integer(const redisReadTask *task, long long value) {
    struct reply *made = reply_new(task, REPLY_INTEGER);
    if (made != NULL)
        made->integer = value;
    return made;
}

static void *make_nil(const redisReadTask *task) {
    return reply_new(task, REPLY_NIL);
}

#if HIREDIS_MAJOR >= 1
/* Types of RESP3, which Redis does not send unless it is asked to. Without these functions
 * hiredis would return a number in place of a pointer. */
static void *refuse_double(const redisReadTask *task, double value, char *text, size_t len) {
    (void)task;
    (void)value;
    (void)text;
    (void)len;
    return NULL;
}

static void *refuse_bool(const redisReadTask *task, int value) {
    (void)task;
    (void)value;
    return NULL;
}
#endif

/* The arena frees. */
static void free_nothing(void *reply) {
    (void)reply;
}

static redisReplyObjectFunctions functions = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = refuse_double,
    .createBool = refuse_bool,
#endif
    .freeObject = free_nothing,
};

struct reply_reader *reply_reader_create(void) {
    struct reply_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->reader = redisReaderCreateWithFunctions(&functions);
    if (r->reader == NULL) {
        free(r);
        return NULL;
    }
    r->reader->privdata = r;
    return r;
}

void reply_reader_destroy(struct reply_reader *r) {
    if (r == NULL)
        return;
    redisReaderFree(r->reader);
    while (r->blocks != NULL) {
        struct block *b = r->blocks;
        r->blocks = b->next;
        free(b);
    }
    free(r);
}

bool reply_reader_feed(struct reply_reader *r, const char *bytes, size_t len) {
    return redisReaderFeed(r->reader, bytes, len) == REDIS_OK;
}

int reply_reader_next(struct reply_reader *r, const struct reply **out) {
    if (r->taken) {
        arena_reset(r);
        r->taken = false;
    }
    void *made = NULL;
    if (redisReaderGetReply(r->reader, &made) != REDIS_OK)
        return -1;
    if (made == NULL)
        return 0;
    r->taken = true;
    *out = made;
    return 1;
}
