#include "gateway/redis/address.h"

#include <string.h>

#include "common/percent.h"

/* Decodes to a string. A NUL inside is refused. */
static bool decode_into(char *out, size_t size, const char *from, const char *end) {
    ptrdiff_t n = percent_decode((struct slice){from, (size_t)(end - from)}, out, size - 1);
    if (n < 0 || memchr(out, 0, (size_t)n) != NULL)
        return false;
    out[n] = 0;
    return true;
}

static bool number_in(const char *text, const char *end, int low, int high, int *out) {
    if (text == end || end - text > 6)
        return false;
    int n = 0;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (*text - '0');
    }
    *out = n;
    return n >= low && n <= high;
}

static const char *parse_login(struct redis_address *a, const char **at) {
    const char *sign = strrchr(*at, '@');
    if (sign == NULL)
        return NULL;
    const char *colon = memchr(*at, ':', (size_t)(sign - *at));
    const char *user_end = colon != NULL ? colon : sign;
    if (!decode_into(a->user, sizeof a->user, *at, user_end) ||
        (colon != NULL && !decode_into(a->password, sizeof a->password, colon + 1, sign)))
        return "the user or password is too long or badly encoded";
    *at = sign + 1;
    return NULL;
}

static const char *parse_tcp(struct redis_address *a, const char *at) {
    const char *slash = strchr(at, '/');
    const char *end = slash != NULL ? slash : at + strlen(at);
    const char *host_end;
    if (*at == '[') {
        host_end = memchr(at, ']', (size_t)(end - at));
        if (host_end == NULL)
            return "the host has no closing bracket";
        if (host_end == at + 1 || !decode_into(a->host, sizeof a->host, at + 1, host_end))
            return "the host is missing or too long";
        host_end++;
    } else {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        host_end = colon != NULL ? colon : end;
        if (host_end == at || !decode_into(a->host, sizeof a->host, at, host_end))
            return "the host is missing or too long";
    }
    if (host_end < end &&
        (*host_end != ':' || !number_in(host_end + 1, end, 1, 65535, &a->port)))
        return "the port must be from 1 to 65535";
    if (slash != NULL && slash[1] != '\0' &&
        !number_in(slash + 1, slash + strlen(slash), 0, 999999, &a->database))
        return "the database must be a number";
    return NULL;
}

static const char *parse_path(struct redis_address *a, const char *at) {
    const char *query = strchr(at, '?');
    const char *end = query != NULL ? query : at + strlen(at);
    a->path = true;
    if (*at != '/' || end - at > 107 || !decode_into(a->host, sizeof a->host, at, end))
        return "the path must begin with / and have at most 107 bytes";
    if (query != NULL &&
        (strncmp(query, "?db=", 4) != 0 ||
         !number_in(query + 4, query + strlen(query), 0, 999999, &a->database)))
        return "after the path only ?db=NUMBER may follow";
    return NULL;
}

const char *redis_address_parse(struct redis_address *a, const char *url) {
    memset(a, 0, sizeof *a);
    a->port = 6379;
    if (strncmp(url, "redis+cluster://", 16) == 0)
        return "redis+cluster:// is not spoken yet by this version: give it a Redis that is "
               "not "
               "in cluster mode";
    a->tls = strncmp(url, "rediss://", 9) == 0;
    bool tcp = a->tls || strncmp(url, "redis://", 8) == 0;
    bool path = strncmp(url, "unix://", 7) == 0;
    if (!tcp && !path)
        return "must begin with redis://, rediss:// or unix://";
    const char *at = strstr(url, "://") + 3;
    const char *wrong = parse_login(a, &at);
    if (wrong != NULL)
        return wrong;
    return tcp ? parse_tcp(a, at) : parse_path(a, at);
}
