#include "gateway/data/deployment.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "gateway/redis/slots.h"

/* Returns a URL for a complaint, without the part before the @. */
static const char *hide_password(const char *url) {
    const char *at = strrchr(url, '@');
    return at != NULL ? log_text("...%s", at) : url;
}

static bool complain(struct deployment_fault *f, const char *flag, const char *value,
                     const char *why) {
    *f = (struct deployment_fault){flag, value, why};
    return false;
}

static const char *read_prefix(struct deployment *d, const char *given) {
    int database = d->address.database;
    if (given[0] == '\0')
        snprintf(d->prefix, sizeof d->prefix,
                 database == 0 ? "sluice:" : "sluice%d:", database);
    else
        snprintf(d->prefix, sizeof d->prefix, "%s", given);
    for (const char *c = d->prefix; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || strchr("'\"\\{}", *c) != NULL)
            return "must be plain ASCII without quotes, backslashes or braces";
    }
    return NULL;
}

static bool read_sentinels(struct deployment *d, const struct options *o,
                           struct deployment_fault *f) {
    static const char useless[] =
        "is for a redis-url that begins with redis+sentinel:// or rediss+sentinel://";
    struct redis_address *login = &d->sentinels.login;
    bool sentinels = redis_address_sentinels(o->redis_url);
    if (o->redis_sentinel_user[0] != '\0' && !sentinels)
        return complain(f, "redis-sentinel-user", o->redis_sentinel_user, useless);
    if (strlen(o->redis_sentinel_password) >= sizeof login->password)
        return complain(f, "redis-sentinel-password", "", "must have at most 511 bytes");
    if (o->redis_sentinel_password[0] != '\0' && !sentinels)
        return complain(f, "redis-sentinel-password", "", useless);
    d->sentinels.timeout_ms = o->redis_timeout;
    login->tls = d->address.tls;
    snprintf(login->user, sizeof login->user, "%s", o->redis_sentinel_user);
    snprintf(login->password, sizeof login->password, "%s", o->redis_sentinel_password);
    return true;
}

bool deployment_read(struct deployment *d, const struct options *o,
                     struct deployment_fault *f) {
    memset(d, 0, sizeof *d);
    const char *wrong = redis_address_parse(&d->address, &d->sentinels.seeds, o->redis_url);
    if (wrong != NULL)
        return complain(f, "redis-url", hide_password(o->redis_url), wrong);
    wrong = read_prefix(d, o->prefix);
    if (wrong != NULL)
        return complain(f, "prefix", o->prefix, wrong);
    uint64_t parts = o->redis_partitions;
    if (parts != 16 && parts != 32 && parts != 64)
        return complain(f, "redis-partitions", log_text("%llu", (unsigned long long)parts),
                        "must be 16, 32 or 64");
    d->partitions = d->address.cluster ? (unsigned)parts : 1;
    return read_sentinels(d, o, f);
}

unsigned deployment_partition(const struct deployment *d, struct slice name) {
    return d->partitions == 1 ? 0 : slots_of_name(name) % d->partitions;
}

const char *deployment_tag(const struct deployment *d, unsigned partition) {
    return d->partitions == 1 ? NULL : slots_tag(partition);
}

void deployment_base(const struct deployment *d, struct buf *out, struct slice name) {
    struct partition p;
    unsigned index = deployment_partition(d, name);
    partition_init(&p, index, d->prefix, deployment_tag(d, index), NULL, NULL);
    redis_doorbell(&p, out, name);
    partition_deinit(&p);
}

void deployment_head(const struct deployment *d, struct buf *out, unsigned partition) {
    const char *tag = deployment_tag(d, partition);
    buf_str(out, d->prefix);
    if (tag != NULL)
        buf_printf(out, "{%s}", tag);
}
