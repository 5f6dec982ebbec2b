#ifndef SLUICE_COMMON_LOG_H
#define SLUICE_COMMON_LOG_H

#include <stdbool.h>

/*
 * The log: one line for each event on standard output, in logfmt or JSON. The process has one
 * log. It is the only state outside of struct node, since a line may have to be logged where no
 * node is known. Nothing here waits for the reader of the log (log_out.h). Lines for which
 * there is no room are lost and counted, and a line `log_lines_lost` tells how many as soon as
 * there is room again.
 */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* node: the name on each line; copied. May be called again, to change something. */
void log_open(const char *node, enum log_level level, bool json);
bool log_enabled(enum log_level level);

/*
 * log_write(LOG_INFO, "listening", "addr", "127.0.0.1:8080", NULL): an event and pairs of key
 * and text, ended by NULL. Text is escaped for the format; a pair whose text is NULL is left
 * out.
 */
__attribute__((sentinel)) void log_write(enum log_level level, const char *event, ...);

/* Tries again to write the lines that are kept. The owner of the loop calls it from time to
 * time. */
void log_flush(void);

/* Formats the texts of log_write, into a static buffer that is valid until the fourth call from
 * now. */
__attribute__((format(printf, 1, 2))) const char *log_text(const char *format, ...);

#define LOG(level, ...)                                                                        \
    do {                                                                                       \
        if (log_enabled(level))                                                                \
            log_write(level, __VA_ARGS__);                                                     \
    } while (0)

#endif
