#include "gateway/node/secure.h"

#include <string.h>
#include <time.h>

#include "common/log.h"
#include "gateway/redis/address.h"

#define RENEW_MS 43200000ULL

static bool given(const char *text) {
    return text[0] != '\0';
}

static bool redis_is_secure(const struct options *o) {
    return redis_address_secure(o->redis_url);
}

/* --- what fits together ---------------------------------------------------------------------
 */

static const char *complain(const char *option, const char *text, const char *why,
                            const char **flag, const char **value) {
    *flag = option;
    *value = text;
    return why;
}

static const char *check_server_options(const struct options *o, const char **flag,
                                        const char **value) {
    if (given(o->tls_cert) && strncmp(o->listen, "unix:", 5) == 0)
        return complain("tls-cert", o->tls_cert, "a socket at a path does not speak TLS", flag,
                        value);
    if (given(o->tls_cert) && !given(o->tls_key))
        return complain("tls-cert", o->tls_cert, "needs tls-key, too", flag, value);
    if (given(o->tls_key) && !given(o->tls_cert))
        return complain("tls-key", o->tls_key, "needs tls-cert, too", flag, value);
    if (given(o->tls_client_ca) && !given(o->tls_cert))
        return complain("tls-client-ca", o->tls_client_ca, "needs tls-cert and tls-key, too",
                        flag, value);
    return NULL;
}

/* An option that would have no effect hides that the link is not what was meant. */
static const char *check_client_options(const struct options *o, const char **flag,
                                        const char **value) {
    static const char useless[] =
        "is for a redis-url that begins with rediss:// or rediss+sentinel://";
    bool secure = redis_is_secure(o);
    if (given(o->redis_ca) && !secure)
        return complain("redis-ca", o->redis_ca, useless, flag, value);
    if (given(o->redis_cert) && !secure)
        return complain("redis-cert", o->redis_cert, useless, flag, value);
    if (given(o->redis_cert) && !given(o->redis_key))
        return complain("redis-cert", o->redis_cert, "needs redis-key, too", flag, value);
    if (given(o->redis_key) && !given(o->redis_cert))
        return complain("redis-key", o->redis_key, "needs redis-cert, too", flag, value);
    return NULL;
}

/* --- the files ------------------------------------------------------------------------------
 */

static SSL_CTX *make_server(const struct options *o, const char **flag, const char **value,
                            const char **why) {
    struct tls_files files = {o->tls_cert, o->tls_key, o->tls_client_ca};
    static const char *const flags[] = {"tls-cert", "tls-key", "tls-client-ca"};
    const char *const values[] = {o->tls_cert, o->tls_key, o->tls_client_ca};
    struct tls_fault fault;
    SSL_CTX *made = tls_context_server(&files, &fault);
    if (made == NULL)
        *why = complain(flags[fault.file], values[fault.file], fault.why, flag, value);
    return made;
}

static SSL_CTX *make_client(const struct options *o, const char **flag, const char **value,
                            const char **why) {
    struct tls_files files = {o->redis_cert, o->redis_key, o->redis_ca};
    static const char *const flags[] = {"redis-cert", "redis-key", "redis-ca"};
    const char *const values[] = {o->redis_cert, o->redis_key, o->redis_ca};
    struct tls_fault fault;
    SSL_CTX *made = tls_context_client(&files, &fault);
    if (made == NULL)
        *why = complain(flags[fault.file], values[fault.file], fault.why, flag, value);
    return made;
}

const char *secure_check(const struct options *o, const char **flag, const char **value) {
    const char *why = check_server_options(o, flag, value);
    if (why == NULL)
        why = check_client_options(o, flag, value);
    if (why == NULL && given(o->tls_cert))
        SSL_CTX_free(make_server(o, flag, value, &why));
    if (why == NULL && redis_is_secure(o))
        SSL_CTX_free(make_client(o, flag, value, &why));
    return why;
}

const char *secure_redis(const struct options *o, SSL_CTX **out, const char **flag,
                         const char **value) {
    const char *why = check_client_options(o, flag, value);
    *out = why == NULL && redis_is_secure(o) ? make_client(o, flag, value, &why) : NULL;
    return why;
}

/* --- in use ---------------------------------------------------------------------------------
 */

static void replace(SSL_CTX **old, SSL_CTX *made) {
    SSL_CTX_free(*old);
    *old = made;
}

void secure_tell(const struct secure *s, const struct options *o) {
    char date[32] = "?";
    time_t expires = (time_t)s->expires;
    struct tm when;
    if (s->server == NULL)
        return;
    if (gmtime_r(&expires, &when) != NULL)
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &when);
    bool over = expires <= time(NULL);
    LOG(over ? LOG_WARN : LOG_INFO, over ? "tls_certificate_expired" : "tls_certificate",
        "file", o->tls_cert, "expires", date, NULL);
}

void secure_apply(struct secure *s, const struct options *o, uint64_t now) {
    const char *flag = NULL, *value = NULL, *why = NULL;
    SSL_CTX *server = given(o->tls_cert) ? make_server(o, &flag, &value, &why) : NULL;
    if (why == NULL) {
        replace(&s->server, server);
        s->renewed = now;
        s->expires = server != NULL ? tls_context_expires(server) : 0;
    }
    SSL_CTX *client =
        why == NULL && redis_is_secure(o) ? make_client(o, &flag, &value, &why) : NULL;
    if (why == NULL)
        replace(&s->client, client);
    else /* the files have changed since secure_check */
        LOG(LOG_ERROR, "tls_not_read", "option", flag, "file", value, "why", why, NULL);
}

void secure_tick(struct secure *s, uint64_t now) {
    if (s->server == NULL || now - s->renewed < RENEW_MS)
        return;
    tls_context_renew(s->server);
    s->renewed = now;
}

void secure_deinit(struct secure *s) {
    SSL_CTX_free(s->server);
    SSL_CTX_free(s->client);
}
