#include "gateway/api/api.h"

#include "gateway/api/dispatch.h"

/* A body whose length is not announced is read a little further, so that it is answered in
 * JSON, too. */
#define READ_ON 61440

void api_init(struct api *api, const struct api_source *source) {
    api->source = *source;
    api->source.cluster = &api->cluster;
    api->source.routes = api_table(&api->source.route_count);
    api_cluster_init(&api->cluster, &api->source);
    api_stream_init(&api->stream, &api->source);
}

void api_deinit(struct api *api) {
    api_stream_deinit(&api->stream);
    api_cluster_deinit(&api->cluster);
    api_keys_deinit(&api->keys);
}

void api_tick(struct api *api, uint64_t now) {
    if (api->source.options->api_stream)
        api_stream_tick(&api->stream, now);
}

bool api_is_on(const struct api *api) {
    return api->keys.count > 0;
}

/* What is told from the head alone. Returns NULL after a refusal. */
static const struct api_route *look_at_head(const struct api *api, struct api_call *c,
                                            const struct http_request *request) {
    struct slice path = request->path, root = SLICE(API_ROOT);
    *c = (struct api_call){.source = &api->source, .http = request, .headed = true};
    if (!api_is_on(api) || !slice_starts(path, root)) {
        api_refuse(c, REFUSAL_NOT_FOUND, NULL);
        return NULL;
    }
    c->key = api_keys_find(&api->keys, request);
    c->query = request->query;
    return dispatch_find(c, request->method,
                         (struct slice){path.ptr + root.len, path.len - root.len});
}

size_t api_body(struct api *api, const struct http_request *request) {
    struct api_call c;
    const struct api_route *r = look_at_head(api, &c, request);
    if (r == NULL)
        return 0;
    size_t most = dispatch_most(&api->source, r);
    if (request->length != HTTP_CHUNKED && request->length > most) {
        api_refuse(&c, REFUSAL_TOO_LARGE, NULL);
        return 0;
    }
    return most + READ_ON;
}

void api_route(struct api *api, const struct http_request *request) {
    struct api_call c;
    const struct api_route *r = look_at_head(api, &c, request);
    if (r == NULL)
        return;
    const char *once = http_header(request, "idempotency-key");
    if (once != NULL)
        c.once = slice_of(once);
    c.headed = false;
    c.body = request->body;
    if (c.body.len > dispatch_most(&api->source, r))
        api_refuse(&c, REFUSAL_TOO_LARGE, NULL);
    else
        dispatch_call(&c);
}
