#ifndef SLUICE_REDIS_PIPELINE_H
#define SLUICE_REDIS_PIPELINE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "gateway/redis/reply.h"

/*
 * The commands of one link, in the order in which Redis answers them, and their bytes, which
 * gather in `out` until the flush at the end of the turn. It knows no socket.
 */

/*
 * Tells how a command ended. reply: Redis's answer, never an error. NULL if there is no answer;
 * then `outcome` tells whether the command can have had an effect.
 */
typedef void (*redis_done)(void *arg, const struct reply *reply, enum outcome outcome);

struct command {
    struct command *next;
    redis_done done; /* or NULL */
    void *arg;
    uint64_t sent_at; /* ns; when the flush took it */
    int script;
    unsigned argc;
    bool whole; /* sent with the script's text */
    struct slice
        tail; /* a script's arguments, kept to send it again; the bytes follow this struct */
    char bytes[];
};

/* All zeros is empty. */
struct pipeline {
    struct buf out;     /* grows until the turn's flush */
    struct buf writing; /* bytes that the kernel is taking */
    struct command *first;
    struct command *last;
    struct command *unsent; /* the first command that no flush has taken yet */
    size_t kept;            /* bytes of memory for the commands in flight, beside the buffers */
    unsigned in_flight;
};

/* Puts a command at the end. The caller writes its bytes. Returns false without memory. */
static inline bool pipeline_push(struct pipeline *p, int script, unsigned argc,
                                 struct slice tail, redis_done done, void *arg) {
    size_t kept = script >= 0 ? tail.len : 0;
    struct command *c = malloc(sizeof *c + kept);
    if (c == NULL)
        return false;
    *c = (struct command){.done = done, .arg = arg, .script = script, .argc = argc};
    if (kept != 0)
        memcpy(c->bytes, tail.ptr, kept);
    c->tail = (struct slice){c->bytes, kept};
    if (p->last != NULL)
        p->last->next = c;
    else
        p->first = c;
    p->last = c;
    if (p->unsent == NULL)
        p->unsent = c;
    p->in_flight++;
    p->kept += sizeof *c + kept;
    return true;
}

/* Takes out the first command, which was answered. The caller frees it. There must be one. */
static inline struct command *pipeline_pop(struct pipeline *p) {
    struct command *c = p->first;
    p->first = c->next;
    if (p->first == NULL)
        p->last = NULL;
    if (p->unsent == c)
        p->unsent = c->next;
    p->in_flight--;
    p->kept -= sizeof *c + c->tail.len;
    return c;
}

/* Bytes of memory for commands that are not sent, or not answered, yet. */
static inline size_t pipeline_held(const struct pipeline *p) {
    return p->kept + p->out.cap + p->writing.cap;
}

/* Copies the bytes of a command that gets no reply. Returns false without memory, and then
 * nothing was taken. */
bool pipeline_put(struct pipeline *p, struct slice head, struct slice tail);
/* The same for a command that gets a reply. The arguments are those of link_send. */
bool pipeline_send(struct pipeline *p, int script, unsigned argc, struct slice head,
                   struct slice tail, redis_done done, void *arg);

/* Moves the gathered bytes into `writing`, which must be empty. The commands count as sent now.
 */
void pipeline_take(struct pipeline *p);
/* The bytes in `writing` were written. */
void pipeline_written(struct pipeline *p);

/* Fails all commands: those that no flush has taken as refused, the others as unknown. Calls
 * their done; the owner makes sure that nothing is sent meanwhile. */
void pipeline_fail(struct pipeline *p);
/* Frees the buffers. */
void pipeline_forget(struct pipeline *p);

/* Appends one RESP bulk string: an argument of a command. */
void resp_bulk(struct buf *b, struct slice s);

#endif
