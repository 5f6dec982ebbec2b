#include "gateway/api/cluster.h"

#include "gateway/api/json.h"

#define KEPT_MS 1000

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

static void on_cluster(void *arg, const struct reply *reply, enum outcome outcome) {
    struct api_cluster *c = arg;
    const struct api_source *source = c->source;
    struct cluster_view view = {.node = source->node,
                                .incarnation = source->incarnation,
                                .lease_timeout_ms = source->options->lease_timeout,
                                .latency_us = (uv_hrtime() - c->asked_at) / 1000};
    (void)outcome;
    c->reading = false;
    buf_clear(&c->view);
    if (reply != NULL)
        api_put_cluster(&c->view, &view, reply);
    c->view_at = uv_now(source->loop);
    answer_all(c);
    if (c->view.failed)
        buf_clear(&c->view);
}

/* Returns false when Redis cannot be asked. */
static bool read_view(struct api_cluster *c) {
    static const struct slice args[] = {{"50", 2}, {"100", 3}}; /* rooms, users */
    if (!c->reading) {
        c->asked_at = uv_hrtime();
        c->reading = redis_script(redis_at(c->source->redis, 0), SCRIPT_cluster, NULL, 0, args,
                                  2, on_cluster, c);
    }
    return c->reading;
}

void api_cluster_get(struct api_cluster *c, const struct http_request *request) {
    if (c->view.len > 0 && uv_now(c->source->loop) - c->view_at < KEPT_MS) {
        api_answer(request, buf_bytes(&c->view));
        return;
    }
    struct ask *ask = ask_make();
    bool sent = ask != NULL && read_view(c);
    if (sent)
        list_push(&c->waiting, &ask->link);
    ask_begun(c->source, request, ask, sent);
}
