#ifndef SLUICE_CLIENT_ASKING_H
#define SLUICE_CLIENT_ASKING_H

#include "gateway/channel/append.h"
#include "gateway/client/request.h"

/* Requests that a script answers. */

/* Checks a script's answer. False: there is none, or its status is an error; the request has
 * failed. Such an error is that the client's token was revoked. */
bool request_check(struct request *r, const struct reply *reply, enum outcome outcome);
/* Sends a script whose answer finishes the request; done gets the request as its argument. If
 * Redis is away, or has too much to do (redis_is_full), the request fails here as unavailable,
 * with the outcome refused. */
void request_script(struct request *r, enum script script, const struct slice keys[],
                    size_t key_count, const struct slice args[], size_t arg_count,
                    redis_done done);
/* Fails the request if a function of append.h could not send. */
void request_sent(struct request *r, enum append_result result);
/* A redis_done that answers {} if the script's answer is good. arg: the request. */
void request_done(void *arg, const struct reply *reply, enum outcome outcome);
/* The same for an append; it answers {seq, timestamp}. */
void request_appended(void *arg, const struct reply *reply, enum outcome outcome);

#endif
