#include <stdlib.h>

#include "gateway/core/request.h"

/*
 * message_chunk: an event in pieces. The pieces are JSON strings; their insides, put together
 * as they were written, are the string of the event's payload.
 */
#define CHUNKS_AT_ONCE 8
#define PIECES_MOST    4096
#define UNFINISHED_MS  60000

struct chunked {
    struct chunked *next;
    uint64_t begun;
    const struct event_row *row;
    struct slice head; /* the first piece's data: the event's other fields */
    size_t total;
    size_t have;
    size_t bytes;
    struct name id;
    struct slice pieces[]; /* ptr NULL: not there yet */
};

struct chunks {
    struct chunked *first;
    unsigned count;
    size_t bytes;
};

static void chunked_free(struct chunks *all, struct chunked *c) {
    struct chunked **at = &all->first;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    all->count--;
    all->bytes -= c->bytes;
    for (size_t i = 0; i < c->total; i++)
        free((char *)c->pieces[i].ptr);
    free((char *)c->head.ptr);
    free(c);
}

void chunks_free(struct chunks *chunks) {
    if (chunks == NULL)
        return;
    while (chunks->first != NULL)
        chunked_free(chunks, chunks->first);
    free(chunks);
}

void chunks_expire(struct chunks *all, uint64_t now) {
    if (all == NULL)
        return;
    for (struct chunked *c = all->first, *next; c != NULL; c = next) {
        next = c->next;
        if (now - c->begun > UNFINISHED_MS)
            chunked_free(all, c);
    }
}

/* The field that the pieces make up; NULL: the event has none, or there is no such event. */
static const char *payload_field(const struct event_row *row) {
    if (row == NULL)
        return NULL;
    if (row->handle == on_private_message)
        return "content";
    if (row->handle == on_send_message)
        return "message";
    return row->handle == on_publish ? "data" : NULL;
}

static bool copy_slice(struct slice *out, struct slice from) {
    char *bytes = malloc(from.len + 1);
    if (bytes == NULL)
        return false;
    memcpy(bytes, from.ptr, from.len);
    *out = (struct slice){bytes, from.len};
    return true;
}

static struct chunked *chunked_find(struct chunks *all, const struct name *id) {
    for (struct chunked *c = all->first; c != NULL; c = c->next) {
        if (slice_eq(name_slice(&c->id), name_slice(id)))
            return c;
    }
    return NULL;
}

static struct chunked *chunked_new(struct client *client, const struct name *id, size_t total) {
    struct chunks *all = client->chunks;
    struct chunked *c = calloc(1, sizeof *c + total * sizeof c->pieces[0]);
    if (c == NULL)
        return NULL;
    c->begun = core_now(client->core);
    c->total = total;
    c->id = *id;
    c->next = all->first;
    all->first = c;
    all->count++;
    return c;
}

/* The first piece's members and the payload: the last of two equal keys counts, so that goes
 * last. */
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
    buf_printf(out, "\"%s\":\"", payload_field(c->row));
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

static bool take_first(struct request *r, struct chunked *c, struct json_value data,
                       struct json_value event) {
    char name[64];
    ptrdiff_t len = json_decode(event, name, sizeof name);
    const struct event_row *row =
        len > 0 ? event_find((struct slice){name, (size_t)len}) : NULL;
    if (event.type == JSON_NONE)
        request_fail(r, ERR_MISSING_FIELD, "event", NULL);
    else if (payload_field(row) == NULL)
        request_fail(r, ERR_BAD_FIELD, "event",
                     "must be private_message, sendMessage or publish");
    else if (!copy_slice(&c->head, data.raw))
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    else {
        c->row = row;
        return true;
    }
    return false;
}

static void take_piece(struct request *r, struct chunked *c, uint64_t index,
                       struct json_value data, struct json_value event,
                       struct json_value piece) {
    struct chunks *all = r->client->chunks;
    struct slice inner = {piece.raw.ptr + 1, piece.raw.len - 2};
    size_t limit = r->client->core->options->max_chunked;
    size_t cost = inner.len + (index == 0 ? data.raw.len - inner.len : 0);
    if (c->pieces[index].ptr != NULL) {
        request_fail(r, ERR_BAD_FIELD, "index", "has come already");
        return;
    }
    if (all->bytes + cost > limit) {
        chunked_free(all, c);
        request_fail(r, ERR_TOO_LARGE, "data", NULL);
        return;
    }
    if (index == 0 && !take_first(r, c, data, event)) {
        chunked_free(all, c);
        return;
    }
    if (!copy_slice(&c->pieces[index], inner)) {
        chunked_free(all, c);
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return;
    }
    c->bytes += cost;
    all->bytes += cost;
    if (++c->have == c->total)
        finish(r, c);
    else
        request_ok(r, SLICE("{}"));
}

static struct chunked *open_chunked(struct request *r, const struct name *id, uint64_t total) {
    struct client *client = r->client;
    if (client->chunks == NULL)
        client->chunks = calloc(1, sizeof *client->chunks);
    if (client->chunks == NULL) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return NULL;
    }
    chunks_expire(client->chunks, core_now(client->core));
    struct chunked *c = chunked_find(client->chunks, id);
    if (c != NULL && c->total != total) {
        request_fail(r, ERR_BAD_FIELD, "total", "differs from the other pieces'");
        return NULL;
    }
    if (c == NULL && client->chunks->count >= CHUNKS_AT_ONCE) {
        request_fail(r, ERR_TOO_MANY, "id", "too many unfinished messages");
        return NULL;
    }
    if (c == NULL)
        c = chunked_new(client, id, total);
    if (c == NULL)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    return c;
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
    struct chunked *c = open_chunked(r, &id, total);
    if (c != NULL)
        take_piece(r, c, index, data, f[4], f[3]);
}
