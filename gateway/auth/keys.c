#include "gateway/auth/keys.h"

void keys_init(struct keys *set) {
    list_init(&set->all);
    set->count = 0;
}

void keys_deinit(struct keys *set) {
    while (!list_empty(&set->all)) {
        struct key *k = container_of(set->all.next, struct key, link);
        list_remove(&k->link);
        key_free(k);
    }
    set->count = 0;
}

const char *keys_add(struct keys *set, struct key *k) {
    if (set->count == KEYS_MOST) {
        key_free(k);
        return "there are more than 100 keys";
    }
    list_push(&set->all, &k->link);
    set->count++;
    return NULL;
}

void keys_take(struct keys *to, struct keys *from) {
    keys_deinit(to);
    list_splice(&to->all, &from->all);
    to->count = from->count;
    from->count = 0;
}

static bool has_kid(const struct key *k, const struct token *t) {
    return k->kid.len > 0 && slice_eq(buf_bytes(&k->kid), buf_bytes(&t->kid));
}

bool keys_know(const struct keys *set, const struct token *t) {
    for (const struct list *at = set->all.next; at != &set->all; at = at->next)
        if (has_kid(container_of(at, const struct key, link), t))
            return true;
    return false;
}

/* Is this the key, or may it be? */
static bool is_meant(const struct key *k, const struct token *t) {
    return !t->has_kid || k->kid.len == 0 || has_kid(k, t);
}

static enum keys_answer try_one(const struct key *k, const struct token *t) {
    if (!is_meant(k, t))
        return KEYS_UNKNOWN;
    if (!key_fits(k, t->algorithm))
        return t->has_kid && k->kid.len == 0 ? KEYS_UNKNOWN : KEYS_UNFIT;
    return key_verify(k, t->algorithm, t->signed_text, buf_bytes(&t->signature)) ? KEYS_GOOD
                                                                                 : KEYS_WRONG;
}

enum keys_answer keys_try(const struct keys *set, const struct token *t) {
    enum keys_answer best = KEYS_UNKNOWN;
    unsigned dear = 0;
    for (const struct list *at = set->all.next;
         at != &set->all && best != KEYS_GOOD && dear < KEYS_DEAR_TRIED; at = at->next) {
        const struct key *k = container_of(at, const struct key, link);
        enum keys_answer answer = try_one(k, t);
        dear += answer == KEYS_WRONG && key_is_dear(k);
        best = answer > best ? answer : best;
    }
    return best;
}
