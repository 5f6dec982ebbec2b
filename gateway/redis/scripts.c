#include "gateway/redis/scripts.h"

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
SCRIPT_TABLE(EMBED_SCRIPT)

struct source {
    const char *begin;
    const char *end;
    unsigned parts;
    const char *keys;
};

#define SOURCE(name, parts, keys) {lua_##name, lua_##name##_end, parts, keys},
static const struct source sources[SCRIPT_COUNT] = {SCRIPT_TABLE(SOURCE)};
#undef SOURCE

static void put_constants(struct buf *b, const struct script_constants *c) {
    /* The prefix was checked at start-up: no quotes, backslashes or control characters. */
    if (c->partitions)
        buf_str(b, "local P = string.sub(KEYS[#KEYS], 1, -9)\nKEYS[#KEYS] = nil\n"
                   "local OPEN, CLOSE, SKIP, LAST, APART = P, '', #P + 1, -1, true\n");
    else
        buf_printf(b,
                   "local P = '%s'\n"
                   "local OPEN, CLOSE, SKIP, LAST, APART = '%s{', '}', %zu, -2, false\n",
                   c->prefix, c->prefix, strlen(c->prefix) + 2);
    buf_printf(b, "local PUBLISH = '%s'\n", c->sharded ? "SPUBLISH" : "PUBLISH");
    buf_printf(b,
               "local MAXLEN, LOG_BYTES, BIG_ROOM, MAX_ROOMS = %llu, %llu, %llu, %llu\n"
               "local ROOM_TTL, INBOX_TTL, USER_TTL = %llu, %llu, %llu\n",
               (unsigned long long)c->history_max, (unsigned long long)c->log_bytes,
               (unsigned long long)c->big_room, (unsigned long long)c->max_rooms,
               (unsigned long long)c->room_ttl_ms, (unsigned long long)c->inbox_ttl_ms,
               (unsigned long long)c->user_ttl_ms);
}

/* How many bases a script has got. */
static void put_number(struct buf *b, const struct declared *d) {
    buf_printf(b, "local N = (#KEYS - %u) / %u\n", d->wide.count, d->groups[0].count + 1);
}

/* How users come and go. */
static void put_presence(struct buf *b, bool partitions) {
    if (partitions)
        buf_append(b, lua_placing, (size_t)(lua_placing_end - lua_placing));
    else
        buf_append(b, lua_turning, (size_t)(lua_turning_end - lua_turning));
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

bool scripts_init(struct scripts *s, const struct script_constants *constants) {
    bool good = true;
    memset(s, 0, sizeof *s);
    s->partitions = constants->partitions;
    for (int i = 0; i < SCRIPT_COUNT; i++) {
        struct buf *text = &s->text[i];
        buf_init(text);
        put_constants(text, constants);
        declared_read(&s->keys[i], sources[i].keys);
        if ((sources[i].parts & PARTS_MANY) != 0)
            put_number(text, &s->keys[i]);
        buf_append(text, lua_prelude, (size_t)(lua_prelude_end - lua_prelude));
        if ((sources[i].parts & PARTS_FOUND) != 0)
            buf_append(text, lua_found, (size_t)(lua_found_end - lua_found));
        if ((sources[i].parts & PARTS_CLOCK) != 0)
            buf_append(text, lua_clock, (size_t)(lua_clock_end - lua_clock));
        if ((sources[i].parts & PARTS_LOG) != 0)
            buf_append(text, lua_log, (size_t)(lua_log_end - lua_log));
        if ((sources[i].parts & PARTS_PRESENCE) != 0) {
            buf_append(text, lua_presence, (size_t)(lua_presence_end - lua_presence));
            put_presence(text, constants->partitions);
        }
        if ((sources[i].parts & PARTS_MARKS) != 0)
            buf_append(text, lua_marks, (size_t)(lua_marks_end - lua_marks));
        if ((sources[i].parts & PARTS_COUNTS) != 0)
            buf_append(text, lua_counts, (size_t)(lua_counts_end - lua_counts));
        if ((sources[i].parts & PARTS_SHARED) != 0)
            buf_append(text, lua_shared, (size_t)(lua_shared_end - lua_shared));
        if ((sources[i].parts & PARTS_SEVERAL) != 0)
            buf_append(text, lua_several, (size_t)(lua_several_end - lua_several));
        buf_append(text, sources[i].begin, (size_t)(sources[i].end - sources[i].begin));
        good = good && !text->failed && digest(text, s->sha[i]);
    }
    return good;
}

void scripts_deinit(struct scripts *s) {
    for (int i = 0; i < SCRIPT_COUNT; i++)
        buf_deinit(&s->text[i]);
}
