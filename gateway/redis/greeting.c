#include "gateway/redis/greeting.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "gateway/redis/info.h"

static void finish(struct greeting *g, const char *why) {
    if (g->over)
        return;
    g->over = true;
    g->done(g->owner, why);
}

/* Redis answers, but refuses the link. */
static void refuse(struct greeting *g, const char *why) {
    g->refused = !g->over;
    finish(g, why);
}

void greeting_end(struct greeting *g) {
    g->over = true;
}

/* --- answers --------------------------------------------------------------------------------
 */

static void on_auth(void *arg, const struct reply *reply, enum outcome outcome) {
    struct greeting *g = arg;
    (void)outcome;
    if (reply == NULL)
        refuse(g, g->address->sentinel ? "the Sentinel refuses the password or user"
                                       : "Redis refuses the password or user");
}

static void on_select(void *arg, const struct reply *reply, enum outcome outcome) {
    (void)outcome;
    if (reply == NULL)
        refuse(arg, "Redis refuses the database");
}

/* The id stays unknown if an operator has forbidden the command. */
static void on_id(void *arg, const struct reply *reply, enum outcome outcome) {
    struct greeting *g = arg;
    (void)outcome;
    long long id = reply != NULL ? reply_number(reply) : 0;
    g->id = id > 0 ? (uint64_t)id : 0;
}

/* The URL begins as this server wants it; the reader knows the rest. */
static void refuse_mode(struct greeting *g, const char *is, const char *scheme,
                        const char *end) {
    const struct redis_address *a = g->address;
    bool ip6 = strchr(a->host, ':') != NULL;
    refuse(g, log_text("%s: it wants redis%s+%s://%s%.64s%s:%d%s", is, a->tls ? "s" : "",
                       scheme, ip6 ? "[" : "", a->path ? "HOST" : a->host, ip6 ? "]" : "",
                       a->path ? 6379 : a->port, end));
}

static void on_info_server(void *arg, const struct reply *reply, enum outcome outcome) {
    struct greeting *g = arg;
    (void)outcome;
    char mode[16];
    if (reply == NULL) {
        refuse(g, "Redis refuses INFO");
        return;
    }
    info_field(reply->text, "run_id", g->run, sizeof g->run);
    info_field(reply->text, "redis_mode", mode, sizeof mode);
    if (mode[0] == '\0') /* Valkey 9 */
        info_field(reply->text, "server_mode", mode, sizeof mode);
    if (strcmp(mode, "cluster") == 0 && !g->address->cluster)
        refuse_mode(g, "this Redis is in cluster mode", "cluster", "");
    if (strcmp(mode, "standalone") == 0 && g->address->cluster)
        refuse(g, "this Redis is not in cluster mode: it wants redis:// or rediss://");
    if (strcmp(mode, "sentinel") == 0)
        refuse_mode(g, "this is a Sentinel and no Redis", "sentinel",
                    "/NAME, with the name of the master that it watches");
}

static void on_info_replication(void *arg, const struct reply *reply, enum outcome outcome) {
    struct greeting *g = arg;
    char role[16];
    (void)outcome;
    if (reply == NULL) {
        refuse(g, "Redis refuses INFO");
        return;
    }
    info_field(reply->text, "master_replid", g->replid, sizeof g->replid);
    info_field(reply->text, "role", role, sizeof role);
    if (strcmp(role, "master") != 0 && !g->address->any_role)
        finish(g, "this Redis is not a master");
}

static void on_ping(void *arg, const struct reply *reply, enum outcome outcome) {
    struct greeting *g = arg;
    (void)outcome;
    if (reply == NULL && g->address->sentinel)
        refuse(g, "the Sentinel answers PING with an error");
    finish(g, reply == NULL ? "Redis answers PING with an error" : NULL);
}

/* --- questions ------------------------------------------------------------------------------
 */

static void ask(struct greeting *g, greeting_send send, redis_done answered, unsigned argc,
                const char *const argv[]) {
    struct buf b;
    if (g->over)
        return;
    buf_init(&b);
    buf_printf(&b, "*%u\r\n", argc);
    for (unsigned i = 0; i < argc; i++)
        resp_bulk(&b, slice_of(argv[i]));
    if (b.failed || !send(g->owner, buf_bytes(&b), answered, g))
        finish(g, "out of memory");
    buf_deinit(&b);
}

void greeting_begin(struct greeting *g, const struct redis_address *address, const char *name,
                    greeting_send send) {
    char database[16];
    g->run[0] = g->replid[0] = '\0';
    g->id = 0;
    g->over = g->refused = false;
    g->address = address;
    if (address->user[0] != '\0')
        ask(g, send, on_auth, 3, (const char *[]){"AUTH", address->user, address->password});
    else if (address->password[0] != '\0')
        ask(g, send, on_auth, 2, (const char *[]){"AUTH", address->password});
    ask(g, send, NULL, 3, (const char *[]){"CLIENT", "SETNAME", name});
    if (!address->sentinel) {
        ask(g, send, on_id, 2, (const char *[]){"CLIENT", "ID"});
        ask(g, send, on_info_server, 2, (const char *[]){"INFO", "server"});
        ask(g, send, on_info_replication, 2, (const char *[]){"INFO", "replication"});
    }
    snprintf(database, sizeof database, "%d", address->database);
    if (address->database != 0)
        ask(g, send, on_select, 2, (const char *[]){"SELECT", database});
    ask(g, send, on_ping, 1, (const char *[]){"PING"});
}

void greeting_ping(struct greeting *g, greeting_send send) {
    g->over = false;
    ask(g, send, on_ping, 1, (const char *[]){"PING"});
}
