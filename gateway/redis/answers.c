#include "gateway/redis/answers.h"

static bool is_text(const struct answers *answers) {
    return answers->reply != NULL && answers->reply->type != REPLY_ARRAY;
}

void answers_read(struct answers *to, const struct reply *reply, unsigned count) {
    to->reply = reply;
    if (!is_text(to))
        return;
    struct slice text = reply_text(reply);
    for (unsigned i = 0; i < count; i++)
        to->lines[i] = slice_cut(&text, '\n');
}

static struct reply next_word(struct slice *line) {
    return (struct reply){.type = REPLY_STRING, .text = slice_cut(line, ' ')};
}

long long answers_status(const struct answers *answers, unsigned i) {
    if (answers->reply == NULL)
        return 0;
    if (!is_text(answers))
        return reply_number(reply_item(answers->reply, 0));
    struct slice line = answers->lines[i];
    struct reply status = next_word(&line);
    return reply_number(&status);
}

struct slice answers_error(const struct answers *answers, unsigned i) {
    if (!is_text(answers))
        return reply_text(reply_item(answers->reply, 1));
    struct slice line = answers->lines[i];
    next_word(&line);
    return line;
}

const struct reply *answers_get(const struct answers *answers, unsigned i, struct answer *to) {
    if (!is_text(answers))
        return answers->reply;
    struct slice line = answers->lines[i];
    to->array = (struct reply){.type = REPLY_ARRAY, .items = to->items};
    for (; line.len > 0 && to->array.count < ANSWER_WORDS; to->array.count++) {
        to->words[to->array.count] = next_word(&line);
        to->items[to->array.count] = &to->words[to->array.count];
    }
    return &to->array;
}
