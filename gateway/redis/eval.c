#include "gateway/redis/eval.h"

#include <string.h>

#include "common/random.h"
#include "gateway/redis/pipeline.h"

void eval_put_head(struct buf *out, unsigned argc, const char *verb, struct slice script) {
    buf_printf(out, "*%u\r\n", argc);
    resp_bulk(out, slice_of(verb));
    resp_bulk(out, script);
}

void eval_put_name(struct buf *out, const char *prefix, struct slice name) {
    buf_str(out, prefix);
    buf_char(out, '{');
    buf_slice(out, name);
    buf_char(out, '}');
}

void eval_put_key(struct buf *out, const char *prefix, struct slice name) {
    buf_printf(out, "$%zu\r\n", strlen(prefix) + name.len + 2);
    eval_put_name(out, prefix, name);
    buf_append(out, "\r\n", 2);
}

void eval_fresh_epoch(char out[EVAL_EPOCH]) {
    uint64_t z = random_u64();
    for (int i = 0; i < EVAL_EPOCH; i++, z /= 36)
        out[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[z % 36];
}
