#include "gateway/tap/tap.h"

#define AGE_MS 86400000

void tap_trim(struct redis *r, const struct options *o) {
    char length[DIGITS_SIZE], bytes[DIGITS_SIZE], age[DIGITS_SIZE];
    struct slice args[] = {slice_digits(o->tap_length, length),
                           slice_digits(o->tap_bytes, bytes), slice_digits(AGE_MS, age)};
    if (r->config.constants.tap == 0)
        return;
    for (unsigned i = 0; i < r->count; i++)
        redis_script(redis_at(r, i), SCRIPT_tap_trim, NULL, 0, args, 3, NULL, NULL);
}
