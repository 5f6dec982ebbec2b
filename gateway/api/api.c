#include "gateway/api/api.h"

#include "gateway/api/revoke.h"
#include "gateway/api/users.h"

#define BODY_MOST 4096
/* A body whose length is not announced is read so far, so that it is answered in JSON, too. */
#define READ_MOST 65536

void api_init(struct api *api, const struct api_source *source) {
    api->source = *source;
    api_cluster_init(&api->cluster, &api->source);
}

void api_deinit(struct api *api) {
    api_cluster_deinit(&api->cluster);
}

bool api_is_on(const struct api *api) {
    return api_keys_given(&api->keys);
}

/* --- the resources --------------------------------------------------------------------------
 */

/* part: of the path, what stands between the beginning and the end of the row. */
static void get_cluster(struct api *api, const struct http_request *request,
                        struct slice part) {
    (void)part;
    api_cluster_get(&api->cluster, request);
}

static void get_online(struct api *api, const struct http_request *request, struct slice part) {
    (void)part;
    api_online_get(&api->source, request);
}

static void get_user(struct api *api, const struct http_request *request, struct slice part) {
    api_user_get(&api->source, request, part);
}

static void post_revoke(struct api *api, const struct http_request *request,
                        struct slice part) {
    api_revoke_post(&api->source, request, part);
}

static void post_disconnect(struct api *api, const struct http_request *request,
                            struct slice part) {
    api_disconnect_post(&api->source, request, part);
}

struct resource {
    const char *path; /* if it ends with a slash, a part follows that is not empty */
    const char *end;  /* what follows that part */
    bool writes;      /* it takes POST; else GET and HEAD */
    void (*answer)(struct api *api, const struct http_request *request, struct slice part);
};

static const struct resource resources[] = {
    {"/api/v1/cluster", "", false, get_cluster},
    {"/api/v1/online", "", false, get_online},
    {"/api/v1/users/", "/revoke", true, post_revoke},
    {"/api/v1/users/", "/disconnect", true, post_disconnect},
    {"/api/v1/users/", "", false, get_user},
};

static bool resource_is(const struct resource *r, struct slice path, struct slice *part) {
    struct slice head = slice_of(r->path), end = slice_of(r->end);
    bool open = head.ptr[head.len - 1] == '/';
    if (!slice_starts(path, head) || path.len < head.len + end.len ||
        (path.len > head.len + end.len) != open ||
        memcmp(path.ptr + path.len - end.len, end.ptr, end.len) != 0)
        return false;
    *part = (struct slice){path.ptr + head.len, path.len - head.len - end.len};
    return true;
}

static const struct resource *resource_find(struct slice path, struct slice *part) {
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        if (resource_is(&resources[i], path, part))
            return &resources[i];
    }
    return NULL;
}

/* --- requests -------------------------------------------------------------------------------
 */

static bool takes(const struct resource *r, struct slice method) {
    return r->writes ? slice_is(method, "POST")
                     : slice_is(method, "GET") || slice_is(method, "HEAD");
}

/* What is told from the head alone, in this order. Returns NULL after a refusal. */
static const struct resource *
look_at_head(const struct api *api, const struct http_request *request, struct slice *part) {
    const struct resource *r = api_is_on(api) ? resource_find(request->path, part) : NULL;
    if (r == NULL)
        api_refuse(request, REFUSAL_NOT_FOUND, NULL);
    else if (!takes(r, request->method))
        api_refuse(request, r->writes ? REFUSAL_ONLY_POST : REFUSAL_ONLY_READ, NULL);
    else if (!api_keys_allow(&api->keys, request, r->writes))
        api_refuse(request, REFUSAL_UNAUTHORIZED, NULL);
    else
        return r;
    return NULL;
}

size_t api_body(struct api *api, const struct http_request *request) {
    struct slice part;
    if (look_at_head(api, request, &part) == NULL)
        return 0;
    if (request->length != HTTP_CHUNKED && request->length > BODY_MOST) {
        api_refuse(request, REFUSAL_TOO_LARGE, NULL);
        return 0;
    }
    return READ_MOST;
}

void api_route(struct api *api, const struct http_request *request) {
    struct slice part;
    const struct resource *r = look_at_head(api, request, &part);
    if (r == NULL)
        return;
    if (request->body.len > BODY_MOST)
        api_refuse(request, REFUSAL_TOO_LARGE, NULL);
    else if (!r->writes && !redis_any_up(api->source.redis))
        api_refuse(request, REFUSAL_UNAVAILABLE, NULL);
    else
        r->answer(api, request, part);
}
