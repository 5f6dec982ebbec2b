#include "gateway/api/table.h"

#include "gateway/api/batch.h"
#include "gateway/api/cluster.h"
#include "gateway/api/history.h"
#include "gateway/api/membership.h"
#include "gateway/api/messages.h"
#include "gateway/api/openapi.h"
#include "gateway/api/publish.h"
#include "gateway/api/revoke.h"
#include "gateway/api/rooms.h"
#include "gateway/api/users.h"

#define ANY_KEY (API_ALL | API_ADMIN)
#define JSON    "application/json"
#define END                                                                                    \
    { .name = NULL }

/* --- JSON Schema of answers -----------------------------------------------------------------
 */

#define OBJECT(members, needed)                                                                \
    "{\"type\":\"object\",\"properties\":{" members "},\"required\":[" needed "]}"
#define LIST(of) "{\"type\":\"array\",\"items\":" of "}"
#define TEXT     "{\"type\":\"string\"}"
#define COUNT    "{\"type\":\"integer\",\"minimum\":0}"
#define SWITCH   "{\"type\":\"boolean\"}"
#define EMPTY    "{\"type\":\"object\",\"maxProperties\":0}"

/* --- the fields of queries and bodies -------------------------------------------------------
 */

static const struct api_field online_query[] = {
    {"search", API_TEXT, false, 0, NAME_MAX_LEN, "ids with this in them"},
    {"cursor", API_TEXT, false, 0, 64, "of the page before"},
    END};

static const struct api_field members_query[] = {
    {"limit", API_NUMBER, false, 1, 250, "the most members of a page; default: 100"},
    {"cursor", API_TEXT, false, 0, 159, "of the page before"},
    END};

static const struct api_field history_query[] = {
    {"before", API_NUMBER, false, 0, 1ULL << 53, "messages with a lesser seq"},
    {"after", API_NUMBER, false, 0, 1ULL << 53,
     "messages with a greater seq: the page begins with the first of them"},
    {"limit", API_NUMBER, false, 1, 100, "the most messages of a page; default: 50"},
    END};

static const struct api_field online_body[] = {
    {"ids", API_USER_LIST, true, 0, 1000, "whom to ask about"}, END};

static const struct api_field room_disconnect_body[] = {
    {"except", API_OTHERS, false, 0, 20, "who stays: user:ID or socket:ID"}, END};

static const struct api_field publish_body[] = {
    {"channel", API_CHANNEL, false, 0, 0,
     "where to: topic:NAME, room:NAME, user:ID; only ephemeral also socket:ID and all"},
    {"channels", API_CHANNELS, false, 1, 100, "in place of channel, where to"},
    {"event", API_EVENT, false, 0, 0,
     "the event's name; default: message. Those of Sluice and of Socket.IO are taken"},
    {"data", API_VALUE, false, 0, 0, "the event's one argument"},
    {"args", API_ARRAY, false, 0, 10, "in place of data, its arguments"},
    {"bin", API_TEXTS, false, 0, 256, "attachments, for which the arguments have placeholders"},
    {"ephemeral", API_SWITCH, false, 0, 0, "true: no log keeps it, and who is away misses it"},
    {"except", API_OTHERS, false, 0, 20, "who does not get it: user:ID or socket:ID"},
    {"namespace", API_NAMESPACE, false, 0, 0, "of Socket.IO, whose sockets get it; default: /"},
    END};

static const struct api_field private_body[] = {
    {"senderId", API_USER, true, 0, 0, "in whose name"},
    {"receiverId", API_USER, true, 0, 0, "to whom"},
    {"content", API_VALUE, true, 0, 0, "the message"},
    END};

static const struct api_field room_body[] = {
    {"senderId", API_USER, true, 0, 0, "in whose name: a member of the room"},
    {"room", API_ROOM, true, 0, 0, "where to"},
    {"message", API_VALUE, true, 0, 0, "the message"},
    END};

static const struct api_field batch_body[] = {
    {"requests", API_REQUESTS, true, 0, 100, "what is done, one after the other"}, END};

static const struct api_field revoke_body[] = {
    {"before", API_SECONDS, false, 0, 0,
     "since 1970: tokens issued before are no good any more; default: the next full second"},
    END};

#define SENT(more, needed)                                                                     \
    OBJECT("\"seq\":" COUNT ",\"timestamp\":" COUNT more, "\"seq\",\"timestamp\"" needed)
#define PUBLISHED SENT(",\"epoch\":" TEXT, ",\"epoch\"")
#define ERROR     "{\"$ref\":\"#/components/schemas/Error\"}"

/* --- the routes -----------------------------------------------------------------------------
 */

static const struct api_route table[] = {
    {.method = "GET",
     .path = "/cluster",
     .rights = API_READ | API_ADMIN,
     .name = "getCluster",
     .about = "Nodes, rooms, users and Redis at a glance; at most a second old.",
     .answer = OBJECT("\"node\":" TEXT ",\"incarnation\":" TEXT ",\"time\":" COUNT
                      ",\"lease_timeout_ms\":" COUNT
                      ",\"nodes\":" LIST("{\"type\":\"object\"}") ",\"rooms\":" LIST(
                          "{\"type\":\"object\"}") ",\"online\":{\"type\":\"object\"},"
                                                   "\"redis\":{\"type\":\"object\"}",
                      "\"node\",\"time\",\"nodes\",\"rooms\",\"online\",\"redis\""),
     .handle = api_cluster_get},
    {.method = "GET",
     .path = "/online",
     .rights = API_READ | API_ADMIN,
     .query = online_query,
     .name = "listOnline",
     .about =
         "Users that are online, a page at a time. A page may be empty while `more` is true.",
     .answer = OBJECT("\"time\":" COUNT ",\"users\":" LIST(
                          "{\"type\":\"object\"}") ",\"more\":" SWITCH ",\"cursor\":" TEXT,
                      "\"time\",\"users\",\"more\""),
     .handle = api_online_get},
    {.method = "GET",
     .path = "/users/{id}",
     .rights = API_READ | API_ADMIN,
     .also = "404",
     .name = "getUser",
     .about = "A user: profile, connections, rooms.",
     .answer =
         OBJECT("\"id\":" TEXT ",\"username\":" TEXT ",\"role\":" TEXT ",\"time\":" COUNT
                ",\"last_seen\":{\"type\":[\"integer\",\"null\"]},\"online\":" SWITCH
                ",\"connections\":" LIST("{\"type\":\"object\"}") ",\"rooms\":" LIST(TEXT),
                "\"id\",\"username\",\"role\",\"time\",\"online\",\"connections\",\"rooms\""),
     .handle = api_user_get},
    {.method = "POST",
     .path = "/users/{id}/revoke",
     .rights = API_USERS,
     .size = API_SMALL,
     .body = revoke_body,
     .name = "revokeUser",
     .about =
         "Refuses a user's tokens that were issued before a time, and closes the connections "
         "that came with them (4403).",
     .answer = EMPTY,
     .handle = api_revoke_post},
    {.method = "POST",
     .path = "/users/{id}/disconnect",
     .rights = API_USERS,
     .name = "disconnectUser",
     .about = "Closes a user's connections (4000). They may come back.",
     .answer = EMPTY,
     .handle = api_disconnect_post},
    {.method = "POST",
     .path = "/publish",
     .rights = API_PUBLISH,
     .size = API_MESSAGE,
     .body = publish_body,
     .rule = "\"oneOf\":[{\"required\":[\"channel\"]},{\"required\":[\"channels\"]}],"
             "\"anyOf\":[{\"required\":[\"data\"]},{\"required\":[\"args\"]}]",
     .once = true,
     .name = "publish",
     .about =
         "Sends an event to a channel, or to many. Of many, each has a result of its own, an "
         "error perhaps; if it failed in all, the answer is that error.",
     .answer = "{\"anyOf\":[" PUBLISHED "," OBJECT(
         "\"results\":" LIST("{\"anyOf\":[" PUBLISHED "," ERROR "," EMPTY "]}"),
         "\"results\"") "," EMPTY "]}",
     .handle = api_publish_post},
    {.method = "POST",
     .path = "/messages/private",
     .rights = API_USERS,
     .size = API_MESSAGE,
     .body = private_body,
     .once = true,
     .name = "sendPrivateMessage",
     .about = "Sends a private message in a user's name.",
     .answer = SENT(",\"delivered\":" SWITCH, ",\"delivered\""),
     .handle = api_private_post},
    {.method = "POST",
     .path = "/messages/room",
     .rights = API_USERS,
     .size = API_MESSAGE,
     .body = room_body,
     .once = true,
     .name = "sendRoomMessage",
     .about = "Sends a message to a room in the name of a member.",
     .answer = SENT("", ""),
     .handle = api_room_post},
    {.method = "POST",
     .path = "/batch",
     .rights = API_ALL,
     .size = API_LARGE,
     .body = batch_body,
     .alone = true,
     .name = "batch",
     .about =
         "Does requests one after the other, each if the key has its right. After one that "
         "sends and is answered 503, later ones that send are refused. Answers of more than "
         "4 MiB end it: what follows is answered 413 and not done.",
     .answer = OBJECT("\"responses\":" LIST(OBJECT(
                          "\"status\":{\"type\":\"integer\"},\"body\":{\"type\":\"object\"}",
                          "\"status\",\"body\"")),
                      "\"responses\""),
     .handle = api_batch_post},
    {.method = "POST",
     .path = "/users/online",
     .rights = API_READ,
     .size = API_MIDDLE,
     .body = online_body,
     .name = "areOnline",
     .about = "Which of these users are online.",
     .answer = OBJECT("\"online\":" LIST(TEXT), "\"online\""),
     .handle = api_users_online_post},
    {.method = "POST",
     .path = "/sockets/{socket}/disconnect",
     .rights = API_USERS,
     .name = "disconnectSocket",
     .about = "Closes a connection (4000): a socket of Socket.IO by its id, one of /ws by its "
              "connectionId. One that is gone is no error.",
     .answer = EMPTY,
     .handle = api_socket_disconnect_post},
    {.method = "GET",
     .path = "/rooms/{room}/members",
     .rights = API_READ,
     .query = members_query,
     .name = "listMembers",
     .about = "Members of a room, a page at a time; those that were seen last come first.",
     .answer = OBJECT(
         "\"online\":" COUNT ",\"total\":" COUNT ",\"members\":" LIST(OBJECT(
             "\"id\":" TEXT ",\"username\":" TEXT ",\"role\":" TEXT ",\"online\":" SWITCH,
             "\"id\",\"username\",\"role\",\"online\"")) ",\"cursor\":" TEXT,
         "\"online\",\"total\",\"members\""),
     .handle = api_members_get},
    {.method = "PUT",
     .path = "/rooms/{room}/members/{user}",
     .rights = API_USERS,
     .also = "409",
     .name = "putMember",
     .about =
         "Makes a user a member of a room. The user's connections, if their tokens give a "
         "right to the room, enter it and get `joined`; those that are away do so when they "
         "come back.",
     .answer = EMPTY,
     .handle = api_member_put},
    {.method = "DELETE",
     .path = "/rooms/{room}/members/{user}",
     .rights = API_USERS,
     .name = "deleteMember",
     .about = "Ends a membership. The user's connections leave the room and get `userLeft`.",
     .answer = EMPTY,
     .handle = api_member_delete},
    {.method = "POST",
     .path = "/rooms/{room}/disconnect",
     .rights = API_USERS,
     .size = API_SMALL,
     .body = room_disconnect_body,
     .name = "disconnectRoom",
     .about = "Closes all connections that are in a room (4000). They may come back.",
     .answer = EMPTY,
     .handle = api_room_disconnect_post},
    {.method = "GET",
     .path = "/channels/{channel}/history",
     .rights = API_READ,
     .query = history_query,
     .name = "getHistory",
     .about = "Messages of a channel's log, the oldest first. Without a query: the last ones. "
              "`next` is the `before`, or the `after`, of the next page. A channel that is not "
              "known has none.",
     .answer = OBJECT("\"messages\":" LIST(OBJECT(
                          "\"seq\":" COUNT ",\"epoch\":" TEXT ",\"timestamp\":" COUNT
                          ",\"event\":" TEXT ",\"user\":" TEXT ",\"namespace\":" TEXT
                          ",\"data\":{},\"args\":" LIST("{}") ",\"bin\":" LIST(TEXT),
                          "\"seq\",\"epoch\",\"timestamp\",\"event\"")) ",\"more\":" SWITCH
                                                                        ",\"next\":" COUNT,
                      "\"messages\",\"more\""),
     .handle = api_history_get},
    {.method = "GET",
     .path = "/openapi.json",
     .rights = ANY_KEY,
     .name = "getDescription",
     .about = "This description.",
     .answer = OBJECT("\"openapi\":" TEXT ",\"paths\":{\"type\":\"object\"}",
                      "\"openapi\",\"paths\""),
     .handle = api_openapi_get},
    {.method = "GET",
     .path = "/docs",
     .rights = API_ALL,
     .alone = true,
     .name = "getDocs",
     .about = "This description as a page for people.",
     .type = "text/html",
     .answer = TEXT,
     .handle = api_docs_get},
};

const struct api_route *api_table(size_t *count) {
    *count = sizeof table / sizeof *table;
    return table;
}
