#include "gateway/api/cluster.h"

#include "gateway/api/json.h"

#define KEPT_MS    1000
#define ROOMS_MOST 50
#define USERS_MOST 100

void api_cluster_init(struct api_cluster *c, const struct api_source *source) {
    *c = (struct api_cluster){.source = source};
    list_init(&c->waiting);
    buf_init(&c->view);
}

void api_cluster_deinit(struct api_cluster *c) {
    buf_deinit(&c->view);
}

static void answer_all(struct api_cluster *c) {
    for (struct list *at = c->waiting.next, *next; at != &c->waiting; at = next) {
        next = at->next;
        ask_answer(container_of(at, struct ask, link), &c->view);
    }
    list_init(&c->waiting);
}

static void put_view(const struct api_cluster *c, struct buf *b, const struct gather *g) {
    const struct api_source *source = c->source;
    struct cluster_view view = {.node = source->node,
                                .incarnation = source->incarnation,
                                .lease_timeout_ms = source->options->lease_timeout,
                                .latency_us = (uv_hrtime() - c->asked_at) / 1000,
                                .rooms = ROOMS_MOST,
                                .users = USERS_MOST};
    if (answers_first(&g->answers) != NULL)
        api_put_cluster(b, &view, &g->answers, g->master);
}

static void on_cluster(void *arg, struct gather *g) {
    struct api_cluster *c = arg;
    c->reading = NULL;
    buf_clear(&c->view);
    put_view(c, &c->view, g);
    c->view_at = uv_now(c->source->loop);
    answer_all(c);
    if (c->view.failed)
        buf_clear(&c->view);
}

/* Returns false when Redis cannot be asked. */
static bool read_view(struct api_cluster *c) {
    char rooms[DIGITS_SIZE], users[DIGITS_SIZE];
    if (c->reading == NULL) {
        c->asked_at = uv_hrtime();
        c->reading = gather_begin(c->source->redis, slice_digits(ROOMS_MOST, rooms),
                                  slice_digits(USERS_MOST, users), on_cluster, c);
    }
    return c->reading != NULL;
}

struct cluster_ask {
    struct ask ask;
    struct api_cluster *cluster;
};

static void on_late(struct http_later *later) {
    struct cluster_ask *late = container_of(later, struct cluster_ask, ask.later);
    struct buf body;
    buf_init(&body);
    put_view(late->cluster, &body, late->cluster->reading);
    ask_answer_late(&late->ask, &body);
    buf_deinit(&body);
}

void api_cluster_get(struct api_call *call) {
    struct api_cluster *c = call->source->cluster;
    if (!redis_any_up(call->source->redis)) {
        api_unavailable(call, OUTCOME_NONE);
        return;
    }
    if (c->view.len > 0 && uv_now(c->source->loop) - c->view_at < KEPT_MS) {
        api_answer(call, buf_bytes(&c->view));
        return;
    }
    struct cluster_ask *new = ask_make(sizeof *new);
    bool sent = new != NULL &&read_view(c);
    if (sent) {
        new->cluster = c;
        new->ask.later.late = on_late;
        list_push(&c->waiting, &new->ask.link);
    }
    ask_begun(call, new != NULL ? &new->ask : NULL, sent);
}
