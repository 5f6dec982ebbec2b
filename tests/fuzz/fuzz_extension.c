/*
 * libFuzzer on the offers of WebSocket extensions: any bytes. The answer to a choice is itself
 * an offer with the same choice, and what cannot be served before it changes nothing.
 */
#include "common/ws_extension.h"
#include "tests/fuzz/fuzz.h"

static unsigned choose(struct slice offers) {
    char *copy = fuzz_copy(offers);
    unsigned window = ws_extension_choose((struct slice){copy, offers.len});
    free(copy);
    check(window == 0 || (window >= WS_WINDOW_LEAST && window <= WS_WINDOW_ANY));
    return window;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice offers = {(const char *)data, size};
    char answer[WS_EXTENSION_SIZE];
    struct buf more;
    unsigned window = choose(offers);
    if (window != 0) {
        ws_extension_answer(answer, window);
        check(choose(slice_of(answer)) == window);
    }
    buf_init(&more);
    buf_str(&more, "other; a=\"b\", permessage-deflate; unknown,");
    buf_slice(&more, offers);
    check(choose(buf_bytes(&more)) == window);
    buf_deinit(&more);
    return 0;
}
