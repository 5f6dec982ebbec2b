#ifndef SLUICE_AUTH_KEYS_H
#define SLUICE_AUTH_KEYS_H

#include "gateway/auth/key.h"
#include "gateway/auth/token.h"

/* A set of keys, and which of them a token is tried with. */
struct keys {
    struct list all;
};

void keys_init(struct keys *set);
/* Frees all keys. */
void keys_deinit(struct keys *set);
/* Takes the key over. */
void keys_add(struct keys *set, struct key *k);
bool keys_empty(const struct keys *set);

/* What came of the tries, the better the higher. */
enum keys_answer {
    KEYS_UNKNOWN, /* no key has the token's kid, and none without a kid fits its alg */
    KEYS_UNFIT,   /* the key with the token's kid, or each one, is for another alg */
    KEYS_WRONG,   /* keys fit, and the signature is of none of them */
    KEYS_GOOD
};

/* Tries the keys that have the token's kid, those without one, and, if the token names none,
 * all; of these each one that fits its alg. */
enum keys_answer keys_try(const struct keys *set, const struct token *t);

#endif
