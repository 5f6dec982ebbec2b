/*
 * libFuzzer on the URL of Redis and on percent-encoding: any text. An address that was written
 * as a URL, with each byte percent-encoded, must be read as the same.
 */
#include "common/percent.h"
#include "gateway/redis/address.h"
#include "tests/fuzz/fuzz.h"

static void put_encoded(struct buf *out, struct slice bytes) {
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(out, "%%%02X", (unsigned char)bytes.ptr[i]);
}

static void put_url(struct buf *out, const struct redis_address *a, const struct redis_seeds *s,
                    struct slice scheme) {
    buf_slice(out, scheme);
    buf_str(out, "://");
    put_encoded(out, slice_of(a->user));
    buf_char(out, ':');
    put_encoded(out, slice_of(a->password));
    buf_char(out, '@');
    if (a->path) { /* the first / is written as it is */
        buf_char(out, '/');
        put_encoded(out, slice_of(a->host + 1));
        buf_printf(out, "?db=%d", a->database);
    } else if (s->count > 0) {
        for (size_t i = 0; i < s->count; i++) {
            put_encoded(out, slice_of(s->all[i].host));
            buf_printf(out, ":%d%s", s->all[i].port, i + 1 < s->count ? "," : "/");
        }
        put_encoded(out, slice_of(s->master));
        buf_printf(out, "/%d", a->database);
    } else {
        put_encoded(out, slice_of(a->host));
        buf_printf(out, ":%d/%d", a->port, a->database);
    }
}

static void check_same(const struct redis_address *a, const struct redis_address *b) {
    check(strcmp(a->host, b->host) == 0 && strcmp(a->user, b->user) == 0);
    check(strcmp(a->password, b->password) == 0);
    check(a->path == b->path && a->port == b->port && a->database == b->database);
}

static void url(const char *text) {
    static struct redis_seeds seeds, seeds_again;
    static struct redis_address a, again;
    struct buf written;
    if (redis_address_parse(&a, &seeds, text) != NULL)
        return;
    check((a.host[0] != '\0') == (seeds.count == 0) && strlen(a.host) < sizeof a.host);
    check(a.port > 0 && a.port <= 65535 && a.database >= 0 && a.database <= 999999);
    buf_init(&written);
    put_url(&written, &a, &seeds, (struct slice){text, (size_t)(strchr(text, ':') - text)});
    buf_char(&written, '\0');
    if (!a.path || strlen(written.data) < 107) {
        check(redis_address_parse(&again, &seeds_again, written.data) == NULL);
        check_same(&a, &again);
        check(memcmp(&seeds, &seeds_again, sizeof seeds) == 0);
    }
    buf_deinit(&written);
}

static void percent(struct slice all) {
    struct buf encoded;
    char *out = fuzz_copy(all), *again = fuzz_copy(all);
    buf_init(&encoded);
    ptrdiff_t len = percent_decode(all, out, all.len);
    check(len <= (ptrdiff_t)all.len);
    if (len > 0) {
        put_encoded(&encoded, (struct slice){out, (size_t)len});
        check(percent_decode(buf_bytes(&encoded), again, all.len) == len);
        check(memcmp(out, again, (size_t)len) == 0);
    }
    buf_deinit(&encoded);
    free(out);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice all = {(const char *)data, size};
    char *text = fuzz_text(all);
    url(text);
    percent(all);
    free(text);
    return 0;
}
