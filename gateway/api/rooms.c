#include "gateway/api/rooms.h"

#include "gateway/channel/name.h"
#include "gateway/client/client.h"
#include "gateway/presence/roster.h"

#define MEMBERS_USUAL 100

/* --- a page of members ----------------------------------------------------------------------
 */

struct members {
    struct ask ask;
    struct member_ask page;
};

static void put_page(struct buf *out, const struct member_page *page) {
    buf_printf(out, "{\"online\":%llu,\"total\":%llu,\"members\":[", page->online, page->total);
    for (size_t i = 0; i < page->count; i++) {
        buf_str(out, i > 0 ? "," : "");
        buf_slice(out, page->rows[i].json);
        buf_char(out, '}');
    }
    buf_char(out, ']');
    if (page->cursor[0] != '\0') {
        buf_str(out, ",\"cursor\":");
        json_escape_any(out, slice_of(page->cursor));
    }
    buf_str(out, "}\n");
}

static void on_page(struct member_ask *asked, struct member_page *page, enum outcome outcome) {
    struct members *m = container_of(asked, struct members, page);
    struct buf out;
    (void)outcome;
    buf_init(&out);
    if (page != NULL)
        put_page(&out, page);
    ask_answer(&m->ask, &out);
    buf_deinit(&out);
}

void api_members_get(struct api_call *c) {
    char name[CHANNEL_NAME_SIZE], cursor[CURSOR_MAX_SIZE];
    ptrdiff_t len = api_query(c, "cursor", cursor, sizeof cursor - 1);
    struct slice from = {cursor, len > 0 ? (size_t)len : 0};
    struct members *m = ask_make(sizeof *m);
    if (m != NULL)
        m->page.done = on_page;
    unsigned most = (unsigned)api_query_number(c, "limit", MEMBERS_USUAL);
    bool sent =
        m != NULL && member_page_ask(&c->source->clients->rosters->pages,
                                     room_channel(api_part(c, 0), name), from, most, &m->page);
    ask_begun(c, m != NULL ? &m->ask : NULL, sent);
}
