#include "gateway/auth/keys.h"

void keys_init(struct keys *set) {
    list_init(&set->all);
}

void keys_deinit(struct keys *set) {
    while (!list_empty(&set->all)) {
        struct key *k = container_of(set->all.next, struct key, link);
        list_remove(&k->link);
        key_free(k);
    }
}

void keys_add(struct keys *set, struct key *k) {
    list_push(&set->all, &k->link);
}

bool keys_empty(const struct keys *set) {
    return list_empty(&set->all);
}

/* Is this the key, or may it be? */
static bool is_meant(const struct key *k, const struct token *t) {
    return !t->has_kid || k->kid.len == 0 || slice_eq(buf_bytes(&k->kid), buf_bytes(&t->kid));
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
    for (const struct list *at = set->all.next; at != &set->all && best != KEYS_GOOD;
         at = at->next) {
        enum keys_answer answer = try_one(container_of(at, const struct key, link), t);
        best = answer > best ? answer : best;
    }
    return best;
}
