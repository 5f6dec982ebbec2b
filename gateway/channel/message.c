#include "gateway/channel/message.h"

#include <stdlib.h>
#include <sys/time.h>

#include "common/event.h"
#include "common/json.h"
#include "common/utf8.h"

struct cursor {
    const char *at;
    const char *end;
};

static bool take(struct cursor *c, struct slice literal) {
    struct slice rest = {c->at, (size_t)(c->end - c->at)};
    if (!slice_starts(rest, literal))
        return false;
    c->at += literal.len;
    return true;
}

/* Takes a JSON string; `out` includes the quotes. */
static bool take_string(struct cursor *c, struct slice *out) {
    const char *begin = c->at;
    if (c->at == c->end || *c->at != '"')
        return false;
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at == '\\') {
            c->at++;
        } else if (*c->at == '"') {
            c->at++;
            *out = (struct slice){begin, (size_t)(c->at - begin)};
            return true;
        }
    }
    return false;
}

/* Takes a string without escapes; `out` excludes the quotes. */
static bool take_word(struct cursor *c, struct slice *out) {
    struct slice quoted;
    if (!take_string(c, &quoted))
        return false;
    *out = (struct slice){quoted.ptr + 1, quoted.len - 2};
    return memchr(out->ptr, '\\', out->len) == NULL;
}

static bool take_number(struct cursor *c, uint64_t *out) {
    const char *begin = c->at;
    uint64_t n = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        n = n * 10 + (uint64_t)(*c->at++ - '0');
    *out = n;
    return c->at > begin && c->at - begin <= 18;
}

/* Takes an array of strings; `out` includes the brackets. */
static bool take_strings(struct cursor *c, struct slice *out) {
    const char *begin = c->at;
    struct slice one;
    if (!take(c, SLICE("[")))
        return false;
    while (!take(c, SLICE("]"))) {
        if (!take_string(c, &one))
            return false;
        take(c, SLICE(","));
    }
    *out = (struct slice){begin, (size_t)(c->at - begin)};
    return true;
}

/* Whom an own event is from, and who does not get it. */
static bool take_filters(struct cursor *c, struct message *m) {
    if (take(c, SLICE(",\"user\":")) && !take_string(c, &m->user))
        return false;
    if (take(c, SLICE(",\"socket\":")) && !take_word(c, &m->socket))
        return false;
    if (take(c, SLICE(",\"nsp\":")) && !take_word(c, &m->nsp))
        return false;
    return !take(c, SLICE(",\"except\":")) || take_strings(c, &m->except);
}

/* Is it an event of Sluice itself? An application's own one may have the same name where
 * `builtin` is `none`, and then its head is not empty. */
static bool is_ours(const struct message *m) {
    static const char *const names[] = {SENT_EVENTS};
    if (m->user.len != 0 || m->nsp.len != 0 || m->socket.len != 0 || m->except.len != 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (slice_is(m->event, names[i]))
            return true;
    }
    return false;
}

/* The attachments are at the end. They are strings of base64, so what looks like them, and ends
 * where the frame does, is them: in a string, the quotes would be escaped, and a member of the
 * data is followed by what closes that. */
static void split_bin(struct message *m) {
    static const char key[] = ",\"bin\":";
    const char *begin = m->data.ptr, *end = begin + m->data.len;
    const char *open = end[-1] == ']' ? memrchr(begin, '[', m->data.len) : NULL;
    size_t len = sizeof key - 1;
    if (open == NULL || (size_t)(open - begin) <= len || memcmp(open - len, key, len) != 0 ||
        memchr(open, ']', (size_t)(end - open)) != end - 1)
        return;
    m->bin = (struct slice){open, (size_t)(end - open)};
    m->data.len = (size_t)(open - begin) - len;
}

bool message_parse(struct message *m, struct slice frame) {
    struct cursor c = {frame.ptr, frame.ptr + frame.len};
    memset(m, 0, sizeof *m);
    m->frame = frame;
    if (!take(&c, SLICE("{\"channel\":")) || !take_string(&c, &m->channel))
        return false;
    if (take(&c, SLICE(",\"epoch\":")) && !take_word(&c, &m->epoch))
        return false;
    if (!take(&c, SLICE(",\"seq\":")) || !take_number(&c, &m->seq) ||
        !take(&c, SLICE(",\"time\":")) || !take_number(&c, &m->time) ||
        !take(&c, SLICE(",\"event\":")) || !take_word(&c, &m->event))
        return false;
    if (!take_filters(&c, m))
        return false;
    if (take(&c, SLICE(",\"origin\":")) && !take_word(&c, &m->origin))
        return false;
    m->has_args = take(&c, SLICE(",\"args\":"));
    if (!m->has_args && !take(&c, SLICE(",\"data\":")))
        return false;
    if (c.end - c.at < 2 || c.end[-1] != '}')
        return false;
    m->data = (struct slice){c.at, (size_t)(c.end - c.at) - 1};
    m->ephemeral = m->seq == 0;
    m->own = m->has_args || !is_ours(m);
    if (m->own)
        split_bin(m);
    if (m->has_args &&
        (m->data.len < 2 || m->data.ptr[0] != '[' || m->data.ptr[m->data.len - 1] != ']'))
        return false;
    return (m->epoch.len == 0) == (m->seq == 0);
}

bool message_parse_entry(struct message *m, struct slice frame) {
    struct json_value value;
    return frame.len > 0 && message_parse(m, frame) && utf8_valid(frame) &&
           json_parse(frame, &value) != JSON_E_SYNTAX;
}

bool message_bare(struct message *m, struct buf *frame, const char *event, struct slice data) {
    buf_printf(frame, "{\"event\":\"%s\",\"data\":", event);
    size_t at = frame->len;
    buf_slice(frame, data);
    buf_char(frame, '}');
    memset(m, 0, sizeof *m);
    if (frame->failed)
        return false;
    m->frame = buf_bytes(frame);
    m->event = slice_of(event);
    m->data = (struct slice){frame->data + at, data.len};
    m->ephemeral = true;
    return true;
}

static void put_place(struct buf *frame, struct slice channel) {
    struct timeval now;
    gettimeofday(&now, NULL);
    buf_str(frame, "{\"channel\":");
    json_escape(frame, channel);
    buf_printf(frame, ",\"seq\":0,\"time\":%lld%06ld,", (long long)now.tv_sec,
               (long)now.tv_usec);
}

static void put_head(struct buf *frame, struct slice channel, const char *event) {
    put_place(frame, channel);
    buf_printf(frame, "\"event\":\"%s\",\"data\":", event);
}

bool message_ephemeral(struct message *m, struct buf *frame, struct slice channel,
                       const char *event, struct slice data) {
    put_head(frame, channel, event);
    buf_slice(frame, data);
    buf_char(frame, '}');
    return !frame->failed && message_parse(m, buf_bytes(frame));
}

bool message_own(struct message *m, struct buf *frame, struct slice channel,
                 struct slice tail) {
    put_place(frame, channel);
    buf_slice(frame, tail);
    return !frame->failed && message_parse(m, buf_bytes(frame));
}

bool message_text(struct message *m, struct buf *frame, struct slice channel,
                  struct slice text) {
    put_head(frame, channel, "message");
    json_escape(frame, text);
    buf_char(frame, '}');
    return !frame->failed && message_parse(m, buf_bytes(frame));
}

void message_done(struct message *m, struct slabs *slabs) {
    for (int i = 0; i < CODEC_COUNT; i++)
        frame_done(&m->encoded[i], slabs);
    while (m->attached_count > 0)
        frame_done(&m->attached[--m->attached_count], slabs);
    free(m->attached);
    m->attached = NULL;
}
