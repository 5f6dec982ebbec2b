#include "gateway/redis/overview.h"

#include "common/log.h"

static const char *cluster_trouble(const struct redis *r) {
    const char *why = slot_map_trouble(&r->masters.map);
    if (why != NULL)
        return why;
    for (unsigned i = 0; i < r->masters.count; i++) {
        const struct server *s = r->masters.all[i];
        why = server_trouble(s);
        if (why != NULL)
            return log_text("%s: %s", redis_host_text(s->address.host, s->address.port), why);
    }
    why = masters_trouble(&r->masters);
    if (why == NULL && !redis_any_up(r))
        why = log_text("no term was told yet: %s", redis_error(r));
    return why;
}

const char *redis_trouble(const struct redis *r) {
    const char *why = NULL;
    if (redis_is_cluster(r))
        why = cluster_trouble(r);
    else if (redis_has_sentinels(r))
        why = topology_trouble(&r->topology);
    if (why != NULL || redis_is_cluster(r))
        return why;
    why = server_trouble(&r->server);
    if (why == NULL && !redis_any_up(r))
        why = "the term was not told yet";
    if (why == NULL || !redis_has_sentinels(r))
        return why;
    return log_text("%s, which the Sentinels name as the master: %s%s",
                    redis_place_text(&r->topology.master), why,
                    topology_holds_down(&r->topology) ? " (they hold it for down)" : "");
}

const char *redis_error(const struct redis *r) {
    const char *text = "";
    for (unsigned i = 0; i < redis_servers(r) && text[0] == '\0'; i++)
        text = redis_server(r, i)->error_text;
    return text;
}

unsigned redis_pending(const struct redis *r) {
    unsigned sum = 0;
    for (unsigned i = 0; i < redis_servers(r); i++)
        sum += redis_server(r, i)->commands.pipeline.in_flight;
    return sum;
}

size_t redis_backlog(const struct redis *r) {
    size_t sum = 0;
    for (unsigned i = 0; i < redis_servers(r); i++) {
        const struct pipeline *p = &redis_server(r, i)->commands.pipeline;
        sum += p->out.len + p->writing.len;
    }
    return sum;
}

size_t redis_held(const struct redis *r) {
    size_t sum = 0;
    for (unsigned i = 0; i < redis_servers(r); i++)
        sum += server_held(redis_server(r, i));
    for (unsigned i = 0; i < r->count; i++)
        sum += r->partitions[i].held.bytes;
    return sum;
}

bool redis_evicts(const struct redis *r) {
    for (unsigned i = 0; i < redis_servers(r); i++) {
        if (redis_server(r, i)->policy.evicts)
            return true;
    }
    return false;
}
