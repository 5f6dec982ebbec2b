#ifndef SLUICE_AUTH_KEYS_H
#define SLUICE_AUTH_KEYS_H

#include "gateway/auth/key.h"
#include "gateway/auth/token.h"

/* A set of keys, and which of them a token is tried with. */
struct keys {
    struct list all;
    unsigned count;
};

#define KEYS_MOST 100

/* A token without a kid is tried with each key that fits. Anybody can send one, so only so many
 * dear keys (key_is_dear) of a set are tried. */
#define KEYS_DEAR_TRIED 16

void keys_init(struct keys *set);
/* Frees all keys. */
void keys_deinit(struct keys *set);
/* Takes the key over, even if it fails. Returns NULL, or that the set is full. */
const char *keys_add(struct keys *set, struct key *k);
static inline bool keys_empty(const struct keys *set) {
    return set->count == 0;
}
/* Is there a key with the token's kid? */
bool keys_know(const struct keys *set, const struct token *t);
/* Moves all keys of `from`, in place of those that *to had. */
void keys_take(struct keys *to, struct keys *from);

/* What came of the tries, the better the higher. */
enum keys_answer {
    KEYS_UNKNOWN, /* no key has the token's kid, and none without a kid fits its alg */
    KEYS_UNFIT,   /* the key with the token's kid, or each one, is for another alg */
    KEYS_WRONG,   /* keys fit, and the signature is of none of them */
    KEYS_GOOD
};

/* Tries the keys that have the token's kid, those without one, and, if the token names none,
 * all; of these each one that fits its alg, until KEYS_DEAR_TRIED dear ones were in vain. */
enum keys_answer keys_try(const struct keys *set, const struct token *t);

#endif
