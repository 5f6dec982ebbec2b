#include <stdlib.h>

#include "gateway/core/request.h"

/*
 * message_chunk: an event in pieces. The pieces are JSON strings; their insides, put together
 * as they were written, are the string of the event's payload. The piece with index 0 begins a
 * message. Any other piece whose id is not begun belongs to one that was dropped, or is done:
 * were it taken for a beginning, the last piece would be answered as if all were there.
 */
#define CHUNKS_AT_ONCE 8
#define PIECES_MOST    4096
#define ALLOCATION     16 /* what malloc adds to a piece, about */

struct chunked {
    struct chunked *next;
    uint64_t touched; /* when its last piece came */
    const struct event_row *row;
    struct slice head; /* the first piece's data: the event's other fields, and its text */
    size_t total;
    size_t have;
    size_t bytes; /* that it holds, this struct included */
    struct name id;
    struct slice pieces[]; /* ptr NULL: not there yet; the first lies in head */
};

struct chunks {
    struct core *core;
    struct chunked *first;
    unsigned count;
    size_t bytes;
};

static void hold(struct chunks *all, struct chunked *c, size_t bytes) {
    c->bytes += bytes;
    all->bytes += bytes;
    all->core->chunk_bytes += bytes;
}

static void chunked_free(struct chunks *all, struct chunked *c) {
    struct chunked **at = &all->first;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    all->count--;
    all->bytes -= c->bytes;
    all->core->chunk_bytes -= c->bytes;
    for (size_t i = 1; i < c->total; i++)
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
        if (now - c->touched > all->core->options->chunk_timeout)
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

static bool has_room(const struct chunks *all, size_t bytes) {
    return all->bytes + bytes <= all->core->options->max_chunked;
}

/* NULL: the request has failed. */
static struct chunked *chunked_new(struct request *r, const struct name *id, size_t total) {
    struct chunks *all = r->client->chunks;
    size_t size = sizeof(struct chunked) + total * sizeof(struct slice);
    if (all->count >= CHUNKS_AT_ONCE) {
        request_fail(r, ERR_TOO_MANY, "id", "too many unfinished messages");
        return NULL;
    }
    if (!has_room(all, size)) {
        request_fail(r, ERR_TOO_LARGE, "total", NULL);
        return NULL;
    }
    struct chunked *c = calloc(1, size);
    if (c == NULL) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return NULL;
    }
    c->total = total;
    c->id = *id;
    c->next = all->first;
    all->first = c;
    all->count++;
    hold(all, c, size);
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
                       struct json_value event, struct slice inner) {
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
        c->pieces[0] = (struct slice){c->head.ptr + (inner.ptr - data.raw.ptr), inner.len};
        return true;
    }
    return false;
}

static void take_piece(struct request *r, struct chunked *c, uint64_t index,
                       struct json_value data, struct json_value event,
                       struct json_value piece) {
    struct chunks *all = r->client->chunks;
    struct slice inner = {piece.raw.ptr + 1, piece.raw.len - 2};
    size_t cost = (index == 0 ? data.raw.len : inner.len) + 1 + ALLOCATION;
    if (c->pieces[index].ptr != NULL) {
        request_fail(r, ERR_BAD_FIELD, "index", "has come already");
        return;
    }
    if (!has_room(all, cost)) {
        chunked_free(all, c);
        request_fail(r, ERR_TOO_LARGE, "data", NULL);
        return;
    }
    if (index == 0 && !take_first(r, c, data, event, inner)) {
        chunked_free(all, c);
        return;
    }
    if (index != 0 && !copy_slice(&c->pieces[index], inner)) {
        chunked_free(all, c);
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return;
    }
    hold(all, c, cost);
    c->touched = core_now(all->core);
    if (++c->have == c->total)
        finish(r, c);
    else
        request_ok(r, SLICE("{}"));
}

/* The unfinished message that a piece belongs to; NULL: the request has failed. */
static struct chunked *open_chunked(struct request *r, const struct name *id, uint64_t index,
                                    uint64_t total) {
    struct client *client = r->client;
    if (client->chunks == NULL) {
        client->chunks = calloc(1, sizeof *client->chunks);
        if (client->chunks == NULL) {
            request_fail(r, ERR_INTERNAL, NULL, "out of memory");
            return NULL;
        }
        client->chunks->core = client->core;
    }
    chunks_expire(client->chunks, core_now(client->core));
    struct chunked *c = chunked_find(client->chunks, id);
    if (c == NULL && index == 0)
        return chunked_new(r, id, total);
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
