#include "gateway/client/question.h"

#include <stdlib.h>

struct question *question_make(struct request *r, struct slice data) {
    struct question *q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->request = r;
    buf_slice(&q->data, data);
    if (!q->data.failed)
        return q;
    question_free(q);
    return NULL;
}

static struct json_value moved(struct json_value value, struct slice from, const char *to) {
    bool inside =
        value.raw.len > 0 && value.raw.ptr >= from.ptr && value.raw.ptr < from.ptr + from.len;
    if (inside)
        value.raw.ptr = to + (value.raw.ptr - from.ptr);
    return value;
}

void question_answered(struct question *q, enum hook_result result,
                       const struct hook_answer *answer) {
    q->state = QUESTION_ANSWERED;
    q->result = result;
    q->answer = *answer;
    buf_slice(&q->text, answer->text);
    if (q->text.failed) {
        q->result = HOOK_UNKNOWN;
        return;
    }
    q->answer.body = moved(answer->body, answer->text, q->text.data);
    q->answer.message = moved(answer->message, answer->text, q->text.data);
    q->answer.data = moved(answer->data, answer->text, q->text.data);
}

void question_free(struct question *q) {
    if (q == NULL)
        return;
    hook_cancel(&q->call);
    buf_deinit(&q->text);
    buf_deinit(&q->data);
    free(q);
}

struct failure question_failure(const struct hook_answer *answer,
                                char message[QUESTION_MESSAGE_SIZE]) {
    ptrdiff_t len = json_decode(answer->message, message, QUESTION_MESSAGE_SIZE - 1);
    message[len > 0 ? len : 0] = '\0';
    return (struct failure){.err = ERR_REJECTED,
                            .code = answer->code,
                            .message = len > 0 ? message : NULL,
                            .data = answer->data.raw};
}
