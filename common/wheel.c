#include "common/wheel.h"

#include <stddef.h>

static uint64_t tick_of(uint64_t deadline) {
    return deadline / WHEEL_TICK_MS + (deadline % WHEEL_TICK_MS != 0);
}

static void ring_init(struct wheel_timer *head) {
    head->next = head;
    head->prev = head;
}

static void ring_push(struct wheel_timer *head, struct wheel_timer *t) {
    t->prev = head->prev;
    t->next = head;
    head->prev->next = t;
    head->prev = t;
}

static void ring_remove(struct wheel_timer *t) {
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->next = NULL;
    t->prev = NULL;
}

/* Moves all of `from` to the empty ring `to`. */
static void ring_move(struct wheel_timer *to, struct wheel_timer *from) {
    ring_init(to);
    if (from->next == from)
        return;
    to->next = from->next;
    to->prev = from->prev;
    to->next->prev = to;
    to->prev->next = to;
    ring_init(from);
}

void wheel_init(struct wheel *w, uint64_t now) {
    for (size_t i = 0; i < WHEEL_SLOTS; i++) {
        ring_init(&w->slots[i]);
        w->slots[i].deadline = 0;
    }
    w->tick = now / WHEEL_TICK_MS;
    w->count = 0;
}

void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t deadline) {
    wheel_clear(w, t);
    uint64_t tick = tick_of(deadline);
    if (tick <= w->tick)
        tick = w->tick + 1;
    t->deadline = deadline;
    ring_push(&w->slots[tick % WHEEL_SLOTS], t);
    w->count++;
}

void wheel_clear(struct wheel *w, struct wheel_timer *t) {
    if (!wheel_is_set(t))
        return;
    ring_remove(t);
    w->count--;
}

/*
 * The slot's timers are moved to a separate ring, of which always the first one is taken. So a
 * callback may take out any of them, and timers that it sets again are not seen in this tick.
 */
static void run_slot(struct wheel *w, void (*fire)(void *arg, struct wheel_timer *t),
                     void *arg) {
    struct wheel_timer *slot = &w->slots[w->tick % WHEEL_SLOTS];
    struct wheel_timer taken;
    ring_move(&taken, slot);
    while (taken.next != &taken) {
        struct wheel_timer *t = taken.next;
        ring_remove(t);
        if (tick_of(t->deadline) > w->tick) {
            ring_push(slot, t);
            continue;
        }
        w->count--;
        fire(arg, t);
    }
}

void wheel_run(struct wheel *w, uint64_t now, void (*fire)(void *arg, struct wheel_timer *t),
               void *arg) {
    uint64_t target = now / WHEEL_TICK_MS;
    /* After a long pause one round visits every slot; more rounds would find nothing. */
    if (target > w->tick + WHEEL_SLOTS)
        w->tick = target - WHEEL_SLOTS;
    while (w->tick < target) {
        if (w->count == 0) {
            w->tick = target;
            return;
        }
        w->tick++;
        run_slot(w, fire, arg);
    }
}
