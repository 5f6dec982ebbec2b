#ifndef SLUICE_SESSION_TIDES_H
#define SLUICE_SESSION_TIDES_H

#include "common/buf.h"
#include "gateway/channel/tide.h"

/*
 * The tides of all partitions as text (V in session.h). A tide is two characters of its term
 * and then its distance from a time, which is written in groups of five bits, the least first.
 * The 64 characters stand for themselves in a JSON string, and are neither `.` nor `-`.
 */

/* What a text says of one partition. */
struct tide_said {
    uint64_t time; /* 0: nothing is known */
    uint16_t term;
};

void tides_put(struct buf *out, const struct tide *tides, unsigned count, uint64_t time);
/* Reads so many tides, cuts them off *at, and returns true; or false: no node wrote this. */
bool tides_take(struct slice *at, struct tide_said *out, unsigned count, uint64_t time);

#endif
