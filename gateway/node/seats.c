#include "gateway/node/seats.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SILENT_MS 2000 /* without a tick; a turn of the loop takes a few */

static size_t size_of(unsigned count) {
    return sizeof(struct seats) + count * sizeof(struct seat);
}

static struct seats *map(int fd, unsigned count) {
    void *at = mmap(NULL, size_of(count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

struct seats *seats_make(unsigned count, int *fd) {
    *fd = memfd_create("sluice-seats", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, (off_t)size_of(count)) != 0)
        return NULL;
    struct seats *s = map(*fd, count);
    if (s != NULL)
        s->count = count;
    return s;
}

struct seats *seats_attach(int fd, unsigned count) {
    struct stat is;
    if (fstat(fd, &is) != 0 || (size_t)is.st_size != size_of(count))
        return NULL;
    return map(fd, count);
}

uint64_t seats_now(void) {
    struct timespec now = {.tv_sec = 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const char *seat_trouble(const struct seat *s) {
    if (s->pid == 0)
        return "it has ended, and is started again";
    if (s->told == 0)
        return "it starts";
    if (seats_now() - s->told > SILENT_MS)
        return "it stands still";
    if (s->drains)
        return "it drains";
    return s->ready ? NULL : "it cannot use Redis";
}

/* A worker that starts has told nothing yet, so that its gauges mean nothing. */
void seats_join(const struct seats *s, struct metrics *out) {
    bool begun = false;
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < s->count; i++) {
        const struct seat *seat = &s->seat[i];
        if (seat->pid == 0 || seat->told == 0)
            continue;
        if (begun)
            metrics_join(out, &seat->metrics);
        else
            *out = seat->metrics;
        begun = true;
    }
    metrics_outlive(out, &s->ended);
    for (unsigned i = 0; i < s->count; i++)
        if (seat_trouble(&s->seat[i]) != NULL)
            metric_set(out, METRIC_READY, 0);
}

void seat_leave(struct seats *s, struct seat *left) {
    unsigned starts = left->starts;
    metrics_outlive(&s->ended, &left->metrics);
    memset(left, 0, sizeof *left);
    left->starts = starts;
}
