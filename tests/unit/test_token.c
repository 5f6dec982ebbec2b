#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base64.h"
#include "gateway/auth/keys.h"
#include "gateway/auth/token.h"

/* RFC 7515, appendix A.1. */
#define A1_KEY                                                                                 \
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define A1_TOKEN                                                                               \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."                                                \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
    "cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

static void hs256_of_rfc_7515(void **state) {
    (void)state;
    struct buf secret = {0};
    struct token t;
    struct keys keys;
    const char *why;
    assert_true(base64url_decode(SLICE(A1_KEY), &secret));
    keys_init(&keys);
    keys_add(&keys, key_from_secret(buf_bytes(&secret), &why));
    assert_null(token_read(&t, SLICE(A1_TOKEN)));
    assert_int_equal(keys_try(&keys, &t), KEYS_GOOD);
    t.signature.data[0] ^= 1;
    assert_int_equal(keys_try(&keys, &t), KEYS_WRONG);
    token_deinit(&t);
    keys_deinit(&keys);
    buf_deinit(&secret);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(hs256_of_rfc_7515)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
