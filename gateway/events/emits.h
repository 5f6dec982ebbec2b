#ifndef SLUICE_EVENTS_EMITS_H
#define SLUICE_EVENTS_EMITS_H

#include "gateway/client/client.h"

/*
 * What a back end emits: a list of
 *     {"to":…, "except"?, "namespace"?, "event", "args"|"data", "bin"?, "ephemeral"?}
 * in its answer to a hook (PROTOCOL.md, "Events of your own").
 */
struct emits_from {
    struct clients *clients;
    struct slice socket; /* the id that `me` means; or empty: nobody */
    struct slice nsp;    /* of `me` */
    struct slice id;     /* of the call: what a log keeps, it keeps once under it */
};

/* What is wrong with the list, or NULL (valid until four more texts are made by log_text). */
const char *emits_check(const struct emits_from *from, struct json_value emits);

/*
 * Sends a list that was checked. Calls done once: later, or before it returns, if nothing has
 * to be waited for. err: of the first one that failed; ERR_OK. outcome: of ERR_UNAVAILABLE.
 */
typedef void (*emits_done)(void *arg, enum err err, enum outcome outcome);
void emits_send(const struct emits_from *from, struct json_value emits, emits_done done,
                void *arg);

#endif
