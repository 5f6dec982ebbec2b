/*
 * libFuzzer on what emitters of Socket.IO publish. A broadcast that is taken is an event whose
 * arguments and binaries are JSON; its texts lie within the bytes. The same bytes as an order:
 * what is taken is JSON.
 */
#include "common/base64.h"
#include "common/utf8.h"
#include "gateway/emitters/packet.h"
#include "tests/fuzz/fuzz.h"

static unsigned count_of(struct json_value array) {
    struct json_iter it;
    unsigned count = 0;
    json_iter_init(&it, array);
    while (json_iter_next(&it))
        count++;
    return count;
}

static void check_binaries(struct slice bin) {
    struct json_value all;
    struct json_iter it;
    struct buf bytes;
    if (bin.len == 0)
        return;
    check(json_parse(bin, &all) == JSON_OK && all.type == JSON_ARRAY);
    check(count_of(all) > 0 && count_of(all) <= PACKET_BINARIES_MOST);
    json_iter_init(&it, all);
    while (json_iter_next(&it)) {
        struct slice text = {it.value.raw.ptr + 1, it.value.raw.len - 2};
        buf_init(&bytes);
        check(base64_decode(text, &bytes));
        buf_deinit(&bytes);
    }
}

static void check_names(const msgpack_object *names, struct slice all) {
    struct slice name;
    for (uint32_t i = 0; packet_name(names, i, &name); i++)
        check(name.len > 0 && fuzz_within(name, all) && utf8_valid(name));
}

static void look(struct slice bytes) {
    struct packet p;
    struct json_value args;
    if (packet_read(&p, bytes) != NULL)
        return;
    check(fuzz_within(p.event, bytes) && utf8_valid(p.event) && utf8_valid(p.nsp));
    check(utf8_valid(buf_bytes(&p.args)));
    check(json_parse(buf_bytes(&p.args), &args) == JSON_OK && args.type == JSON_ARRAY);
    check(count_of(args) <= PACKET_ARGUMENTS_MOST);
    check((p.only.len > 0) == (count_of(args) == 1));
    check_binaries(buf_bytes(&p.bin));
    check_names(p.rooms, bytes);
    check_names(p.except, bytes);
    packet_free(&p);
}

static void look_at_order(struct slice bytes) {
    struct order_read o;
    if (!utf8_valid(bytes) || order_read(&o, SLICE("socket.io-request#/n#"), bytes) != NULL)
        return;
    check(slice_is(o.nsp, "/n"));
    check(fuzz_within(o.who.raw, bytes) && fuzz_within(o.rooms.raw, bytes));
    check(o.kind != ORDER_JOIN || o.rooms.type == JSON_ARRAY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice bytes = {(const char *)data, size};
    char *copy = fuzz_copy(bytes);
    bytes.ptr = copy;
    look(bytes);
    look_at_order(bytes);
    free(copy);
    return 0;
}
