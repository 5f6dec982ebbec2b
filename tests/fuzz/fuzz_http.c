/*
 * libFuzzer on the parser of HTTP requests: any bytes, whole and in pieces. Both must find the
 * same requests, with the same heads and bodies, and stop at the same one. What it lets through
 * must be clear to any other reader: one length, one Host, no bare line feed.
 */
#include "common/eio.h"
#include "common/percent.h"
#include "gateway/net/http_parse.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MOST 64

struct seen {
    struct http_parser parser;
    struct buf all;  /* the requests so far, as text */
    struct buf body; /* of the request under way */
};

static struct seen *seen_of(struct http_parser *p) {
    return (struct seen *)(void *)p;
}

static void on_begin(struct http_parser *p) {
    buf_clear(&seen_of(p)->body);
}

static bool on_body_announced(struct http_parser *p) {
    check(p->has_head);
    p->body_max = BODY_MOST;
    return p->target.len != 7 || memcmp(p->target.data, "/refuse", 7) != 0;
}

static bool on_body(struct http_parser *p, struct slice piece) {
    check(fuzz_within(piece, (struct slice){p->feed, SIZE_MAX / 4 - (size_t)p->feed}));
    buf_slice(&seen_of(p)->body, piece);
    check(seen_of(p)->body.len == p->body_got && p->body_got <= BODY_MOST);
    return true;
}

static const struct http_parser_ops ops = {on_begin, on_body_announced, on_body};

static void head(const struct http_parser *p, struct buf *out) {
    const struct fields *f = &p->fields;
    const char *host = fields_get(f, "host");
    check(p->has_head && p->target.len > 0 && p->head_bytes <= HTTP_HEAD_MAX);
    check(host != NULL || p->llhttp.http_minor == 0);
    check(host == NULL || (fields_count(f, "host") == 1 && fields_host_valid(host)));
    check(fields_count(f, "content-length") <= 1);
    check(fields_get(f, "content-length") == NULL || !http_parser_is_chunked(p));
    buf_printf(out, "%u ", p->llhttp.method);
    buf_slice(out, buf_bytes(&p->target));
    buf_append(out, f->text.data, f->text.len);
    buf_printf(out, " %u %d %d\n", f->count, fields_have(f, "connection", "upgrade"),
               http_parser_is_chunked(p));
    fields_join(f, "x-forwarded-for", out);
    fields_join(f, "authorization", out);
}

/* The target was made plain: what is decoded now and plain again is the same. */
static void target(const struct http_parser *p) {
    struct slice all = buf_bytes(&p->target);
    char *copy = fuzz_copy(all);
    struct slice query = eio_query(all, "sid");
    check(fuzz_within(query, all));
    ptrdiff_t len = percent_decode(all, copy, all.len);
    check(len <= (ptrdiff_t)all.len);
    free(copy);
}

static void whole_one(struct seen *s) {
    head(&s->parser, &s->all);
    target(&s->parser);
    buf_printf(&s->all, "%zu:", s->body.len);
    buf_slice(&s->all, buf_bytes(&s->body));
    buf_char(&s->all, '\n');
    http_parser_next(&s->parser);
}

/* Returns false at the end of a connection: a refusal. */
static bool piece(struct seen *s, struct slice bytes) {
    char *copy = fuzz_copy(bytes);
    bool whole = false;
    size_t used = 0;
    for (size_t at = 0; at < bytes.len && used != SIZE_MAX; at += used) {
        used = http_parse(&s->parser, copy + at, bytes.len - at, &whole);
        check(used == SIZE_MAX || (used > 0 && used <= bytes.len - at));
        if (used != SIZE_MAX && whole)
            whole_one(s);
        else
            check(used == SIZE_MAX || used == bytes.len - at);
    }
    free(copy);
    return used != SIZE_MAX;
}

/* most: of a piece's bytes. */
static void feed(struct seen *s, struct slice all, size_t most) {
    struct fuzz_dice dice = fuzz_dice_of(all);
    bool good = true;
    http_parser_init(&s->parser, &ops);
    for (size_t at = 0, n; at < all.len && good; at += n) {
        n = most == all.len ? most : fuzz_throw(&dice, most);
        n = n > all.len - at ? all.len - at : n;
        good = piece(s, (struct slice){all.ptr + at, n});
    }
    buf_str(&s->all, good ? "more" : "refused");
    http_parser_deinit(&s->parser);
    buf_deinit(&s->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = {(const char *)data, size};
    static struct seen one, cut, bytes;
    if (size == 0)
        return 0;
    feed(&one, all, size);
    feed(&cut, all, 40);
    feed(&bytes, all, 1);
    check(slice_eq(buf_bytes(&one.all), buf_bytes(&cut.all)));
    check(slice_eq(buf_bytes(&one.all), buf_bytes(&bytes.all)));
    buf_deinit(&one.all);
    buf_deinit(&cut.all);
    buf_deinit(&bytes.all);
    return 0;
}
