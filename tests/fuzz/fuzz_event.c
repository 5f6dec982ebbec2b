/*
 * libFuzzer on the fields of events, and on events in pieces: any JSON. An array is a list of
 * message_chunk events, any other value the data of one event. Each event must be answered
 * once, what is read must keep its promise, and the pieces must make up JSON.
 *
 * The requests are this file's own, so the target needs no client that is connected.
 */
#include "common/event.h"
#include "common/utf8.h"
#include "gateway/client/authorize.h"
#include "gateway/client/field.h"
#include "tests/fuzz/fuzz.h"

static uv_loop_t loop;
static struct leases leases = {.timer = {.loop = &loop}};
static struct options options = {
    .max_chunked = 8192, .chunk_timeout = 60000, .max_message = 65536};
static struct clients clients = {
    .leases = &leases, .options = &options, .chunks = {&options, 0}};
static struct client client;
static unsigned answers;

/* --- requests -------------------------------------------------------------------------------
 */

void request_fail(struct request *r, enum err err, const char *field, const char *message) {
    (void)r;
    check(err != ERR_OK && (field != NULL || message != NULL));
    answers++;
}

void request_ok(struct request *r, struct slice data) {
    struct json_value value;
    (void)r;
    check(json_parse(data, &value) == JSON_OK);
    answers++;
}

void request_keep_id(struct request *r, struct slice id) {
    (void)r;
    check(id.len > 0);
}

void request_restart(struct request *r, const struct event_row *row, struct json_value data) {
    struct json_value payload;
    (void)r;
    check(data.type == JSON_OBJECT && row->payload != NULL);
    json_fields(data, &row->payload, &payload, 1);
    check(payload.type == JSON_STRING && utf8_valid(data.raw));
    answers++;
}

static const struct event_row rows[] = {
    {.name = "publish", .payload = "data"},
    {.name = "sendMessage", .payload = "message"},
    {.name = "typing"},
};

const struct event_row *client_row(const struct client *c, struct slice name) {
    (void)c;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (slice_is(name, rows[i].name))
            return &rows[i];
    }
    return NULL;
}

bool authorize(const struct client *c, enum right right, struct slice name) {
    (void)c;
    check(right != RIGHT_NONE && name.len > 0);
    return (name.ptr[0] & 1) != 0;
}

/* --- one event ------------------------------------------------------------------------------
 */

/* A reader says that it has failed the request if and only if it has. */
static bool told(bool good) {
    check(answers == (good ? 0 : 1));
    answers = 0;
    return good;
}

static void check_channel(struct buf *channel, bool good) {
    if (good)
        check(channel->len > 0 && utf8_valid(buf_bytes(channel)));
    buf_clear(channel);
}

static void one(struct request *r, struct json_value data) {
    static const char *const names[] = {"userId", "room", "peer", "clientMessageId",
                                        "limit",  "bin",  "since"};
    struct json_value f[7];
    struct name name = {0}, other = {0};
    struct position position;
    uint64_t number = 5;
    bool on;
    struct buf out;
    buf_init(&out);
    told(field_object(r, data, "data"));
    json_fields(data, names, f, 7);
    if (told(field_user(r, f[0], "userId", false, &name)))
        check(name_valid_user(name_slice(&name)));
    name.len = 0;
    if (told(field_name(r, f[1], "room", true, &name)) && name.len > 0)
        check(name_valid(name_slice(&name)));
    name.len = 0;
    if (told(field_text(r, f[0], "username", &name)))
        check(utf8_valid(name_slice(&name)));
    if (told(field_number(r, f[4], "limit", true, 1, 1000, &number)))
        check(number >= 1 && number <= 1000);
    told(field_switch(r, f[4], "on", &on));
    told(field_bin(r, f[5]));
    if (told(field_position(r, f[6], "since", &position)))
        check(memchr(position.epoch, '\0', sizeof position.epoch) != NULL &&
              position.seq <= 1ULL << 53);
    check_channel(&out, told(field_room(r, f[1], &out)));
    check_channel(&out, told(field_conversation(r, f[2], f[1], &out, &other)));
    if (told(field_message_id(r, f[3], &out)) && out.len > 0)
        check(slice_starts(buf_bytes(&out), SLICE("ann:")));
    buf_deinit(&out);
}

/* --- events in pieces -----------------------------------------------------------------------
 */

static void pieces(struct request *r, struct json_value list) {
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it)) {
        on_message_chunk(r, it.value);
        check(answers == 1);
        answers = 0;
        check(client.chunks == NULL || client.chunks->bytes <= options.max_chunked);
    }
    chunks_free(client.chunks);
    client.chunks = NULL;
    check(clients.chunks.bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct event_row any = {
        .name = "any", .rights = NEEDS(ROOMS) | NEEDS(PRIVATE), .payload = "message"};
    struct slice text = {(const char *)data, size};
    struct json_value value;
    struct request r = {.client = &client, .row = &any};
    if (!utf8_valid(text) || json_parse(text, &value) != JSON_OK)
        return 0;
    client.as.all = &clients.registry.all;
    client.as.user = SLICE("ann");
    if (value.type == JSON_ARRAY)
        pieces(&r, value);
    else
        one(&r, value);
    return 0;
}
