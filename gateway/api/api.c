#include "gateway/api/api.h"

#include <openssl/crypto.h>
#include <strings.h>

#include "gateway/api/users.h"

void api_init(struct api *api, const struct api_source *source) {
    api->source = *source;
    api_cluster_init(&api->cluster, &api->source);
}

void api_deinit(struct api *api) {
    api_cluster_deinit(&api->cluster);
}

bool api_is_on(const struct api *api) {
    return api->source.options->admin_token[0] != '\0';
}

/* --- the resources --------------------------------------------------------------------------
 */

static void get_cluster(struct api *api, const struct http_request *request,
                        struct slice rest) {
    (void)rest;
    api_cluster_get(&api->cluster, request);
}

static void get_online(struct api *api, const struct http_request *request, struct slice rest) {
    (void)rest;
    api_online_get(&api->source, request);
}

static void get_user(struct api *api, const struct http_request *request, struct slice rest) {
    api_user_get(&api->source, request, rest);
}

struct resource {
    const char *path; /* if it ends with a slash, also all paths that begin with it */
    void (*get)(struct api *api, const struct http_request *request, struct slice rest);
};

static const struct resource resources[] = {
    {"/api/v1/cluster", get_cluster},
    {"/api/v1/online", get_online},
    {"/api/v1/users/", get_user},
};

static const struct resource *resource_find(struct slice path, struct slice *rest) {
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        struct slice head = slice_of(resources[i].path);
        bool open = head.ptr[head.len - 1] == '/';
        if (!slice_starts(path, head) || (path.len > head.len) != open)
            continue;
        *rest = (struct slice){path.ptr + head.len, path.len - head.len};
        return &resources[i];
    }
    return NULL;
}

/* --- permission -----------------------------------------------------------------------------
 */

static bool is_admin(const struct api *api, const struct http_request *request) {
    const char *given = http_header(request, "authorization");
    const char *token = api->source.options->admin_token;
    size_t len = strlen(token);
    if (given == NULL || strncasecmp(given, "bearer ", 7) != 0)
        return false;
    given += 7 + strspn(given + 7, " ");
    return strlen(given) == len && CRYPTO_memcmp(given, token, len) == 0;
}

void api_route(struct api *api, const struct http_request *request) {
    struct slice rest;
    const struct resource *r = api_is_on(api) ? resource_find(request->path, &rest) : NULL;
    if (r == NULL)
        api_refuse(request, REFUSAL_NOT_FOUND, NULL);
    else if (!slice_is(request->method, "GET") && !slice_is(request->method, "HEAD"))
        api_refuse(request, REFUSAL_BAD_METHOD, NULL);
    else if (!is_admin(api, request))
        api_refuse(request, REFUSAL_UNAUTHORIZED, NULL);
    else if (!redis_up(api->source.redis))
        api_refuse(request, REFUSAL_UNAVAILABLE, NULL);
    else
        r->get(api, request, rest);
}
