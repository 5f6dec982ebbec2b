/*
 * libFuzzer on the map of own events: the lines up to a NUL, then an event's arguments. What is
 * refused says why; of a good map, each line finds events, and what a pick gives is a string or
 * an integer.
 */
#include <stdlib.h>

#include "common/utf8.h"
#include "gateway/client/event_map.h"
#include "tests/fuzz/fuzz.h"

static void handle(struct request *r, struct json_value data) {
    (void)r, (void)data;
}

static void use(const struct map_line *l, struct json_value args) {
    struct json_value value = pick_value(&l->where, args);
    check(value.type == JSON_NONE || value.type == JSON_STRING || json_is_integer(value));
    check(l->first <= l->last && l->last <= ARGUMENTS_MOST);
    check(l->ack.len == 0 || json_parse(l->ack, &value) == JSON_OK);
    check(l->as.len == 0 || event_name_valid(l->as));
    check(map_line_of(&l->row) == l && l->row.handle == handle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = strndup((const char *)data, size);
    size_t len = strlen(text), skip = len < size ? len + 1 : size;
    struct slice rest = {(const char *)data + skip, size - skip};
    struct json_value args;
    const char *why = NULL;
    if (!utf8_valid(rest) || json_parse(rest, &args) != JSON_OK || args.type != JSON_ARRAY)
        json_parse(SLICE("[1,\"a\"]"), &args);
    struct event_map *m = event_map_read(text, handle, &why);
    check((m == NULL) == (why != NULL && why[0] != '\0') || m != NULL);
    for (size_t i = 0; m != NULL && i < m->count; i++) {
        const struct map_line *l = &m->lines[i];
        use(l, args);
        check(event_map_find(m, l->event, l->nsp) != NULL || l->event.len == 0);
    }
    event_map_free(m);
    free(text);
    return 0;
}
