#ifndef SLUICE_CLIENT_KEPT_H
#define SLUICE_CLIENT_KEPT_H

#include "gateway/client/client.h"

/* The answer to a message, while that of one before it is awaited: answers are told in the
 * order of the events. The caller frees it with free(). */
struct kept;

/* As door.answer. data: copied. NULL: no memory. */
struct kept *kept_answer(struct slice data, bool several);
/* Its texts are copied, but not its message_id. NULL: no memory. */
struct kept *kept_failure(const struct failure *failure);
/* Tells the client, unless it is gone. event: the name of the event that failed. */
void kept_tell(struct kept *k, struct client *c, const struct ack *ack, const char *event);

#endif
