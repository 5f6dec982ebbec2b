#include "gateway/client/field.h"

/*
 * message_chunk: an event in pieces. The pieces are JSON strings. Their insides, joined as they
 * were written, are the string of the event's payload. The piece with index 0 begins a message.
 * Any other piece with an unknown id belongs to a message that was dropped or is complete. It
 * must not begin a message: the last piece would then be answered as if all had come.
 */
#define PIECES_MOST 4096

/* Writes the first piece's members and then the payload. The payload comes last, since the last
 * of two equal keys counts. */
static void put_together(struct buf *out, const struct chunked *c) {
    struct json_value head;
    struct json_iter it;
    buf_char(out, '{');
    json_parse(c->head, &head);
    json_iter_init(&it, head);
    while (json_iter_next(&it)) {
        if (slice_is(it.key, "\"data\"") || slice_is(it.key, "\"id\""))
            continue;
        buf_slice(out, it.key);
        buf_char(out, ':');
        buf_slice(out, it.value.raw);
        buf_char(out, ',');
    }
    buf_printf(out, "\"%s\":\"", c->row->payload);
    for (size_t i = 0; i < c->total; i++)
        buf_slice(out, c->pieces[i]);
    buf_str(out, "\"}");
}

static void finish(struct request *r, struct chunked *c) {
    struct buf text;
    struct json_value data;
    const struct event_row *row = c->row;
    buf_init(&text);
    put_together(&text, c);
    chunked_free(r->client->chunks, c);
    if (text.failed)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    else if (json_parse(buf_bytes(&text), &data) != JSON_OK)
        request_fail(r, ERR_BAD_JSON, "data", "the pieces do not make up a string");
    else
        request_restart(r, row, data);
    buf_deinit(&text);
}

static void fail_chunked(struct request *r, struct chunked *c, enum err err, const char *field,
                         const char *message) {
    chunked_free(r->client->chunks, c);
    request_fail(r, err, field, err == ERR_INTERNAL ? "out of memory" : message);
}

/* Takes the first piece, after the head was copied. inner: where the piece is in the data of
 * which the head is a copy. */
static bool take_first(struct request *r, struct chunked *c, struct json_value event,
                       size_t inner_at, size_t inner_len) {
    char name[64];
    ptrdiff_t len = json_decode(event, name, sizeof name);
    struct slice text = {name, len > 0 ? (size_t)len : 0};
    const struct event_row *row = client_row(r->client, text);
    if (event.type == JSON_NONE) {
        fail_chunked(r, c, ERR_MISSING_FIELD, "event", NULL);
        return false;
    }
    if (row == NULL || row->payload == NULL) {
        fail_chunked(r, c, ERR_BAD_FIELD, "event",
                     "must be private_message, sendMessage or publish");
        return false;
    }
    c->row = row;
    c->pieces[0] = (struct slice){c->head.ptr + inner_at, inner_len};
    return true;
}

static void take_piece(struct request *r, struct chunked *c, uint64_t index,
                       struct json_value data, struct json_value event,
                       struct json_value piece) {
    struct slice inner = {piece.raw.ptr + 1, piece.raw.len - 2};
    if (c->pieces[index].ptr != NULL) {
        request_fail(r, ERR_BAD_FIELD, "index", "has come already");
        return;
    }
    enum err err = chunked_take(r->client->chunks, c, index, index == 0 ? data.raw : inner,
                                client_now(r->client));
    if (err != ERR_OK) {
        fail_chunked(r, c, err, err == ERR_TOO_LARGE ? "data" : NULL, NULL);
        return;
    }
    if (index == 0 && !take_first(r, c, event, (size_t)(inner.ptr - data.raw.ptr), inner.len))
        return;
    if (c->have == c->total)
        finish(r, c);
    else
        request_ok(r, SLICE("{}"));
}

static struct chunked *begin(struct request *r, const struct name *id, size_t total) {
    struct chunked *c = NULL;
    switch (chunked_begin(r->client->chunks, id, total, &c)) {
    case ERR_OK:
        break;
    case ERR_TOO_MANY:
        request_fail(r, ERR_TOO_MANY, "id", "too many unfinished messages");
        break;
    case ERR_TOO_LARGE:
        request_fail(r, ERR_TOO_LARGE, "total", NULL);
        break;
    default:
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    }
    return c;
}

/* The incomplete message to which a piece belongs; NULL: the request has failed. */
static struct chunked *open_chunked(struct request *r, const struct name *id, uint64_t index,
                                    uint64_t total) {
    struct client *client = r->client;
    if (client->chunks == NULL &&
        (client->chunks = chunks_make(&clients_of(client)->chunks)) == NULL) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return NULL;
    }
    chunks_expire(client->chunks, client_now(client));
    struct chunked *c = chunked_find(client->chunks, id);
    if (c == NULL && index == 0)
        return begin(r, id, total);
    if (c == NULL)
        request_fail(r, ERR_BAD_FIELD, "id", "no such unfinished message: begin with index 0");
    else if (c->total != total)
        request_fail(r, ERR_BAD_FIELD, "total", "differs from the other pieces'");
    else
        return c;
    return NULL;
}

void on_message_chunk(struct request *r, struct json_value data) {
    static const char *const names[] = {"id", "index", "total", "data", "event"};
    struct json_value f[5];
    struct name id = {0};
    uint64_t index = 0, total = 0;
    json_fields(data, names, f, 5);
    bool number = f[0].type == JSON_NUMBER;
    if (!(number ? field_user : field_name)(r, f[0], "id", false, &id) ||
        !field_number(r, f[2], "total", false, 1, PIECES_MOST, &total) ||
        !field_number(r, f[1], "index", false, 0, total - 1, &index))
        return;
    if (f[3].type != JSON_STRING) {
        bool none = f[3].type == JSON_NONE;
        request_fail(r, none ? ERR_MISSING_FIELD : ERR_BAD_FIELD, "data",
                     none ? NULL : "must be a string");
        return;
    }
    struct chunked *c = open_chunked(r, &id, index, total);
    if (c != NULL)
        take_piece(r, c, index, data, f[4], f[3]);
}
