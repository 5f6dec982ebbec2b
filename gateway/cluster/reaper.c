#include "gateway/cluster/reaper.h"

#include <stdlib.h>

#include "common/log.h"

#define REAP_BITE "32" /* users a script */

static void reap(struct reaper *r, struct sighting *s, uint64_t lease);

void reaper_init(struct reaper *r, struct lease *lease, struct metrics *metrics) {
    *r = (struct reaper){.lease = lease, .metrics = metrics};
}

void reaper_deinit(struct reaper *r) {
    free(r->sightings);
}

void reaper_redis_up(struct reaper *r) {
    r->count = 0;
}

static struct sighting *sighting_find(struct reaper *r, struct slice incarnation) {
    for (size_t i = 0; i < r->count; i++) {
        if (slice_is(incarnation, r->sightings[i].incarnation))
            return &r->sightings[i];
    }
    if (incarnation.len >= INCARNATION_SIZE)
        return NULL; /* no node wrote it */
    struct sighting *grown = realloc(r->sightings, (r->count + 1) * sizeof *r->sightings);
    if (grown == NULL)
        return NULL;
    r->sightings = grown;
    struct sighting *s = &grown[r->count++];
    memset(s, 0, sizeof *s);
    memcpy(s->incarnation, incarnation.ptr, incarnation.len);
    s->lease = UINT64_MAX;
    return s;
}

struct reaping {
    struct reaper *reaper;
    uint64_t lease; /* the last one that was seen */
    char incarnation[INCARNATION_SIZE];
};

static void on_reaped(void *arg, const struct reply *reply, enum outcome outcome) {
    struct reaping *reaping = arg;
    struct reaper *r = reaping->reaper;
    const char *incarnation = reaping->incarnation;
    (void)outcome;
    struct sighting *s = NULL;
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->sightings[i].incarnation, incarnation) == 0)
            s = &r->sightings[i];
    }
    long long status = reply_number(reply_item(reply, 0));
    long long left = reply_number(reply_item(reply, 1));
    if (reply != NULL && status == 0)
        metric_add(r->metrics, METRIC_REAPED, (uint64_t)reply_number(reply_item(reply, 2)));
    if (status == 0 && reply_number(reply_item(reply, 3)) != 0)
        r->lease->events->on_reaped(r->lease);
    if (s != NULL) {
        s->reaping = false;
        if (status == 1)
            s->lease = UINT64_MAX; /* the node has renewed its lease after all */
        else if (reply != NULL && left > 0)
            reap(r, s, reaping->lease);
        else if (reply != NULL)
            LOG(LOG_INFO, "node_reaped", "incarnation", incarnation, NULL);
    }
    free(reaping);
}

static void reap(struct reaper *r, struct sighting *s, uint64_t lease) {
    char bytes[NODE_KEY_SIZE];
    const struct options *o = r->lease->options;
    char digits[DIGITS_SIZE], linger[DIGITS_SIZE], leaves[DIGITS_SIZE];
    struct slice key = node_key(s->incarnation, bytes);
    struct slice args[] = {slice_of(s->incarnation), slice_digits(lease, digits),
                           SLICE(REAP_BITE), slice_digits(o->linger, linger),
                           slice_digits(o->disconnect_linger, leaves)};
    struct reaping *reaping = malloc(sizeof *reaping);
    if (reaping == NULL)
        return;
    reaping->reaper = r;
    reaping->lease = lease;
    memcpy(reaping->incarnation, s->incarnation, sizeof s->incarnation);
    s->reaping =
        redis_script(r->lease->redis, SCRIPT_reap, &key, 1, args, 5, on_reaped, reaping);
    if (!s->reaping)
        free(reaping);
}

void reaper_see(struct reaper *r, struct slice incarnation, uint64_t lease) {
    uint64_t now = lease_now(r->lease);
    struct sighting *s = sighting_find(r, incarnation);
    if (s == NULL)
        return;
    s->swept = true;
    if (s->lease != lease) {
        s->lease = lease;
        s->since = now;
    }
    bool dead = lease == 0 || now - s->since >= r->lease->options->lease_timeout;
    if (!dead || s->reaping)
        return;
    if (lease != 0)
        LOG(LOG_WARN, "node_dead", "incarnation", s->incarnation, NULL);
    reap(r, s, lease);
}

void reaper_swept(struct reaper *r) {
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->sightings[i].swept || r->sightings[i].reaping)
            r->sightings[kept++] = r->sightings[i];
    }
    r->count = kept;
    for (size_t i = 0; i < r->count; i++)
        r->sightings[i].swept = false;
}
