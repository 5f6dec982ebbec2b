#include "gateway/redis/spread.h"

#include <stdlib.h>

/* The script of a partition. */
struct part {
    struct spread *spread;
    struct reply *reply; /* owned; NULL: there is none */
    size_t names;
};

/* Where the answer about a name is. */
struct place {
    unsigned part;
    size_t at; /* among the names of that partition */
};

struct spread {
    spread_done done;
    void *arg;
    size_t each;
    unsigned pending;
    bool all;
    enum outcome outcome;
    struct place *places;
    unsigned part_count;
    struct part parts[];
};

const struct reply *spread_item(const struct spread *s, size_t i, size_t k) {
    const struct place *place = &s->places[i];
    return reply_item(s->parts[place->part].reply, 1 + place->at * s->each + k);
}

static void spread_free(struct spread *s) {
    for (unsigned i = 0; i < s->part_count; i++)
        free(s->parts[i].reply);
    free(s->places);
    free(s);
}

static void spread_lack(struct spread *s, enum outcome outcome) {
    s->all = false;
    s->outcome = outcome;
}

static void on_part(void *arg, const struct reply *reply, enum outcome outcome) {
    struct part *part = arg;
    struct spread *s = part->spread;
    part->reply = reply != NULL ? reply_copy(reply) : NULL;
    if (part->reply == NULL)
        spread_lack(s, reply == NULL ? outcome : OUTCOME_REFUSED);
    if (--s->pending > 0)
        return;
    s->done(s->arg, s, s->all, s->outcome);
    spread_free(s);
}

static struct spread *spread_make(struct redis *r, const struct slice names[], size_t count) {
    struct spread *s = calloc(1, sizeof *s + r->count * sizeof *s->parts);
    if (s == NULL)
        return NULL;
    s->part_count = r->count;
    s->places = calloc(count, sizeof *s->places);
    if (s->places == NULL) {
        free(s);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct place *place = &s->places[i];
        place->part = redis_partition(r, names[i])->index;
        place->at = s->parts[place->part].names++;
    }
    return s;
}

/* keys and their arguments have room for all names, and for one more. */
static bool ask_part(struct redis *r, struct spread *s, enum script script, unsigned index,
                     const struct slice names[], size_t count, struct slice first,
                     const struct slice args[], struct slice *keys, struct slice *their) {
    size_t n = 0, head = first.len > 0;
    their[0] = first;
    for (size_t i = 0; i < count; i++) {
        if (s->places[i].part != index)
            continue;
        keys[n] = names[i];
        if (args != NULL)
            their[head + n] = args[i];
        n++;
    }
    return redis_script_asked(redis_at(r, index), script, keys, n, their,
                              head + (args != NULL ? n : 0), on_part, &s->parts[index]);
}

static void ask_parts(struct redis *r, struct spread *s, enum script script,
                      const struct slice names[], size_t count, struct slice first,
                      const struct slice args[], struct slice *room) {
    for (unsigned i = 0; i < r->count; i++) {
        s->parts[i].spread = s;
        if (s->parts[i].names == 0)
            continue;
        if (ask_part(r, s, script, i, names, count, first, args, room, room + count + 1))
            s->pending++;
        else
            spread_lack(s, OUTCOME_REFUSED);
    }
}

bool spread_ask(struct redis *r, enum script script, const struct slice names[], size_t count,
                struct slice first, const struct slice args[], size_t each, spread_done done,
                void *arg) {
    struct spread *s = count > 0 ? spread_make(r, names, count) : NULL;
    struct slice *room = calloc(2 * (count + 1), sizeof *room);
    if (s != NULL && room != NULL) {
        s->done = done;
        s->arg = arg;
        s->each = each;
        s->all = true;
        ask_parts(r, s, script, names, count, first, args, room);
    }
    free(room);
    if (s != NULL && s->pending > 0)
        return true;
    if (s != NULL)
        spread_free(s);
    return false;
}
