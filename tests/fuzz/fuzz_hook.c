/*
 * libFuzzer on what a back end answers: a line `TYPE STATUS`, then the body. What is taken lies
 * within the body. A good answer is an object; an error has a code that a client may see; and
 * anything else has neither.
 */
#include "gateway/hooks/answer.h"
#include "tests/fuzz/fuzz.h"

static bool is_good_code(const char *code) {
    size_t len = strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return len > 0 && len <= 64 && code[len] == '\0' && strcmp(code, "unavailable") != 0 &&
           strcmp(code, "rate_limited") != 0 && strcmp(code, "internal") != 0;
}

static void look(const struct hook_answer *a, enum hook_end end, struct slice body) {
    static const struct slice empty = {"{}", 2};
    check((end == HOOK_END_GOOD) == (a->body.type == JSON_OBJECT));
    check(slice_eq(a->body.raw, empty) || fuzz_within(a->body.raw, body));
    check((end == HOOK_END_ERROR) == is_good_code(a->code));
    check(end == HOOK_END_ERROR || (a->message.type == JSON_NONE && a->data.type == JSON_NONE));
    check(a->message.type == JSON_NONE || a->message.type == JSON_STRING);
    check(fuzz_within(a->message.raw, body) && fuzz_within(a->data.raw, body));
    check((a->why == NULL) == (end == HOOK_END_GOOD || end == HOOK_END_ERROR));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = {(const char *)data, size}, line = fuzz_line(&rest);
    uint64_t type = 0, status = 0;
    struct hook_answer answer;
    slice_number(slice_cut(&line, ' '), HOOK_COUNT - 1, &type);
    slice_number(line, 999, &status);
    char *copy = fuzz_copy(rest);
    rest.ptr = copy;
    enum hook_end end =
        hook_answer_read(&answer, (enum hook_type)(type % HOOK_COUNT), (long)status, rest);
    look(&answer, end, rest);
    free(copy);
    return 0;
}
