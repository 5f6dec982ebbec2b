#include "gateway/redis/policy.h"

#include <string.h>

#include "common/log.h"
#include "gateway/redis/info.h"

#define EVERY_MS 5000

static void tell(const struct policy *p, const char *maxmemory) {
    if (p->evicts)
        LOG(LOG_WARN, "redis_evicts", "policy", p->name, "maxmemory", maxmemory, "why",
            "Redis may throw away acknowledged messages when its memory is full", "do",
            "set maxmemory-policy noeviction", NULL);
    else
        LOG(LOG_INFO, "redis_evicts_not", "policy", p->name, NULL);
}

static void on_info(void *arg, const struct reply *reply, enum outcome outcome) {
    struct policy *p = arg;
    char name[sizeof p->name], maxmemory[24];
    (void)outcome;
    p->asked = false;
    if (reply == NULL)
        return;
    info_field(reply->text, "maxmemory_policy", name, sizeof name);
    info_field(reply->text, "maxmemory", maxmemory, sizeof maxmemory);
    if (name[0] == '\0')
        return;
    bool known = strcmp(name, p->name) == 0;
    bool first = p->name[0] == '\0';
    memcpy(p->name, name, sizeof name);
    p->evicts = strcmp(name, "noeviction") != 0;
    if (!known && (p->evicts || !first))
        tell(p, maxmemory);
}

void policy_ask(struct policy *p, struct link *l) {
    uint64_t now = uv_now(l->loop);
    if (p->asked || (p->at != 0 && now - p->at < EVERY_MS))
        return;
    p->asked = link_send(l, -1, 0, SLICE("*2\r\n$4\r\nINFO\r\n"), SLICE("$6\r\nmemory\r\n"),
                         on_info, p);
    if (p->asked)
        p->at = now;
}
