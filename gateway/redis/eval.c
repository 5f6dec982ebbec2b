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
