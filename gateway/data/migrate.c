#include "gateway/data/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "gateway/data/census.h"
#include "gateway/data/clocks.h"
#include "gateway/data/move.h"
#include "gateway/data/quiet.h"

#define TELL_NS     2000000000ULL
#define VERIFY_MOST 3 /* keys may end their lives between two counts */

struct run {
    const struct migration *m;
    uv_loop_t loop;
    struct store from, to;
    struct census source, target;
    struct move move;
    struct clocks clocks;
    struct marker marker;
    uint64_t began, told; /* uv_hrtime */
    uint64_t counted;
    const char *doing;
    char why[600]; /* what is wrong, if no store has failed */
};

static bool fail(struct run *r, const char *why) {
    if (r->why[0] == '\0')
        snprintf(r->why, sizeof r->why, "%s", why);
    return false;
}

/* --- progress -------------------------------------------------------------------------------
 */

static double seconds(const struct run *r) {
    return (double)(uv_hrtime() - r->began) / 1e9;
}

static uint64_t keys_in(const struct census *c) {
    return c->classes[KEY_DATA];
}

static bool is_due(struct run *r) {
    uint64_t now = uv_hrtime();
    if (now - r->told < TELL_NS)
        return false;
    r->told = now;
    return true;
}

static void tell_count(void *owner, uint64_t keys) {
    struct run *r = owner;
    r->counted = keys;
    if (is_due(r))
        fprintf(stderr, "sluice: migrate: %s: %llu keys\n", r->doing, (unsigned long long)keys);
}

static void tell_move(void *owner) {
    struct run *r = owner;
    double mb = (double)r->move.bytes / 1e6;
    if (is_due(r))
        fprintf(stderr, "sluice: migrate: %llu of %llu keys, %.1f MB, %.1f MB/s\n",
                (unsigned long long)r->move.keys, (unsigned long long)keys_in(&r->source), mb,
                mb / seconds(r));
}

static bool count(struct run *r, struct store *s, struct census *c, const char *doing) {
    r->doing = doing;
    return census_take(c, s, tell_count, r);
}

/* --- before ---------------------------------------------------------------------------------
 */

static bool check_number(struct run *r, const struct store *s) {
    if (s->partitions == 0 || s->partitions == s->d->partitions)
        return true;
    return fail(r, log_text("the nodes of the Cluster that it moves %s use %u partitions, and "
                            "redis-partitions says %u",
                            s == &r->from ? "from" : "to", s->partitions, s->d->partitions));
}

static bool open_stores(struct run *r) {
    const struct migration *m = r->m;
    if (!store_open(&r->from, &r->loop, &m->from, m->from_tls))
        return false;
    if (!m->dry && !store_open(&r->to, &r->loop, &m->to, m->to_tls))
        return false;
    return check_number(r, &r->from) && (m->dry || check_number(r, &r->to));
}

static bool is_quiet(struct run *r) {
    return quiet_check(&r->from, r->m->lease_timeout_ms) &&
           quiet_check(&r->to, r->m->lease_timeout_ms);
}

/* Steps that nodes had not finished are finished by nodes. */
static bool nothing_waits(struct run *r) {
    const struct census *c = &r->source;
    if (c->classes[KEY_WAITING] == 0)
        return true;
    return fail(r, log_text("nodes have not finished all steps (%s): start one on the source "
                            "for some seconds, and stop it with SIGTERM",
                            c->example[KEY_WAITING]));
}

static bool is_empty(struct run *r) {
    static const enum key_class others[] = {KEY_DATA, KEY_WAITING, KEY_UNKNOWN};
    if (!count(r, &r->to, &r->target, "looks at the target"))
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (r->target.classes[others[i]] != 0)
            return fail(r, log_text("the target has data with the prefix %s already (%s): give "
                                    "another prefix, or delete them",
                                    r->to.d->prefix, r->target.example[others[i]]));
    }
    return true;
}

/* Finds out where to begin, and notes in the target that the move is under way. */
static bool begin(struct run *r) {
    struct marker *note = &r->marker;
    struct slice state = buf_bytes(&r->clocks.state), name = slice_of(r->m->from_name);
    if (!marker_read(note, &r->to))
        return false;
    if (note->found && !slice_eq(buf_bytes(&note->from), name))
        return fail(r, log_text("the target has an unfinished move from %.*s: finish that, or "
                                "delete its data",
                                (int)(note->from.len < 300 ? note->from.len : 300),
                                note->from.data));
    if (note->found && slice_eq(buf_bytes(&note->state), state)) {
        fprintf(stderr, "sluice: migrate: goes on with a move that was not finished\n");
        return true;
    }
    if (note->found) {
        fprintf(stderr, "sluice: migrate: the source has changed since the last attempt: "
                        "begins again\n");
        note->found = false;
        r->doing = "clears the target";
        if (!move_clear(&r->move))
            return false;
    } else if (!is_empty(r)) {
        return false;
    }
    marker_begin(&r->to, name, state);
    return store_wait(&r->to, NULL);
}

/* --- after ----------------------------------------------------------------------------------
 */

static bool verify(struct run *r) {
    struct buf differences = {0};
    for (int i = 0; i < VERIFY_MOST; i++) {
        buf_clear(&differences);
        if (!count(r, &r->to, &r->target, "verifies") ||
            (i > 0 && !count(r, &r->from, &r->source, "verifies")))
            break;
        census_compare(&r->source, &r->target, &differences);
        if (differences.len == 0)
            break;
    }
    bool stores = !r->from.failed && !r->to.failed;
    if (stores && differences.failed)
        fail(r, "out of memory");
    else if (stores && differences.len > 0) {
        fail(r,
             log_text("source and target differ, in %.*s",
                      (int)(differences.len < 400 ? differences.len : 400), differences.data));
        marker_begin(&r->to, slice_of(r->m->from_name), SLICE("differs"));
        store_wait(&r->to, NULL);
    }
    buf_deinit(&differences);
    return stores && r->why[0] == '\0';
}

/* Has no node run meanwhile? */
static bool was_quiet(struct run *r) {
    struct clocks now;
    bool same = clocks_read(&now, &r->from) && is_quiet(r);
    if (same && !slice_eq(buf_bytes(&now.state), buf_bytes(&r->clocks.state)))
        same = fail(r, "a node has run on the source meanwhile");
    clocks_deinit(&now);
    return same;
}

static int print_summary(struct run *r, const struct census *c) {
    struct buf out = {0};
    static const char *const left[KEY_CLASSES] = {[KEY_PRESENCE] = "presence",
                                                  [KEY_SESSION] = "sessions",
                                                  [KEY_OWN] = "own",
                                                  [KEY_WAITING] = "waiting",
                                                  [KEY_UNKNOWN] = "unknown"};
    census_print(c, &out);
    for (unsigned i = 0; i < KEY_CLASSES; i++) {
        if (left[i] != NULL && r->source.classes[i] != 0)
            buf_printf(&out, "left   %-8s  %llu\n", left[i],
                       (unsigned long long)r->source.classes[i]);
    }
    if (!r->m->dry)
        buf_printf(
            &out, "moved  %llu keys, %.1f MB in %.1f s; source and target have the same\n",
            (unsigned long long)keys_in(&r->source), (double)r->move.bytes / 1e6, seconds(r));
    bool good =
        !out.failed && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_deinit(&out);
    return good ? 0 : 1;
}

/* --- the whole ------------------------------------------------------------------------------
 */

static bool copy(struct run *r) {
    r->move = (struct move){.from = &r->from, .to = &r->to, .tell = tell_move, .owner = r};
    if (!is_quiet(r) || !clocks_read(&r->clocks, &r->from) ||
        !count(r, &r->from, &r->source, "counts") || !nothing_waits(r) || !begin(r) ||
        !move_copy(&r->move, &r->marker))
        return false;
    clocks_write(&r->clocks, &r->to);
    if (!store_wait(&r->to, NULL) || !verify(r) || !was_quiet(r))
        return false;
    marker_end(&r->to);
    return !r->to.failed;
}

static bool run(struct run *r) {
    if (!open_stores(r))
        return false;
    if (r->m->dry)
        return count(r, &r->from, &r->source, "counts");
    return copy(r);
}

static int complain(const struct run *r) {
    const char *why = r->why, *where = "";
    if (r->from.why[0] != '\0') {
        why = r->from.why;
        where = "the source: ";
    } else if (r->to.why[0] != '\0') {
        why = r->to.why;
        where = "the target: ";
    }
    fprintf(stderr, "sluice: migrate: %s%s\n", where, why[0] != '\0' ? why : "out of memory");
    if (strstr(why, "DUMP payload version") != NULL)
        fprintf(stderr, "sluice: migrate: the target is of an older version than the source, "
                        "and cannot read its values\n");
    return 1;
}

static void close_all(struct run *r) {
    if (r->from.d != NULL)
        store_close(&r->from);
    if (r->to.d != NULL)
        store_close(&r->to);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->loop);
    marker_deinit(&r->marker);
    clocks_deinit(&r->clocks);
}

int migrate_run(const struct migration *m) {
    struct run *r = calloc(1, sizeof *r);
    if (r == NULL || uv_loop_init(&r->loop) != 0) {
        free(r);
        fprintf(stderr, "sluice: migrate: out of memory\n");
        return 1;
    }
    r->m = m;
    r->began = r->told = uv_hrtime();
    int status = run(r) ? print_summary(r, m->dry ? &r->source : &r->target) : complain(r);
    if (r->from.stuck || r->to.stuck)
        _exit(status);
    close_all(r);
    free(r);
    return status;
}
