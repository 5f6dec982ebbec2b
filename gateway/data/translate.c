#include "gateway/data/translate.h"

#include <string.h>

#include "common/log.h"
#include "gateway/channel/name.h"

#define COUNTED_MS "2592000000" /* nodes prolong it while the user is there */

/* KEYS: a user's counts. ARGV: user, prefix. Returns for each: peer, count, how many the peer
 * has sent, the epoch of their log ('' if it is gone). */
static const char unread_script[] =
    "local all, me, out = redis.call('HGETALL', KEYS[1]), ARGV[1], {}\n"
    "for i = 1, #all, 2 do\n"
    "  local peer = all[i]\n"
    "  local dm = me <= peer and me .. ':' .. peer or peer .. ':' .. me\n"
    "  local m = redis.call('HMGET', ARGV[2] .. '{dm:' .. dm .. '}:meta', 'sent:' .. peer, "
    "'epoch')\n"
    "  for _, item in ipairs({ peer, all[i + 1], m[1] or '', m[2] or '' }) do\n"
    "    out[#out + 1] = item\n"
    "  end\n"
    "end\n"
    "return out\n";

/* KEYS: ids of a dm's messages. ARGV: its first user, the other one, prefix. Returns for each:
 * field, sender, the value as dm.lua writes it, the seq in the sender's inbox, one that the
 * receiver's inbox has, too, and the key's bucket. */
static const char ids_script[] =
    "local all, a, b, out = redis.call('HGETALL', KEYS[1]), ARGV[1], ARGV[2], {}\n"
    "local bucket = redis.call('HGET', KEYS[1], '') or '0'\n"
    "local base = ARGV[3] .. '{dm:' .. a .. ':' .. b .. '}'\n"
    "local meta = redis.call('HMGET', base .. ':meta', 'epoch', 'sent:' .. a, 'sent:' .. b)\n"
    "local function last(user)\n"
    "  return redis.call('HGET', ARGV[3] .. '{user:' .. user .. '}:meta', 'seq') or '0'\n"
    "end\n"
    "for i = 1, #all, 2 do\n"
    "  local seq, time, inbox = string.match(all[i + 1], '^(%d+) (%d+) (%d+)')\n"
    "  local sender = string.match(all[i], '^([^:]*):')\n"
    "  if seq and sender then\n"
    "    local entry = redis.call('XRANGE', base .. ':log', seq .. '-0', seq .. '-0')[1]\n"
    "    local epoch = entry and string.match(entry[2][2], '\"epoch\":\"([^\"]*)\"') or "
    "meta[1] or '-'\n"
    "    local by_a, by_b = string.match(entry and entry[2][4] or '', '^(%d+) (%d+)$')\n"
    "    local count = sender == a and (by_a or meta[2]) or sender ~= a and (by_b or meta[3])\n"
    "    local value = seq .. ' ' .. time .. ' ' .. epoch .. ' ' .. (count or '0')\n"
    "    local other = last(sender == a and b or a)\n"
    "    for _, item in ipairs({ all[i], sender, value, inbox, other, bucket }) do\n"
    "      out[#out + 1] = item\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return out\n";

/* --- names ----------------------------------------------------------------------------------
 */

void translate_name(const struct deployment *to, struct buf *out, const struct key_kind *k) {
    deployment_base(to, out, k->name);
    buf_slice(out, k->suffix);
}

void translate_note_ids(struct store *to, struct slice name, struct slice bucket,
                        struct slice key) {
    unsigned partition = deployment_partition(to->d, name);
    struct buf index = {0};
    deployment_head(to->d, &index, partition);
    buf_str(&index, "ids");
    struct slice argv[] = {SLICE("ZADD"), buf_bytes(&index), bucket, key};
    if (index.failed)
        store_fail(to, "out of memory");
    store_send(to, to->of[partition], 4, argv, NULL, NULL);
    buf_deinit(&index);
}

/* dm:<a>:<b> */
static void users_of(struct slice dm, struct slice *a, struct slice *b) {
    struct slice rest = channel_rest(dm, SLICE("dm:"));
    const char *colon = rest.len > 0 ? memchr(rest.ptr, ':', rest.len) : NULL;
    size_t first = colon != NULL ? (size_t)(colon - rest.ptr) : rest.len;
    *a = (struct slice){rest.ptr, first};
    *b = colon != NULL ? (struct slice){colon + 1, rest.len - first - 1}
                       : (struct slice){rest.ptr, 0};
}

static unsigned partition_of(const struct deployment *d, const char *kind, struct slice name) {
    struct buf whole = {0};
    channel_join_name(&whole, kind, name);
    unsigned partition = deployment_partition(d, buf_bytes(&whole));
    buf_deinit(&whole);
    return partition;
}

/* Are the two users and their conversation in more than one partition? */
static bool is_apart(const struct deployment *d, struct slice a, struct slice b) {
    struct buf dm = {0};
    channel_dm_name(&dm, a, b);
    unsigned at = deployment_partition(d, buf_bytes(&dm));
    buf_deinit(&dm);
    return at != partition_of(d, "user:", a) || at != partition_of(d, "user:", b);
}

/* --- unread ---------------------------------------------------------------------------------
 */

static void write_unread(struct translation *t, struct slice peer,
                         const struct reply *items[]) {
    long long count = reply_number(items[1]);
    struct slice sent = reply_text(items[2]), epoch = reply_text(items[3]);
    long long total = sent.len > 0 ? reply_number(items[2]) : count;
    struct buf key = {0}, value = {0};
    deployment_base(t->to->d, &key, t->kind.name);
    buf_str(&key, ":counted");
    buf_printf(&value, "%lld %lld ", total, total - count);
    buf_slice(&value, epoch.len > 0 ? epoch : SLICE("-"));
    unsigned link = t->to->of[deployment_partition(t->to->d, t->kind.name)];
    struct slice set[] = {SLICE("HSET"), buf_bytes(&key), peer, buf_bytes(&value)};
    struct slice expire[] = {SLICE("PEXPIRE"), buf_bytes(&key), SLICE(COUNTED_MS)};
    if (key.failed || value.failed)
        store_fail(t->to, "out of memory");
    store_send(t->to, link, 4, set, NULL, NULL);
    store_send(t->to, link, 3, expire, NULL, NULL);
    buf_deinit(&key);
    buf_deinit(&value);
}

static void on_unread(void *arg, const struct reply *reply) {
    struct translation *t = arg;
    struct slice me = channel_rest(t->kind.name, SLICE("user:"));
    for (size_t i = 0; i + 3 < reply->count; i += 4) {
        const struct reply *items[] = {reply_item(reply, i), reply_item(reply, i + 1),
                                       reply_item(reply, i + 2), reply_item(reply, i + 3)};
        if (is_apart(t->to->d, me, reply_text(items[0])))
            write_unread(t, reply_text(items[0]), items);
    }
}

/* --- ids ------------------------------------------------------------------------------------
 */

/* Writes one id, and the key's bucket; lasting: of a key that may be new, whose life is that of
 * the source's. */
static void write_id(struct translation *t, struct slice name, struct slice field,
                     struct slice value, struct slice bucket, bool lasting) {
    unsigned link = t->to->of[deployment_partition(t->to->d, name)];
    struct buf key = {0};
    deployment_base(t->to->d, &key, name);
    buf_slice(&key, t->kind.suffix);
    if (key.failed)
        store_fail(t->to, "out of memory");
    struct slice at = buf_bytes(&key);
    struct slice argv[] = {SLICE("HSET"), at, SLICE(""), bucket, field, value};
    store_send(t->to, link, 6, argv, NULL, NULL);
    if (lasting) {
        struct slice life[] = {SLICE("PEXPIRE"), at, slice_of(t->ttl)};
        if (strcmp(t->ttl, "0") != 0)
            store_send(t->to, link, 3, life, NULL, NULL);
        translate_note_ids(t->to, name, t->kind.bucket, at);
    }
    buf_deinit(&key);
}

static void write_inbox_id(struct translation *t, struct slice user, struct slice receiver,
                           struct slice id, struct slice seq, struct slice bucket) {
    struct buf name = {0}, field = {0};
    channel_join_name(&name, "user:", user);
    buf_slice(&field, receiver);
    buf_char(&field, ':');
    buf_slice(&field, id);
    if (name.failed || field.failed)
        store_fail(t->to, "out of memory");
    write_id(t, buf_bytes(&name), buf_bytes(&field), seq, bucket, true);
    buf_deinit(&name);
    buf_deinit(&field);
}

static void on_ids(void *arg, const struct reply *reply) {
    struct translation *t = arg;
    struct slice a, b;
    users_of(t->kind.name, &a, &b);
    for (size_t i = 0; i + 5 < reply->count; i += 6) {
        struct slice bucket = reply_text(reply_item(reply, i + 5));
        struct slice id = reply_text(reply_item(reply, i));
        struct slice sender = reply_text(reply_item(reply, i + 1));
        struct slice receiver = slice_eq(sender, a) ? b : a;
        write_id(t, t->kind.name, id, reply_text(reply_item(reply, i + 2)), bucket, false);
        write_inbox_id(t, sender, receiver, id, reply_text(reply_item(reply, i + 3)), bucket);
        if (!slice_eq(sender, receiver))
            write_inbox_id(t, receiver, receiver, id, reply_text(reply_item(reply, i + 4)),
                           bucket);
    }
}

/* --- public ---------------------------------------------------------------------------------
 */

bool translate_wanted(const struct translation *t) {
    struct slice a, b;
    if (t->from->d->partitions != 1 || t->to->d->partitions == 1)
        return false;
    if (t->kind.owner == OWNER_USER)
        return t->kind.part == PART_UNREAD;
    if (t->kind.owner != OWNER_DM || t->kind.part != PART_IDS)
        return false;
    users_of(t->kind.name, &a, &b);
    return is_apart(t->to->d, a, b);
}

void translate_key(struct translation *t, struct slice key) {
    struct slice prefix = slice_of(t->from->d->prefix), a, b;
    if (t->kind.owner == OWNER_USER) {
        struct slice argv[] = {SLICE("EVAL"),
                               slice_of(unread_script),
                               SLICE("1"),
                               key,
                               channel_rest(t->kind.name, SLICE("user:")),
                               prefix};
        store_send(t->from, 0, 6, argv, on_unread, t);
        return;
    }
    users_of(t->kind.name, &a, &b);
    struct slice argv[] = {SLICE("EVAL"), slice_of(ids_script), SLICE("1"), key, a, b, prefix};
    store_send(t->from, 0, 7, argv, on_ids, t);
}
