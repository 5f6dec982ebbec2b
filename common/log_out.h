#ifndef SLUICE_COMMON_LOG_OUT_H
#define SLUICE_COMMON_LOG_OUT_H

#include <stdint.h>

#include "common/slice.h"

/*
 * Where log lines go: standard output, be it a pipe, a terminal, a file or a socket. Writing
 * never waits for a reader. What is not taken at once is kept, up to LOG_OUT_KEPT bytes; a line
 * beyond that is lost, as are lines that the output refuses (a full disk, a reader that is
 * gone). A line is written whole or not at all. Only a file on a disk that stands still can
 * hold it up.
 */
#define LOG_OUT_KEPT 65536

/* At the start, before any descriptor is opened: standard streams that are closed become
 * /dev/null, so that nothing else gets their numbers. */
void log_out_guard(void);

/* Writes a line, which ends with a newline, or keeps it, or loses it. */
void log_out(struct slice line);
/* Tries to write what is kept. */
void log_out_flush(void);
/* At the end: the same, and waits up to `ms` for a reader. */
void log_out_finish(int ms);
/* One more line is lost: there was no memory to make it. */
void log_out_lose(void);

/* True while nothing is kept. */
bool log_out_flows(void);
/* Lines lost since the start. */
uint64_t log_out_lost(void);

#endif
