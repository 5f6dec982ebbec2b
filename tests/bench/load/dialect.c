/* What each kind of server is told, and how its frames are told apart. */
#include "load.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long user(unsigned number) {
    return (unsigned long)option[FIRST] + number;
}

static bool starts(const char *text, size_t len, const char *with) {
    size_t n = strlen(with);
    return len >= n && memcmp(text, with, n) == 0;
}

static _Noreturn void refused(const struct conn *c, const char *text, size_t len) {
    fail("connection %u: refused: %.*s", c->number, (int)len, text);
}

/* What a connection hears on: a topic, or its inbox. */
static const char *own_channel(const struct conn *c) {
    static char name[32];
    bool one = c->role == FRIEND;
    snprintf(name, sizeof name, one ? "u%lu" : "bench%lu", one ? user(c->number) : topic_of(c));
    return name;
}

static bool listens(const struct conn *c) {
    return c->role == SUBSCRIBER || c->role == FRIEND;
}

/* An ack has come, of what a connection began with or of a message. */
static void on_ack(struct conn *c, const char *text, size_t len) {
    if (c->unacked == 0)
        fail("connection %u: an ack too many: %.*s", c->number, (int)len, text);
    c->unacked--;
    if (c->ready)
        message_acked(c);
    else if (c->unacked == 0)
        conn_ready(c);
}

/* ---- sluice: its /ws */

static void sluice_path(const struct conn *c, char *at, size_t size) {
    (void)c;
    snprintf(at, size, "/ws");
}

static void sluice_begin(struct conn *c) {
    if (c->role == IDLER) {
        conn_ready(c);
        return;
    }
    conn_text(c, "{\"event\":\"login\",\"data\":{\"userId\":\"u%lu\"},\"ack\":1}",
              user(c->number));
    c->unacked++;
    if (c->role == SUBSCRIBER) {
        conn_text(c, "{\"event\":\"subscribe\",\"data\":{\"channel\":\"topic:%s\"},\"ack\":1}",
                  own_channel(c));
        c->unacked++;
    }
    conn_flush(c);
}

static void sluice_publish(struct conn *c, unsigned topic, const char *payload) {
    conn_text(c,
              "{\"event\":\"publish\",\"data\":{\"channel\":\"topic:bench%u\",\"data\":\"%s\"},"
              "\"ack\":1}",
              topic, payload);
}

static void sluice_tell(struct conn *c, unsigned to, const char *payload) {
    conn_text(c,
              "{\"event\":\"private_message\",\"data\":{\"receiverId\":\"u%lu\","
              "\"content\":\"%s\"},\"ack\":1}",
              user(to), payload);
}

void join_room(struct conn *c) {
    conn_text(c,
              "{\"event\":\"join\",\"data\":{\"id\":\"u%u\",\"room\":\"bench%ld\"},\"ack\":1}",
              c->number, c->number / option[ROOM]);
    c->unacked++;
    conn_flush(c);
}

/* Of a crowd that is refused what it begins with: it is sent again when all of it is answered.
 */
static bool comes_later(struct conn *c, const char *text, size_t len) {
    bool error = memmem(text, len < 24 ? len : 24, "\"error\"", 7) != NULL;
    bool passes = is_crowd && (c->refused || memmem(text, len, "\"unavailable\"", 13) != NULL);
    if (error && !passes) /* an event after a login that was refused is refused, too */
        refused(c, text, len);
    c->refused = c->refused || error;
    if (!c->refused)
        return false;
    if (--c->unacked == 0)
        try_later(c);
    return true;
}

/* A topic's messages come without a hole. The numbers of an inbox count sent messages, too. */
static void check_seq(struct conn *c, const char *text, size_t len) {
    static size_t offset; /* of the last frame: usually it is the same */
    if (offset + 6 > len || memcmp(text + offset, "\"seq\":", 6) != 0) {
        const char *at = memmem(text, len, "\"seq\":", 6);
        if (at == NULL)
            fail("a frame without seq: %.*s", (int)len, text);
        offset = (size_t)(at - text);
    }
    uint64_t seq = strtoull(text + offset + 6, NULL, 10);
    if (c->seq != 0 && seq != c->seq + 1)
        fail("connection %u: seq %" PRIu64 " after %" PRIu64, c->number, seq, c->seq);
    c->seq = seq;
}

static void sluice_frame(struct conn *c, const char *text, size_t len, uint64_t when) {
    size_t head = len < 40 ? len : 40;
    if (starts(text, len, "{\"ack\":")) {
        if (!comes_later(c, text, len))
            on_ack(c, text, len);
    } else if (listens(c) && starts(text, len, "{\"channel\"")) {
        if (c->role == SUBSCRIBER)
            check_seq(c, text, len);
        if (!message_came(c, text, len, when))
            counts.delivered++; /* what others publish to a crowd has no mark */
    } else if (memmem(text, head, "\"error\"", 7) != NULL ||
               memmem(text, head, "\"channel_reset\"", 15) != NULL) {
        refused(c, text, len);
    } else {
        counts.others++;
    }
}

/* ---- socketio: the Socket.IO door of Sluice, and rivals/socketio.mjs */

static void socketio_path(const struct conn *c, char *at, size_t size) {
    (void)c;
    snprintf(at, size, "/socket.io/?EIO=4&transport=websocket");
}

static void socketio_begin(struct conn *c) {
    (void)c; /* the server speaks first */
}

static void socketio_connected(struct conn *c) {
    if (c->role == IDLER) {
        conn_ready(c);
        return;
    }
    conn_text(c, "421[\"login\",{\"userId\":\"u%lu\"}]", user(c->number));
    c->unacked++;
    if (c->role == SUBSCRIBER) {
        conn_text(c, "421[\"subscribe\",{\"channel\":\"topic:%s\"}]", own_channel(c));
        c->unacked++;
    }
    conn_flush(c);
}

static void socketio_publish(struct conn *c, unsigned topic, const char *payload) {
    conn_text(c, "421[\"publish\",{\"channel\":\"topic:bench%u\",\"data\":\"%s\"}]", topic,
              payload);
}

static void socketio_tell(struct conn *c, unsigned to, const char *payload) {
    conn_text(c, "421[\"private_message\",{\"receiverId\":\"u%lu\",\"content\":\"%s\"}]",
              user(to), payload);
}

static void socketio_frame(struct conn *c, const char *text, size_t len, uint64_t when) {
    if (starts(text, len, "42")) {
        if (!message_came(c, text, len, when))
            counts.others++;
    } else if (starts(text, len, "43")) {
        if (memmem(text, len, "\"error\"", 7) != NULL)
            refused(c, text, len);
        on_ack(c, text, len);
    } else if (starts(text, len, "40")) {
        socketio_connected(c);
    } else if (starts(text, len, "44") || starts(text, len, "1")) {
        refused(c, text, len);
    } else if (starts(text, len, "0") || starts(text, len, "2")) {
        conn_text(c, text[0] == '0' ? "40" : "3");
        conn_flush(c);
    }
}

/* ---- plain: limit.c and the servers of rivals/ that say no more than they must */

static void plain_begin(struct conn *c) {
    if (!listens(c)) {
        conn_ready(c);
        return;
    }
    conn_text(c, "S%s", own_channel(c));
    c->unacked++;
    conn_flush(c);
}

/* The payload has its quotes, so that it is as long for all. */
static void plain_publish(struct conn *c, unsigned topic, const char *payload) {
    conn_text(c, "Pbench%u \"%s\"", topic, payload);
}

static void plain_tell(struct conn *c, unsigned to, const char *payload) {
    conn_text(c, "Pu%lu \"%s\"", user(to), payload);
}

static void plain_frame(struct conn *c, const char *text, size_t len, uint64_t when) {
    if (len == 1 && text[0] == 'A')
        on_ack(c, text, len);
    else if (!message_came(c, text, len, when))
        refused(c, text, len);
}

/* ---- nchan: a location each to subscribe, to publish, and for both */

static void nchan_path(const struct conn *c, char *at, size_t size) {
    if (c->role == IDLER)
        snprintf(at, size, "/sub/idle%u", c->number);
    else if (c->role == FRIEND)
        snprintf(at, size, "/both/u%lu/u%lu", user(c->number), user(c->number ^ 1));
    else
        snprintf(at, size, "/%s/%s", c->role == PUBLISHER ? "pub" : "sub", own_channel(c));
}

static void nchan_publish(struct conn *c, unsigned topic, const char *payload) {
    (void)topic; /* the path has it */
    conn_text(c, "\"%s\"", payload);
}

static void nchan_frame(struct conn *c, const char *text, size_t len, uint64_t when) {
    if (!message_came(c, text, len, when))
        counts.others++; /* what it tells a publisher */
}

/* ---- centrifugo: its JSON protocol, in which a frame may have several lines */

static void centrifugo_path(const struct conn *c, char *at, size_t size) {
    (void)c;
    snprintf(at, size, "/connection/websocket");
}

static void centrifugo_begin(struct conn *c) {
    conn_text(c, "{\"id\":1,\"connect\":{}}");
    c->unacked++;
    if (listens(c)) {
        conn_text(c, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\"}}", own_channel(c));
        c->unacked++;
    }
    conn_flush(c);
}

static void centrifugo_publish(struct conn *c, unsigned topic, const char *payload) {
    conn_text(c, "{\"id\":3,\"publish\":{\"channel\":\"bench%u\",\"data\":\"%s\"}}", topic,
              payload);
}

static void centrifugo_tell(struct conn *c, unsigned to, const char *payload) {
    conn_text(c, "{\"id\":3,\"publish\":{\"channel\":\"u%lu\",\"data\":\"%s\"}}", user(to),
              payload);
}

static void centrifugo_line(struct conn *c, const char *text, size_t len, uint64_t when) {
    if (starts(text, len, "{\"push\":")) {
        if (!message_came(c, text, len, when))
            counts.others++;
    } else if (len == 2) {
        conn_text(c, "{}");
        conn_flush(c);
    } else if (memmem(text, len, "\"error\"", 7) != NULL) {
        refused(c, text, len);
    } else {
        on_ack(c, text, len);
    }
}

static void centrifugo_frame(struct conn *c, const char *text, size_t len, uint64_t when) {
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end == NULL ? len : (size_t)(end - text);
        centrifugo_line(c, text, line, when);
        line += end != NULL;
        text += line;
        len -= line;
    }
}

static const struct dialect dialects[] = {
    {"sluice", true, sluice_path, sluice_begin, sluice_publish, sluice_tell, sluice_frame},
    {"socketio", true, socketio_path, socketio_begin, socketio_publish, socketio_tell,
     socketio_frame},
    {"plain", true, sluice_path, plain_begin, plain_publish, plain_tell, plain_frame},
    {"nchan", false, nchan_path, conn_ready, nchan_publish, nchan_publish, nchan_frame},
    {"centrifugo", true, centrifugo_path, centrifugo_begin, centrifugo_publish, centrifugo_tell,
     centrifugo_frame}};
const struct dialect *dialect = dialects;

void dialect_choose(const char *name) {
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        if (strcmp(name, dialects[i].name) == 0) {
            dialect = &dialects[i];
            return;
        }
    }
    fail("%s: no such dialect", name);
}
