#include "gateway/tap/webhooks.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/random.h"

struct webhook {
    struct list link;
    char hash[FEED_HASH_SIZE]; /* by which Redis knows the URL */
    bool stays;
    struct feed *feeds[PARTITIONS_MOST];
    struct slice url;
    char text[];
};

static struct webhook *at(struct list *link) {
    return container_of(link, struct webhook, link);
}

static bool hash_url(struct slice url, char out[FEED_HASH_SIZE]) {
    unsigned char sha[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(url.ptr, url.len, sha, &len, EVP_sha256(), NULL) != 1)
        return false;
    for (size_t i = 0; i < (FEED_HASH_SIZE - 1) / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", sha[i]);
    return true;
}

static void webhook_end(struct webhooks *w, struct webhook *one) {
    for (unsigned i = 0; i < w->redis->count; i++)
        if (one->feeds[i] != NULL)
            feed_end(one->feeds[i]);
    list_remove(&one->link);
    free(one);
}

static void webhook_add(struct webhooks *w, const struct webhook_line *line) {
    struct webhook *one = calloc(1, sizeof *one + line->url.len + 1);
    bool good = one != NULL && hash_url(line->url, one->hash);
    if (one != NULL) {
        memcpy(one->text, line->url.ptr, line->url.len);
        one->url = (struct slice){one->text, line->url.len};
        one->stays = true;
        list_push(&w->urls, &one->link);
    }
    for (unsigned i = 0; good && i < w->redis->count; i++) {
        one->feeds[i] =
            feed_new(&w->feeds, redis_at(w->redis, i), one->url, one->hash, line->types);
        good = one->feeds[i] != NULL;
    }
    if (!good)
        LOG(LOG_ERROR, "webhook_failed", "why", "out of memory", NULL);
}

static struct webhook *find(struct webhooks *w, struct slice url) {
    for (struct list *link = w->urls.next; link != &w->urls; link = link->next)
        if (slice_eq(at(link)->url, url))
            return at(link);
    return NULL;
}

static void take_line(struct webhooks *w, const struct webhook_line *line) {
    struct webhook *one = find(w, line->url);
    if (one == NULL) {
        webhook_add(w, line);
        return;
    }
    one->stays = true;
    for (unsigned i = 0; i < w->redis->count; i++)
        if (one->feeds[i] != NULL)
            memcpy(one->feeds[i]->types, line->types, sizeof line->types);
}

void webhooks_apply(struct webhooks *w) {
    const char *list = w->feeds.options->webhook;
    struct slice rest = slice_of(list);
    struct webhook_line line;
    if (w->feeds.closing || (w->list != NULL && strcmp(w->list, list) == 0))
        return;
    free(w->list);
    w->list = strdup(list); /* NULL: it is applied once more next time, which changes nothing */
    for (struct list *link = w->urls.next; link != &w->urls; link = link->next)
        at(link)->stays = false;
    while (webhook_line_next(&rest, w->redis->config.constants.tap, &line))
        take_line(w, &line);
    for (struct list *link = w->urls.next, *next; link != &w->urls; link = next) {
        next = link->next;
        if (!at(link)->stays)
            webhook_end(w, at(link));
    }
}

void webhooks_init(struct webhooks *w, struct redis *redis, struct hooks *hooks,
                   struct metrics *metrics, const struct options *options) {
    *w = (struct webhooks){.redis = redis};
    w->feeds = (struct feeds){.hooks = hooks, .metrics = metrics, .options = options};
    snprintf(w->feeds.node, sizeof w->feeds.node, "%016llx", (unsigned long long)random_u64());
    list_init(&w->urls);
}

static void each(struct webhooks *w, unsigned i, void (*act)(struct feed *f)) {
    for (struct list *link = w->urls.next; link != &w->urls; link = link->next)
        if (at(link)->feeds[i] != NULL)
            act(at(link)->feeds[i]);
}

void webhooks_tick(struct webhooks *w, uint64_t now) {
    for (struct list *link = w->urls.next; link != &w->urls; link = link->next)
        for (unsigned i = 0; i < w->redis->count; i++)
            if (at(link)->feeds[i] != NULL)
                feed_tick(at(link)->feeds[i], now);
}

void webhooks_redis_up(struct webhooks *w, const struct partition *p, bool changed) {
    if (changed)
        each(w, p->index, feed_reset);
}

void webhooks_leave(struct webhooks *w) {
    while (!list_empty(&w->urls))
        webhook_end(w, at(list_pop(&w->urls)));
    w->feeds.closing = true;
}

uint64_t webhooks_lag(const struct webhooks *w, uint64_t *ms) {
    uint64_t sum = 0, oldest;
    *ms = 0;
    for (struct list *link = w->urls.next; link != &w->urls; link = link->next) {
        for (unsigned i = 0; i < w->redis->count; i++) {
            if (at(link)->feeds[i] != NULL)
                sum += feed_lag(at(link)->feeds[i], &oldest);
            else
                oldest = 0;
            if (oldest > *ms)
                *ms = oldest;
        }
    }
    return sum;
}

void webhooks_deinit(struct webhooks *w) {
    webhooks_leave(w);
    free(w->list);
}
