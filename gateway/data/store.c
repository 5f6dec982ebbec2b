#include "gateway/data/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define NAME      "sluice-command"
#define WORDS_MAX 16

void store_fail(struct store *s, const char *why) {
    if (s->failed)
        return;
    s->failed = true;
    snprintf(s->why, sizeof s->why, "%s", why);
}

/* --- links ----------------------------------------------------------------------------------
 */

static const char *place_of(const struct store_link *l) {
    return l->address.path ? l->address.host
                           : redis_host_text(l->address.host, l->address.port);
}

static void on_ready(struct link *link) {
    struct store_link *l = link->owner;
    link_proved(link);
    l->ready = true;
}

static void on_down(struct link *link, const char *why) {
    struct store_link *l = link->owner;
    if (!link->closing && (l->ready || !resolver_has_next(&link->resolver)))
        store_fail(l->store, log_text("%s: %.300s", place_of(l), why));
}

static void on_push(struct link *link, const struct reply *push) {
    (void)link, (void)push;
}

static void on_error(struct link *link, struct slice text) {
    (void)link, (void)text; /* link->error has it */
}

static const struct link_events handlers = {
    .on_ready = on_ready, .on_down = on_down, .on_push = on_push, .on_error = on_error};

/* The link to this place, which is made if there is none. */
static unsigned link_to(struct store *s, const struct redis_place *at, SSL_CTX *tls) {
    unsigned i = 0;
    while (i < s->count && (strcmp(s->links[i].address.host, at->host) != 0 ||
                            s->links[i].address.port != at->port))
        i++;
    if (i < s->count)
        return i;
    struct store_link *l = &s->links[s->count++];
    l->store = s;
    l->address = s->d->address;
    memcpy(l->address.host, at->host, sizeof at->host);
    l->address.port = at->port;
    link_init(&l->link, s->loop, &l->address, &handlers, l, NAME, false,
              s->d->sentinels.timeout_ms);
    l->link.tls_context = tls;
    link_open(&l->link);
    return i;
}

static void on_prepare(uv_prepare_t *prepare) {
    struct store *s = prepare->data;
    for (unsigned i = 0; i < s->count; i++)
        link_flush(&s->links[i].link);
}

static bool all_ready(const struct store *s) {
    for (unsigned i = 0; i < s->count; i++) {
        if (!s->links[i].ready)
            return false;
    }
    return true;
}

bool store_open(struct store *s, uv_loop_t *loop, const struct deployment *d, SSL_CTX *tls) {
    bool wanted[FINDER_MOST] = {false};
    struct found found;
    memset(s, 0, sizeof *s);
    s->d = d;
    s->loop = loop;
    s->prepare.data = s;
    uv_prepare_init(loop, &s->prepare);
    for (unsigned i = 0; i < d->partitions; i++)
        wanted[i] = true;
    finder_find(d, tls, wanted, &found);
    s->stuck = found.stuck;
    s->partitions = found.partitions;
    if (found.why[0] != '\0') {
        store_fail(s, found.why);
        return false;
    }
    uv_prepare_start(&s->prepare, on_prepare);
    for (unsigned i = 0; i < d->partitions; i++)
        s->of[i] = link_to(s, &found.at[i], tls);
    if (d->address.cluster)
        s->keeper = link_to(s, &found.keeper, tls);
    while (!s->failed && !all_ready(s))
        uv_run(loop, UV_RUN_ONCE);
    return !s->failed;
}

static void on_closed(struct link *link) {
    struct store_link *l = link->owner;
    l->ready = false;
}

void store_close(struct store *s) {
    s->failed = true; /* nothing is called back any more */
    for (unsigned i = 0; i < s->count; i++)
        link_close(&s->links[i].link, on_closed);
    uv_close((uv_handle_t *)&s->prepare, NULL);
}

/* --- commands -------------------------------------------------------------------------------
 */

struct question {
    struct store *store;
    struct store_link *link;
    void (*done)(void *arg, const struct reply *reply);
    void *arg;
};

static void on_reply(void *arg, const struct reply *reply, enum outcome outcome) {
    struct question q = *(struct question *)arg;
    (void)outcome;
    free(arg);
    q.store->pending--;
    if (q.store->failed)
        return;
    if (reply == NULL)
        store_fail(q.store, log_text("%s: %.300s", place_of(q.link),
                                     q.link->link.state == LINK_READY ? q.link->link.error
                                                                      : q.link->link.why_text));
    else if (q.done != NULL)
        q.done(q.arg, reply);
}

void store_send(struct store *s, unsigned link, size_t argc, const struct slice argv[],
                void (*done)(void *arg, const struct reply *reply), void *arg) {
    struct slice none = {NULL, 0};
    struct question *q = s->failed ? NULL : malloc(sizeof *q);
    struct buf b;
    if (s->failed)
        return;
    buf_init(&b);
    buf_printf(&b, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++)
        resp_bulk(&b, argv[i]);
    struct store_link *l = &s->links[link];
    if (q != NULL)
        *q = (struct question){s, l, done, arg};
    if (q != NULL && !b.failed &&
        link_send(&l->link, -1, (unsigned)argc, buf_bytes(&b), none, on_reply, q)) {
        s->pending++;
    } else {
        free(q);
        store_fail(s, l->link.state == LINK_READY ? "out of memory" : l->link.why_text);
    }
    buf_deinit(&b);
}

void store_say(struct store *s, unsigned link, void (*done)(void *arg, const struct reply *),
               void *arg, const char *word, ...) {
    struct slice argv[WORDS_MAX];
    size_t argc = 0;
    va_list words;
    va_start(words, word);
    for (; word != NULL && argc < WORDS_MAX; word = va_arg(words, const char *))
        argv[argc++] = slice_of(word);
    va_end(words);
    store_send(s, link, argc, argv, done, arg);
}

bool store_wait(struct store *a, struct store *b) {
    while (!a->failed && (b == NULL || !b->failed) &&
           (a->pending > 0 || (b != NULL && b->pending > 0)))
        uv_run(a->loop, UV_RUN_ONCE);
    return !a->failed && (b == NULL || !b->failed);
}
