#include "gateway/redis/scripts.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define EMBED(name)                                                                            \
    __asm__(".section .rodata\n"                                                               \
            ".global lua_" #name "\n.global lua_" #name "_end\n"                               \
            "lua_" #name ":\n.incbin \"gateway/redis/lua/" #name ".lua\"\n"                    \
            "lua_" #name "_end:\n.byte 0\n.previous\n");                                       \
    extern const char lua_##name[], lua_##name##_end[];

#define EMBED_SCRIPT(name, parts, keys) EMBED(name)
EMBED(prelude)
EMBED(found)
EMBED(clock)
EMBED(log)
EMBED(presence)
EMBED(turning)
EMBED(placing)
EMBED(marks)
EMBED(counts)
EMBED(shared)
EMBED(several)
EMBED(tidy)
EMBED(helpers)
EMBED(writing)
EMBED(ids)
EMBED(load)
EMBED(tick)
EMBED(put)
EMBED(settle_log)
EMBED(tagged)
EMBED(applied)
EMBED(known)
EMBED(note)
EMBED(tap)
SCRIPT_TABLE(EMBED_SCRIPT)

struct text {
    const char *begin;
    const char *end;
};

struct source {
    struct text text;
    unsigned parts;
    const char *keys;
};

#define SOURCE(name, parts, keys) {{lua_##name, lua_##name##_end}, parts, keys},
static const struct source sources[SCRIPT_COUNT] = {SCRIPT_TABLE(SOURCE)};
#undef SOURCE

/* --- pieces ---------------------------------------------------------------------------------
 */

/* A line "--+ load" stands for load.lua: a function would cost Redis more with each call. A
 * script of several messages is "--+ one" in several.lua. A line "--? rooms tap(...)" is code
 * if the tap has rooms, and is left out otherwise. */
#define PIECE_MARK "--+ "
#define TAP_MARK   "--? "

/* What a text is put together by. */
struct putting {
    unsigned tap;
    const struct text *one; /* of several.lua, or NULL */
};
#define PIECE(name)                                                                            \
    {                                                                                          \
#name, {                                                                               \
            lua_##name, lua_##name##_end                                                       \
        }                                                                                      \
    }
static const struct {
    const char *name;
    struct text text;
} pieces[] = {PIECE(load),   PIECE(tick),    PIECE(put),   PIECE(settle_log),
              PIECE(tagged), PIECE(applied), PIECE(known), PIECE(note)};

static void put_text(struct buf *b, struct text text, struct putting by);

static void put_piece(struct buf *b, struct slice name, struct putting by) {
    const struct text *text = slice_is(name, "one") ? by.one : NULL;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (slice_is(name, pieces[i].name))
            text = &pieces[i].text;
    }
    assert(text != NULL);
    buf_str(b, "do\n");
    put_text(b, *text, (struct putting){by.tap, text == by.one ? NULL : by.one});
    buf_str(b, "end\n");
}

static unsigned tap_kind(struct slice word) {
#define KIND(symbol, name) name,
    static const char *const names[] = {TAP_KINDS(KIND)};
#undef KIND
    unsigned i = 0;
    while (i < TAP_KIND_COUNT && !slice_is(word, names[i]))
        i++;
    return i;
}

bool tap_kinds_read(struct slice list, unsigned *kinds) {
    *kinds = 0;
    while (list.len > 0) {
        struct slice word = slice_cut(&list, ',');
        while (word.len > 0 && word.ptr[0] == ' ')
            word = (struct slice){word.ptr + 1, word.len - 1};
        while (word.len > 0 && word.ptr[word.len - 1] == ' ')
            word.len--;
        unsigned kind = tap_kind(word);
        if (kind == TAP_KIND_COUNT)
            return false;
        *kinds |= 1U << kind;
    }
    return true;
}

static void put_line(struct buf *b, struct slice line) {
    buf_slice(b, line);
    buf_char(b, '\n');
}

static void put_text(struct buf *b, struct text text, struct putting by) {
    struct slice rest = {text.begin, (size_t)(text.end - text.begin)};
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n'), word = line;
        while (word.len > 0 && word.ptr[0] == ' ')
            word = (struct slice){word.ptr + 1, word.len - 1};
        if (slice_starts(word, SLICE(PIECE_MARK))) {
            slice_cut(&word, ' ');
            put_piece(b, word, by);
        } else if (slice_starts(word, SLICE(TAP_MARK))) {
            slice_cut(&word, ' ');
            unsigned kind = tap_kind(slice_cut(&word, ' '));
            assert(kind < TAP_KIND_COUNT);
            if ((by.tap >> kind & 1) != 0)
                put_line(b, word);
        } else {
            put_line(b, line);
        }
    }
}

/* --- parts ----------------------------------------------------------------------------------
 */

#define PUT(text, name) buf_append(text, lua_##name, (size_t)(lua_##name##_end - lua_##name))

/* With partitions, what keys begin with is in a key that is none (partition.h). */
static void put_partition(struct buf *b, const struct script_constants *c) {
    if (c->partitions)
        buf_str(b, "local P = string.sub(KEYS[#KEYS], 1, -9)\nKEYS[#KEYS] = nil\n");
    else
        buf_printf(b, "local P = '%s'\n", c->prefix);
}

static void put_constants(struct buf *b, const struct script_constants *c) {
    /* The prefix was checked at start-up: no quotes, backslashes or control characters. */
    if (c->partitions)
        buf_str(b, "local OPEN, CLOSE, SKIP, LAST, APART = P, '', #P + 1, -1, true\n");
    else
        buf_printf(b, "local OPEN, CLOSE, SKIP, LAST, APART = '%s{', '}', %zu, -2, false\n",
                   c->prefix, strlen(c->prefix) + 2);
    buf_printf(b, "local PUBLISH = '%s'\n", c->sharded ? "SPUBLISH" : "PUBLISH");
    /* A log is trimmed by so many entries at a time. */
    unsigned long long spare = c->history_max / 64;
    buf_printf(b, "local SPARE, KEEP = %llu, %llu\n", spare > 0 ? spare : 1,
               (unsigned long long)c->history_max - spare);
    buf_printf(b,
               "local MAXLEN, LOG_BYTES, BIG_ROOM, MAX_ROOMS = %llu, %llu, %llu, %llu\n"
               "local ROOM_TTL, INBOX_TTL, USER_TTL = %llu, %llu, %llu\n",
               (unsigned long long)c->history_max, (unsigned long long)c->log_bytes,
               (unsigned long long)c->big_room, (unsigned long long)c->max_rooms,
               (unsigned long long)c->room_ttl_ms, (unsigned long long)c->inbox_ttl_ms,
               (unsigned long long)c->user_ttl_ms);
    if (c->guest_ttl_ms > 0)
        buf_printf(b, "local GUEST_TTL = %llu\n", (unsigned long long)c->guest_ttl_ms);
    else
        buf_str(b, "local GUEST_TTL = false\n");
}

/* How many bases a script has got. */
static void put_number(struct buf *b, const struct declared *d) {
    buf_printf(b, "local N = (#KEYS - %u) / %u\n", d->wide.count, d->groups[0].count + 1);
}

/* How users come and go. */
static void put_presence(struct buf *b, const struct script_constants *c) {
    struct putting by = {c->tap, NULL};
    if (c->partitions)
        put_text(b, (struct text){lua_placing, lua_placing_end}, by);
    else
        put_text(b, (struct text){lua_turning, lua_turning_end}, by);
}

static bool digest(struct buf *text, char out[41]) {
    unsigned char sha[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(text->data, text->len, sha, &len, EVP_sha1(), NULL) != 1)
        return false;
    for (size_t i = 0; i < 20; i++)
        snprintf(out + i * 2, 3, "%02x", sha[i]);
    return true;
}

/* What scripts that append share. */
static void put_appending(struct buf *b, const struct script_constants *c) {
    buf_str(b, "local function helpers()\n");
    put_constants(b, c);
    PUT(b, prelude);
    PUT(b, clock);
    PUT(b, log);
    PUT(b, helpers);
    buf_str(b, "end\nlocal function tidier()\n");
    put_constants(b, c);
    PUT(b, tidy);
    buf_str(b, "end\n");
    PUT(b, writing);
    PUT(b, ids);
}

static void put_parts(struct buf *b, unsigned parts, const struct script_constants *c) {
    if ((parts & PARTS_SEVERAL) == 0)
        PUT(b, prelude);
    if ((parts & PARTS_FOUND) != 0)
        PUT(b, found);
    if ((parts & PARTS_TAP) != 0 && c->tap != 0)
        put_text(b, (struct text){lua_tap, lua_tap_end}, (struct putting){c->tap, NULL});
    if ((parts & PARTS_CLOCK) != 0)
        PUT(b, clock);
    if ((parts & PARTS_LOG) != 0)
        PUT(b, log);
    if ((parts & PARTS_APPEND) != 0)
        put_appending(b, c);
    if ((parts & PARTS_PRESENCE) != 0) {
        PUT(b, presence);
        put_presence(b, c);
    }
    if ((parts & PARTS_MARKS) != 0)
        PUT(b, marks);
    if ((parts & PARTS_COUNTS) != 0)
        PUT(b, counts);
    if ((parts & PARTS_SHARED) != 0)
        PUT(b, shared);
}

static void put_own(struct buf *b, const struct source *source, const struct declared *d,
                    const struct script_constants *c) {
    if ((source->parts & PARTS_SEVERAL) == 0) {
        put_text(b, source->text, (struct putting){c->tap, NULL});
        return;
    }
    buf_printf(b, "local SIZE, FIELD, BASES = %u, %d, %u\n", d->every, d->when, d->group_count);
    put_text(b, (struct text){lua_several, lua_several_end},
             (struct putting){c->tap, &source->text});
}

bool scripts_init(struct scripts *s, const struct script_constants *constants) {
    bool good = true;
    memset(s, 0, sizeof *s);
    s->partitions = constants->partitions;
    for (int i = 0; i < SCRIPT_COUNT; i++) {
        struct buf *text = &s->text[i];
        buf_init(text);
        put_partition(text, constants);
        put_constants(text, constants);
        declared_read(&s->keys[i], sources[i].keys, constants->tap != 0);
        if ((sources[i].parts & PARTS_MANY) != 0)
            put_number(text, &s->keys[i]);
        put_parts(text, sources[i].parts, constants);
        put_own(text, &sources[i], &s->keys[i], constants);
        good = good && !text->failed && digest(text, s->sha[i]);
    }
    return good;
}

void scripts_deinit(struct scripts *s) {
    for (int i = 0; i < SCRIPT_COUNT; i++)
        buf_deinit(&s->text[i]);
}
