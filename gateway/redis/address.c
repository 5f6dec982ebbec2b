#include "gateway/redis/address.h"

#include <string.h>

#include "common/log.h"
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

/* HOST[:PORT]. The port stays as it is if there is none. */
static const char *parse_host(const char *at, const char *end, char host[REDIS_HOST_SIZE],
                              int *port) {
    const char *host_end;
    if (at < end && *at == '[') {
        host_end = memchr(at, ']', (size_t)(end - at));
        if (host_end == NULL)
            return "the host has no closing bracket";
        if (host_end == at + 1 || !decode_into(host, REDIS_HOST_SIZE, at + 1, host_end))
            return "the host is missing or too long";
        host_end++;
    } else {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        host_end = colon != NULL ? colon : end;
        if (host_end == at || !decode_into(host, REDIS_HOST_SIZE, at, host_end))
            return "the host is missing or too long";
    }
    if (host_end < end && (*host_end != ':' || !number_in(host_end + 1, end, 1, 65535, port)))
        return "the port must be from 1 to 65535";
    return NULL;
}

static const char *parse_database(struct redis_address *a, const char *at) {
    bool good = *at == '\0' || number_in(at, at + strlen(at), 0, 999999, &a->database);
    return good ? NULL : "the database must be a number";
}

static const char *parse_tcp(struct redis_address *a, const char *at) {
    const char *slash = strchr(at, '/');
    const char *end = slash != NULL ? slash : at + strlen(at);
    const char *wrong = parse_host(at, end, a->host, &a->port);
    return wrong == NULL && slash != NULL ? parse_database(a, slash + 1) : wrong;
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

/* --- Sentinels, nodes of a Cluster
 * ------------------------------------------------------------------------------
 */

static const char *add_seed(struct redis_seeds *s, int port, const char *at, const char *end) {
    struct redis_place seed = {.port = port};
    const char *wrong = parse_host(at, end, seed.host, &seed.port);
    if (wrong != NULL)
        return wrong;
    if (strpbrk(seed.host, " \t\r\n") != NULL)
        return "the hosts are separated by a comma and nothing else";
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->all[i].host, seed.host) == 0 && s->all[i].port == seed.port)
            return NULL;
    }
    if (s->count == SENTINELS_MOST)
        return "at most 16 hosts can be given";
    s->all[s->count++] = seed;
    return NULL;
}

/* HOST[:PORT],... up to `end`. */
static const char *add_seeds(struct redis_seeds *s, int port, const char *at, const char *end) {
    for (const char *until; at <= end; at = until + 1) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        until = comma != NULL ? comma : end;
        const char *wrong = add_seed(s, port, at, until);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

/* As Sentinel itself takes names. */
static bool is_master_name(const char *name) {
    for (const char *c = name; *c != '\0'; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        if (!letter && !(*c >= '0' && *c <= '9') && strchr(".-_", *c) == NULL)
            return false;
    }
    return *name != '\0';
}

static const char *parse_sentinels(struct redis_address *a, struct redis_seeds *s,
                                   const char *at) {
    const char *slash = strchr(at, '/');
    if (slash == NULL || slash[1] == '\0' || slash[1] == '/')
        return "the name of the master is missing: redis+sentinel://HOST,HOST,.../NAME";
    const char *wrong = add_seeds(s, 26379, at, slash);
    if (wrong != NULL)
        return wrong;
    const char *name_end = strchr(slash + 1, '/');
    if (name_end == NULL)
        name_end = slash + 1 + strlen(slash + 1);
    if (!decode_into(s->master, sizeof s->master, slash + 1, name_end) ||
        !is_master_name(s->master))
        return "the name of the master has letters, digits, dots, dashes and underscores, at "
               "most 127";
    a->host[0] = '\0';
    return *name_end == '/' ? parse_database(a, name_end + 1) : NULL;
}

static const char *parse_cluster(struct redis_address *a, struct redis_seeds *s,
                                 const char *at) {
    size_t len = strcspn(at, "/");
    a->cluster = true;
    a->host[0] = '\0';
    if (at[len] != '\0' && strcmp(at + len, "/") != 0 && strcmp(at + len, "/0") != 0)
        return "a Cluster has no databases: nothing may follow the hosts";
    return add_seeds(s, 6379, at, at + len);
}

/* --- all of it ------------------------------------------------------------------------------
 */

static bool begins(const char *url, const char *scheme) {
    return strncmp(url, scheme, strlen(scheme)) == 0;
}

const char *redis_host_text(const char *host, int port) {
    bool ip6 = strchr(host, ':') != NULL;
    return log_text(ip6 ? "[%s]:%d" : "%s:%d", host, port);
}

bool redis_address_secure(const char *url) {
    return begins(url, "rediss://") || begins(url, "rediss+");
}

bool redis_address_cluster(const char *url) {
    return begins(url, "redis+cluster://") || begins(url, "rediss+cluster://");
}

bool redis_address_sentinels(const char *url) {
    return begins(url, "redis+sentinel://") || begins(url, "rediss+sentinel://");
}

const char *redis_address_parse(struct redis_address *a, struct redis_seeds *s,
                                const char *url) {
    memset(a, 0, sizeof *a);
    memset(s, 0, sizeof *s);
    a->port = 6379;
    a->tls = redis_address_secure(url);
    bool tcp = begins(url, "redis://") || begins(url, "rediss://");
    bool sentinels = redis_address_sentinels(url);
    bool cluster = redis_address_cluster(url);
    if (!tcp && !sentinels && !cluster && !begins(url, "unix://"))
        return "must begin with redis://, rediss://, unix://, redis+sentinel://, "
               "rediss+sentinel://, redis+cluster:// or rediss+cluster://";
    const char *at = strstr(url, "://") + 3;
    const char *wrong = parse_login(a, &at);
    if (wrong != NULL)
        return wrong;
    if (cluster)
        return parse_cluster(a, s, at);
    return sentinels ? parse_sentinels(a, s, at) : tcp ? parse_tcp(a, at) : parse_path(a, at);
}
