#ifndef SLUICE_DATA_MARKER_H
#define SLUICE_DATA_MARKER_H

#include "gateway/data/scan.h"

/*
 * The note of a move in its target, {14}migration or migration after the prefix: from where,
 * in which state that was, and how far the move has come. While it stands in a Cluster, the key
 * `partitions` has no number, so that no node starts on it.
 */
struct marker {
    bool found;
    struct buf from;
    struct buf state;
    unsigned link; /* where the scan of the source goes on */
    char cursor[SCAN_CURSOR];
};

/* Reads the note, if there is one. False: the store has failed. marker_deinit is due. */
bool marker_read(struct marker *m, struct store *to);
void marker_deinit(struct marker *m);
/* Writes a new one: the move begins. */
void marker_begin(struct store *to, struct slice from, struct slice state);
/* The move has come so far. */
void marker_at(struct store *to, const struct scan *scan);
/* The move is over: takes the note out, and lets nodes start. */
void marker_end(struct store *to);

#endif
