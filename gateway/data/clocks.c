#include "gateway/data/clocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

/* KEYS: the clock. ARGV: a time, the time that really went by. */
static const char script[] =
    "local text, t = redis.call('GET', KEYS[1]) or '', redis.call('TIME')\n"
    "local wall = t[1] .. string.sub('00000' .. t[2], -6)\n"
    "local time = string.sub(text, 1, 16)\n"
    "if ARGV[1] > time then time = ARGV[1] end\n"
    "local steps = string.format('%+016.0f', wall - ARGV[2])\n"
    "redis.call('SET', KEYS[1], time .. ' ' .. wall .. ' ' .. steps .. ' ' .. "
    "string.sub(text, 52))\n"
    "return redis.call('PEXPIRE', KEYS[1], 31622400000)\n";

struct clock_look {
    struct clocks *clocks;
    unsigned index;
    long long now_us;
};

static void on_time(void *arg, const struct reply *reply) {
    struct clock_look *r = arg;
    r->now_us =
        reply_number(reply_item(reply, 0)) * 1000000 + reply_number(reply_item(reply, 1));
    r->clocks->at = uv_hrtime();
}

/* "<time> <wall> <steps> <term>", of which the first three have 16 characters. */
static void on_clock(void *arg, const struct reply *reply) {
    struct clock_look *r = arg;
    struct clocks *c = r->clocks;
    struct slice text = reply_text(reply);
    char steps[17] = "0";
    buf_printf(&c->state, " %.*s", (int)text.len, text.len > 0 ? text.ptr : "");
    if (text.len >= 50)
        memcpy(steps, text.ptr + 34, 16);
    if (r->index == 0)
        c->elapsed = r->now_us - strtoll(steps, NULL, 10);
    if (text.len >= 16 && memcmp(text.ptr, c->latest, 16) > 0)
        snprintf(c->latest, sizeof c->latest, "%.16s", text.ptr);
}

static void put_clock(struct store *s, struct buf *key, unsigned i) {
    buf_clear(key);
    deployment_head(s->d, key, i);
    buf_str(key, "clock");
    if (key->failed)
        store_fail(s, "out of memory");
}

bool clocks_read(struct clocks *c, struct store *s) {
    struct buf key = {0};
    struct clock_look r = {.clocks = c};
    memset(c, 0, sizeof *c);
    for (unsigned i = 0; i < s->count; i++)
        buf_printf(&c->state, " %s", s->links[i].link.greeting.run);
    for (r.index = 0; r.index < s->d->partitions && !s->failed; r.index++) {
        unsigned link = s->of[r.index];
        put_clock(s, &key, r.index);
        store_send(s, link, 1, (struct slice[]){SLICE("TIME")}, on_time, &r);
        store_send(s, link, 2, (struct slice[]){SLICE("GET"), buf_bytes(&key)}, on_clock, &r);
        store_wait(s, NULL);
    }
    if (c->state.failed)
        store_fail(s, "out of memory");
    buf_deinit(&key);
    return !s->failed;
}

void clocks_deinit(struct clocks *c) {
    buf_deinit(&c->state);
}

void clocks_write(const struct clocks *c, struct store *s) {
    struct buf key = {0};
    long long elapsed = c->elapsed + (long long)((uv_hrtime() - c->at) / 1000);
    for (unsigned i = 0; i < s->d->partitions && c->latest[0] != '\0'; i++) {
        put_clock(s, &key, i);
        struct slice argv[] = {SLICE("EVAL"),       slice_of(script),
                               SLICE("1"),          buf_bytes(&key),
                               slice_of(c->latest), slice_of(log_text("%lld", elapsed))};
        store_send(s, s->of[i], 6, argv, NULL, NULL);
    }
    buf_deinit(&key);
}
