#ifndef SLUICE_HOOKS_ANSWER_H
#define SLUICE_HOOKS_ANSWER_H

#include "common/json.h"
#include "common/metrics.h"

/*
 * Reads what a back end has answered to a POST. What it may answer:
 *   200 with a JSON object; 204, or another 2xx without a body, which is {}
 *   any 2xx of a webhook's, whatever its body
 *   4xx with {"error":{"code","message","data"?}}: a refusal, with its reason
 *   401 and 403 of connect-hook without that: a refusal, too
 * Anything else is a failure, of which the client is only told that it is one.
 */
#define HOOK_CODE_SIZE 65

struct hook_answer {
    long status;               /* of HTTP; 0: none came */
    struct json_value body;    /* an object; JSON_NONE if it is not HOOK_END_GOOD */
    char code[HOOK_CODE_SIZE]; /* of an error, by the rules of codes; else "" */
    struct json_value message; /* of an error: a string, or JSON_NONE */
    struct json_value data;    /* of an error: any value, or JSON_NONE */
    struct slice text; /* all of it, in which the values lie; but for an empty one, {} */
    const char *why;   /* for the log: what is wrong with it, or NULL */
};

/*
 * Fills *out, whose values lie in `text`. Returns HOOK_END_GOOD, HOOK_END_ERROR,
 * HOOK_END_STATUS (another status) or HOOK_END_BODY (its body is not as it must be).
 */
enum hook_end hook_answer_read(struct hook_answer *out, enum hook_type type, long status,
                               struct slice text);

/* Takes the code, the message and the data of an `error`, which may be anything. */
void hook_error_read(struct hook_answer *out, struct json_value error);

#endif
