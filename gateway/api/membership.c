#include "gateway/api/membership.h"

#include "gateway/channel/append.h"
#include "gateway/channel/name.h"
#include "gateway/channel/page.h"
#include "gateway/client/client.h"
#include "gateway/presence/membership.h"

/* Membership first, then the position of the room's log, then the entry: so the connections
 * enter the room at a position after which they miss nothing. */
struct change {
    struct ask ask;
    const struct api_source *source;
    struct name user, room;
};

static void on_told(void *arg, const struct reply *reply, enum outcome outcome) {
    struct change *ch = arg;
    struct buf body;
    (void)outcome;
    buf_init(&body);
    if (reply != NULL)
        buf_str(&body, "{}");
    ask_answer(&ch->ask, &body);
    buf_deinit(&body);
}

/* Appends to the inbox. */
static void tell(struct change *ch, const char *event, const struct buf *data) {
    char inbox[CHANNEL_NAME_SIZE];
    struct slice none = {NULL, 0};
    bool sent =
        !data->failed &&
        append_event(ch->source->redis, user_channel(name_slice(&ch->user), inbox), event,
                     buf_bytes(data), none, none, NULL, on_told, ch) == APPEND_SENT;
    if (!sent)
        ask_unavailable(&ch->ask, OUTCOME_NONE);
}

static void put_room(struct buf *out, const struct change *ch) {
    buf_str(out, "{\"room\":");
    json_escape(out, name_slice(&ch->room));
}

/* --- a member -------------------------------------------------------------------------------
 */

static void on_position(void *arg, const struct reply *reply, enum outcome outcome) {
    struct change *ch = arg;
    struct page page;
    struct buf data;
    if (reply == NULL) {
        ask_unavailable(&ch->ask, outcome);
        return;
    }
    page_read(&page, reply);
    buf_init(&data);
    put_room(&data, ch);
    buf_str(&data, ",\"epoch\":");
    json_escape(&data, page.epoch);
    buf_printf(&data, ",\"seq\":%llu}", (unsigned long long)page.last);
    tell(ch, "joined", &data);
    buf_deinit(&data);
}

static void ask_position(struct change *ch) {
    char name[CHANNEL_NAME_SIZE];
    struct slice room = room_channel(name_slice(&ch->room), name);
    struct position none = {.epoch = ""};
    struct page_args args;
    page_args(&args, &none, SLICE("0"), SLICE("1"), NULL, NULL);
    if (!redis_script(redis_partition(ch->source->redis, room), SCRIPT_read, &room, 1, args.all,
                      args.count, on_position, ch))
        ask_unavailable(&ch->ask, OUTCOME_NONE);
}

static void on_entered(void *arg, const struct reply *reply, enum outcome outcome) {
    struct change *ch = arg;
    long long status = reply != NULL ? reply_number(reply_item(reply, 0)) : 0;
    if (status == SCRIPT_TOO_MANY)
        ask_refuse(&ch->ask, REFUSAL_TOO_MANY, "user");
    else if (reply == NULL || status != 0)
        ask_unavailable(&ch->ask, reply == NULL ? outcome : OUTCOME_REFUSED);
    else
        ask_position(ch);
}

/* NULL: no memory. */
static struct change *change_make(const struct api_call *c) {
    struct change *ch = ask_make(sizeof *ch);
    if (ch == NULL)
        return NULL;
    ch->source = c->source;
    name_set(&ch->room, api_part(c, 0));
    name_set(&ch->user, api_part(c, 1));
    return ch;
}

void api_member_put(struct api_call *c) {
    char name[CHANNEL_NAME_SIZE];
    struct change *ch = change_make(c);
    bool sent =
        ch != NULL && membership_put(c->source->clients->leases, api_part(c, 1),
                                     room_channel(api_part(c, 0), name), on_entered, ch);
    ask_begun(c, ch != NULL ? &ch->ask : NULL, sent);
}

/* --- no member ------------------------------------------------------------------------------
 */

static void on_left(void *arg, const struct reply *reply, enum outcome outcome) {
    struct change *ch = arg;
    struct buf data;
    if (reply == NULL || reply_number(reply_item(reply, 0)) != 0) {
        ask_unavailable(&ch->ask, reply == NULL ? outcome : OUTCOME_REFUSED);
        return;
    }
    buf_init(&data);
    put_room(&data, ch);
    buf_str(&data, ",\"userId\":");
    json_escape(&data, name_slice(&ch->user));
    buf_char(&data, '}');
    tell(ch, "userLeft", &data);
    buf_deinit(&data);
}

void api_member_delete(struct api_call *c) {
    char name[CHANNEL_NAME_SIZE];
    struct change *ch = change_make(c);
    bool sent = ch != NULL && membership_leave(c->source->clients->leases, api_part(c, 1),
                                               room_channel(api_part(c, 0), name),
                                               LEAVES_FOR_GOOD, on_left, ch);
    ask_begun(c, ch != NULL ? &ch->ask : NULL, sent);
}
