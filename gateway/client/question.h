#ifndef SLUICE_CLIENT_QUESTION_H
#define SLUICE_CLIENT_QUESTION_H

#include "gateway/client/client.h"
#include "gateway/hooks/hooks.h"

/* What the back end is asked before an event goes on, and what it has said. It belongs to a
 * request, which ends it. */
enum question_state { QUESTION_ASKED, QUESTION_ANSWERED, QUESTION_OVER };

struct question {
    struct hook_call call;
    struct request *request;
    void *owner; /* the asker's */
    enum question_state state;
    enum hook_result result;
    struct hook_answer answer; /* its values lie in `text` */
    struct buf text;
    struct buf data; /* a copy of the event's, with which it goes on */
};

/* data: copied. NULL: no memory. */
struct question *question_make(struct request *r, struct slice data);
/* Keeps what was answered. Without memory, the outcome is unknown. */
void question_answered(struct question *q, enum hook_result result,
                       const struct hook_answer *answer);
/* Gives the call up, if it is under way. NULL is fine. */
void question_free(struct question *q);

/* A failure in the words of the back end: those lie in the answer, and in `message`. */
#define QUESTION_MESSAGE_SIZE 1024
struct failure question_failure(const struct hook_answer *answer,
                                char message[QUESTION_MESSAGE_SIZE]);

#endif
