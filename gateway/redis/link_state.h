#ifndef SLUICE_REDIS_LINK_STATE_H
#define SLUICE_REDIS_LINK_STATE_H

/* The states of a link (link.h), and which of them may follow which. */
enum link_state {
    LINK_CLOSED,
    LINK_RESOLVING,
    LINK_CONNECTING,
    LINK_SECURING, /* the handshake of TLS */
    LINK_GREETING,
    LINK_READY,
    LINK_FALLING, /* waits for uv_close */
    LINK_WAITING  /* backing off */
};

/* Sets the state, which must be one that may follow. link: its name, for the log. */
void link_state_set(enum link_state *state, enum link_state to, const char *link);

#endif
