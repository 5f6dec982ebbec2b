/*
 * libFuzzer on public keys: any bytes, as a JWK set and as PEM. What a strict reader takes, one
 * that leaves bad keys out takes, too, with as many keys. No key is a secret, none is weak, and
 * no key takes a signature of zeros for good (of Ed25519, a few do, which nobody has).
 */
#include "common/log.h"
#include "gateway/auth/jwk.h"
#include "gateway/auth/pem.h"
#include "tests/fuzz/fuzz.h"

static void look(const struct keys *keys) {
    static const char zeros[512];
    for (const struct list *at = keys->all.next; at != &keys->all; at = at->next) {
        const struct key *k = container_of(at, const struct key, link);
        check(k->kind != KEY_SECRET && k->public != NULL && k->secret.len == 0);
        check(k->kind != KEY_RSA || EVP_PKEY_get_bits(k->public) >= KEY_RSA_LEAST);
        check(k->bound == ALGORITHM_NONE || key_fits(k, k->bound));
        check(!key_fits(k, ALGORITHM_HS256) && !key_fits(k, ALGORITHM_NONE));
        for (int a = 0; a < ALGORITHM_COUNT; a++) {
            static const size_t lengths[] = {0, 64, 96, 256};
            bool tried = key_fits(k, (enum algorithm)a) && k->kind != KEY_ED25519;
            for (unsigned i = 0; tried && i < 4; i++)
                check(!key_verify(k, (enum algorithm)a, SLICE("text"),
                                  (struct slice){zeros, lengths[i]}));
        }
    }
}

static unsigned read_one(struct slice input, const char *(*reader)(struct keys *, struct slice),
                         bool *good) {
    struct keys keys;
    keys_init(&keys);
    *good = reader(&keys, input) == NULL;
    unsigned count = keys.count;
    look(&keys);
    keys_deinit(&keys);
    return count;
}

static const char *strictly(struct keys *keys, struct slice text) {
    return jwk_read(keys, text, true);
}

static const char *laxly(struct keys *keys, struct slice text) {
    return jwk_read(keys, text, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool opened;
    struct slice input = {(const char *)data, size};
    bool strict_good, lax_good, pem_good;
    if (!opened)
        log_open("fuzz", LOG_ERROR, false);
    opened = true;
    char *copy = fuzz_copy(input);
    input.ptr = copy;
    unsigned strict = read_one(input, strictly, &strict_good);
    unsigned lax = read_one(input, laxly, &lax_good);
    check(!strict_good || (lax_good && lax == strict));
    read_one(input, pem_read, &pem_good);
    free(copy);
    return 0;
}
