#include "gateway/redis/eval.h"

#include "common/random.h"
#include "gateway/redis/pipeline.h"

void eval_put_head(struct buf *out, unsigned argc, const char *verb, struct slice script) {
    buf_printf(out, "*%u\r\n", argc);
    resp_bulk(out, slice_of(verb));
    resp_bulk(out, script);
}

void eval_fresh_epoch(char out[EVAL_EPOCH]) {
    uint64_t z = random_u64();
    for (int i = 0; i < EVAL_EPOCH; i++, z /= 36)
        out[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[z % 36];
}

bool eval_take(struct slice *at, struct slice *out) {
    size_t len = 0, i = 1;
    if (at->len < 4 || at->ptr[0] != '$')
        return false;
    for (; i < at->len && at->ptr[i] >= '0' && at->ptr[i] <= '9' && len < at->len; i++)
        len = len * 10 + (size_t)(at->ptr[i] - '0');
    if (i + 2 > at->len || at->len - i - 2 < len + 2)
        return false;
    *out = (struct slice){at->ptr + i + 2, len};
    *at = (struct slice){at->ptr + i + 2 + len + 2, at->len - i - 2 - len - 2};
    return true;
}

bool eval_take_count(struct slice *at, size_t *out) {
    struct slice word;
    uint64_t count;
    if (!eval_take(at, &word) || !slice_number(word, SIZE_MAX, &count))
        return false;
    *out = (size_t)count;
    return true;
}
