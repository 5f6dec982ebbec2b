/* The work that is done, as main.c tells of it. */
#include "load.h"
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BURST 128 /* connections, or joins, that are under way at once */

struct conn *conns;
unsigned conn_count, ready_count;
bool is_crowd;
static unsigned patience = 60; /* seconds for the work before and after the window */

static uint64_t limit(void) {
    return now() + patience * SECOND;
}

/* Those that a node refused while Redis was away come again, as clients do. */
static struct {
    struct conn **conns;
    unsigned count;
    uint64_t due;
} again;

void try_later(struct conn *c) {
    if (again.conns == NULL)
        again.conns = calloc((size_t)option[CONNS], sizeof *again.conns);
    check(again.conns != NULL, "calloc");
    if (again.count == 0)
        again.due = now() + SECOND;
    again.conns[again.count++] = c;
}

static void try_again(void) {
    if (again.count == 0 || now() < again.due)
        return;
    unsigned count = again.count;
    again.count = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!again.conns[i]->refused)
            continue; /* it was cut off meanwhile */
        again.conns[i]->refused = false;
        dialect->begin(again.conns[i]);
    }
}

static void wait_for(const uint64_t *counter, uint64_t wanted, const char *what) {
    uint64_t end = limit();
    while (*counter < wanted) {
        loop_turn(100);
        if (now() > end)
            fail("%" PRIu64 " of %" PRIu64 " %s within %u s", *counter, wanted, what, patience);
    }
    if (*counter > wanted)
        fail("%" PRIu64 " %s, expected %" PRIu64, *counter, what, wanted);
}

static void open_all(unsigned count, unsigned publishers, enum role role) {
    uint64_t end = limit();
    conns = calloc(count, sizeof *conns);
    check(conns != NULL, "calloc");
    while (ready_count < count) {
        for (; conn_count < count && conn_count - ready_count < BURST; conn_count++)
            conn_connect(&conns[conn_count], conn_count,
                         conn_count < publishers ? PUBLISHER : role);
        loop_turn(100);
        try_again();
        if (now() > end)
            fail("%u of %u connections ready within %u s", ready_count, count, patience);
    }
}

/* ---- Messages for a while */

static void send_one(unsigned turn) {
    bool friends = conns[0].role == FRIEND;
    struct conn *c = &conns[turn % (friends ? conn_count : (unsigned)option[PUBS])];
    if (friends)
        message_tell(c);
    else
        message_publish(c, turn % (unsigned)option[TOPICS]);
    conn_flush(c);
}

static void saturate(uint64_t subscribers, unsigned publishers) {
    uint64_t most = (uint64_t)option[WINDOW] * publishers;
    for (unsigned i = 0; i < publishers; i++) {
        while (conns[i].unacked < option[WINDOW] &&
               counts.sent * subscribers < counts.delivered + most * subscribers)
            message_publish(&conns[i], topic_of(&conns[i]));
        conn_flush(&conns[i]);
    }
}

static void run(double seconds) {
    static unsigned turn_of;
    uint64_t end = now() + (uint64_t)(seconds * 1e9);
    while (now() < end) {
        if (option[RATE] > 0) {
            for (; ticks > 0; ticks--)
                send_one(turn_of++);
        } else if (conns[0].role == PUBLISHER) {
            saturate(subs_of_topic(), (unsigned)option[PUBS]);
        }
        loop_turn(10);
    }
}

static void measure(uint64_t receivers) {
    running = true;
    if (option[RATE] > 0)
        loop_ticks(option[RATE]);
    for (unsigned i = 0; option[RATE] == 0 && i < conn_count && conns[i].role == FRIEND; i++) {
        message_tell(&conns[i]);
        conn_flush(&conns[i]);
    }
    run((double)option[WARMUP] / 1e3);
    struct sample from = sample_take();
    counting = true;
    run((double)option[SECONDS]);
    struct sample to = sample_take();
    counting = running = false;
    if (dialect->acks)
        wait_for(&counts.acked, counts.sent, "messages acknowledged");
    wait_for(&counts.delivered, counts.sent * receivers, "deliveries");
    sample_print(&from, &to, receivers);
}

static void fanout(void) {
    open_all((unsigned)(option[SUBS] + option[PUBS]), (unsigned)option[PUBS], SUBSCRIBER);
    measure(subs_of_topic());
}

static void pairs(void) {
    open_all((unsigned)option[PAIRS] * 2, 0, FRIEND);
    measure(1);
}

/* ---- Connections that say nothing */

/* Waits until nothing came for a second, so that timers and rosters are done. */
static void settle(void) {
    uint64_t end = limit(), quiet = now(), seen = counts.reads;
    while (now() < quiet + SECOND && now() < end) {
        loop_turn(100);
        if (counts.reads != seen)
            quiet = now();
        seen = counts.reads;
    }
}

static double join_all(unsigned count) {
    uint64_t from = now(), end = limit();
    for (unsigned joins = 0; counts.acked < count;) {
        for (; joins < count && joins - counts.acked < BURST; joins++)
            join_room(&conns[joins]);
        loop_turn(100);
        if (now() > end)
            fail("%" PRIu64 " of %u joins within %u s", counts.acked, count, patience);
    }
    return (double)(now() - from) / 1e9;
}

static void idle(void) {
    unsigned count = (unsigned)option[CONNS];
    bool joins = strcmp(dialect->name, "sluice") == 0;
    long before = memory("VmRSS");
    uint64_t from = now();
    open_all(count, 0, IDLER);
    double opening = (double)(now() - from) / 1e9;
    settle();
    long open = memory("VmRSS");
    printf("{\"conns\":%u,\"before_kib\":%ld,\"open_bytes\":%.0f,\"opened_a_second\":%.0f",
           count, before, (double)(open - before) * 1024 / count, count / opening);
    if (joins) {
        double joining = join_all(count);
        settle();
        printf(",\"joined_bytes\":%.0f,\"joined_a_second\":%.0f",
               (double)(memory("VmRSS") - before) * 1024 / count, count / joining);
    }
    printf(",\"peak_bytes\":%.0f,\"frames\":%" PRIu64 "}\n",
           (double)(memory("VmHWM") - before) * 1024 / count, counts.others);
}

/* The input ends when nobody wants the crowd any more. */
static bool input_ended(void) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static void crowd(void) {
    unsigned count = (unsigned)option[CONNS];
    bool told = false;
    is_crowd = true;
    patience = 3600;
    open_all(count, 0, SUBSCRIBER);
    if (cut_off > 0)
        fprintf(stderr, "load: %u connections were cut off on their way in\n", cut_off);
    puts("ready");
    fflush(stdout);
    while (!input_ended()) {
        loop_turn(100);
        if (told || counts.delivered < count)
            continue;
        told = true;
        puts("all");
        fflush(stdout);
    }
}

void mode_run(const char *name) {
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {{"fanout", fanout}, {"pairs", pairs}, {"idle", idle}, {"crowd", crowd}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(name, modes[i].name) == 0) {
            modes[i].run();
            return;
        }
    }
    fail("%s: fanout, pairs, idle or crowd", name);
}
