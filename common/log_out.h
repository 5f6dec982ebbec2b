#ifndef SLUICE_COMMON_LOG_OUT_H
#define SLUICE_COMMON_LOG_OUT_H

#include <stdint.h>

#include "common/slice.h"

/*
 * The output of the log: standard output, which may be a pipe, a terminal, a file or a socket.
 * Writing never waits for a reader. Lines that are not taken at once are kept, up to
 * LOG_OUT_KEPT bytes. A line beyond that is lost, as are lines that the output refuses (a full
 * disk, a reader that is gone). A line is written whole or not at all. Only a file on a disk
 * that hangs can block it.
 */
#define LOG_OUT_KEPT 65536

/* Called at the start, before any descriptor is opened. Standard streams that are closed become
 * /dev/null, so that nothing else gets their numbers. */
void log_out_guard(void);

/* Writes a line, which ends with a newline, or keeps it, or loses it. */
void log_out(struct slice line);
/* Tries to write what is kept. */
void log_out_flush(void);
/* Called at the end: the same, but waits up to `ms` for a reader. */
void log_out_finish(int ms);
/* Counts one more lost line, for which there was no memory. */
void log_out_lose(void);

/* True while nothing is kept. */
bool log_out_flows(void);
/* The number of lines that were lost since the start. */
uint64_t log_out_lost(void);

#endif
