/* Messages: their text, and what happens when one is acknowledged or comes. */
#include "load.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each text begins with a mark and the time at which it was sent. */
#define MARK         "~at~"
#define MARK_LEN     4
#define STAMP_DIGITS 16

struct counts counts;
bool running, counting;

/* The text has words that are another choice each time. Without its end it has the quotes. */
static const char *payload(uint64_t stamp) {
    static const char *const words[] = {
        "the",      "order",    "is",     "waiting",   "please", "look",   "at",    "invoice",
        "that",     "customer", "wrote",  "yesterday", "and",    "we",     "have",  "not",
        "answered", "yet",      "who",    "can",       "take",   "it",     "over",  "before",
        "lunch",    "I",        "will",   "be",        "back",   "around", "three", "thanks",
        "a",        "lot",      "for",    "your",      "help",   "with",   "this",  "server",
        "restart",  "was",      "fine",   "but",       "queue",  "still",  "grows", "slowly",
        "maybe",    "somebody", "should", "call",      "them",   "today",  "or",    "tomorrow",
        "morning",  "in",       "any",    "case",      "their",  "number", "on",    "page"};
    static char text[PAYLOAD_MOST];
    static uint32_t dice = 1;
    size_t len = (size_t)option[PAYLOAD] - 2;
    size_t at = (size_t)snprintf(text, sizeof text, MARK "%0*" PRIx64, STAMP_DIGITS, stamp);
    while (at < len) {
        dice = dice * 1664525 + 1013904223;
        at += (size_t)snprintf(text + at, sizeof text - at, " %s", words[dice >> 26]);
    }
    text[len] = '\0';
    return text;
}

unsigned topic_of(const struct conn *c) {
    return c->number % (unsigned)option[TOPICS];
}

uint64_t subs_of_topic(void) {
    return (uint64_t)(option[SUBS] / option[TOPICS]);
}

void message_publish(struct conn *c, unsigned topic) {
    dialect->publish(c, topic, payload(now()));
    c->unacked += dialect->acks;
    counts.sent++;
}

void message_tell(struct conn *c) {
    dialect->tell(c, c->number ^ 1, payload(now()));
    c->unacked += dialect->acks;
    c->under_way = 1 + dialect->acks;
    counts.sent++;
}

/* A friend sends the next message when the last is acknowledged and delivered. */
static void friend_step(struct conn *c) {
    if (c->under_way == 0 || --c->under_way > 0 || !running || option[RATE] > 0)
        return;
    message_tell(c);
    conn_flush(c);
}

void message_acked(struct conn *c) {
    counts.acked++;
    if (c->role == FRIEND)
        friend_step(c);
}

bool message_came(struct conn *c, const char *text, size_t len, uint64_t when) {
    static size_t offset; /* of the last mark: usually it is the same */
    if (offset + MARK_LEN + STAMP_DIGITS > len || memcmp(text + offset, MARK, MARK_LEN) != 0) {
        const char *at = memmem(text, len, MARK, MARK_LEN);
        if (at == NULL)
            return false;
        offset = (size_t)(at - text);
    }
    uint64_t stamp = strtoull(text + offset + MARK_LEN, NULL, 16);
    counts.delivered++;
    if (stamp < c->stamp && (option[PUBS] == 1 || c->role == FRIEND))
        counts.disordered++;
    c->stamp = stamp;
    if (counting)
        latency_add(when - stamp);
    if (c->role == FRIEND)
        friend_step(&conns[c->number ^ 1]);
    return true;
}
