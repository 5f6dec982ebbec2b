/* What is measured: CPU time and memory of processes, and latencies. */
#include "load.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LATENCY_MAX 1000000 /* buckets of 10 µs; the last has all that took longer */
static uint32_t latencies[LATENCY_MAX];

void latency_add(uint64_t ns) {
    uint64_t taken = ns / 10000;
    latencies[taken < LATENCY_MAX ? taken : LATENCY_MAX - 1]++;
}

static double percentile(double part) {
    uint64_t total = 0, below = 0;
    for (size_t i = 0; i < LATENCY_MAX; i++)
        total += latencies[i];
    for (size_t i = 0; i < LATENCY_MAX; i++) {
        below += latencies[i];
        if (below > 0 && (double)below >= part * (double)total)
            return (double)i * 10;
    }
    return 0;
}

struct sample sample_take(void) {
    struct sample s = {.counts = counts};
    s.wall = (double)now() / 1e9;
    for (unsigned i = 0; i < server_count; i++)
        s.nodes += (double)nanoseconds(servers[i].cpu) / 1e9;
    s.redis = (double)nanoseconds(redis_cpu) / 1e9;
    s.client = (double)nanoseconds(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
    unsigned long long t[8] = {0};
    FILE *f = fopen("/proc/stat", "r");
    check(f != NULL && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1],
                              &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) == 8,
          "/proc/stat");
    fclose(f);
    double hz = (double)sysconf(_SC_CLK_TCK);
    s.busy = (double)(t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) / hz; /* with stolen time */
    s.idle = (double)(t[3] + t[4]) / hz;
    return s;
}

/* A message counts as one when all of its receivers have it: not every server acknowledges. */
void sample_print(const struct sample *a, const struct sample *b, uint64_t receivers) {
    double wall = b->wall - a->wall, nodes = b->nodes - a->nodes, redis = b->redis - a->redis;
    double client = b->client - a->client;
    double rest = b->busy - a->busy - nodes - redis - client;
    double received = (double)(b->counts.delivered - a->counts.delivered);
    double messages = received / (double)receivers;
    double came = (double)(b->counts.came - a->counts.came);
    if (received == 0)
        fail("nothing came within the window: it is too short");
    printf("{\"seconds\":%.3f,\"messages\":%.0f,\"deliveries\":%.0f,\"node_us\":%.3f,"
           "\"redis_us\":%.3f,\"client_us\":%.3f,\"frames_a_read\":%.2f,\"bytes\":%.1f,"
           "\"p50_us\":%.0f,\"p99_us\":%.0f,\"p999_us\":%.0f,\"disordered\":%" PRIu64
           ",\"cores\":{\"nodes\":%.3f,\"redis\":%.3f,\"client\":%.3f,\"others\":%.3f,"
           "\"idle\":%.3f}}\n",
           wall, messages, received, nodes / received * 1e6, redis / messages * 1e6,
           client / received * 1e6, received / (double)(b->counts.reads - a->counts.reads),
           came / received, percentile(0.5), percentile(0.99), percentile(0.999),
           counts.disordered, nodes / wall, redis / wall, client / wall,
           rest > 0 ? rest / wall : 0, (b->idle - a->idle) / wall);
}

long memory(const char *name) {
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)servers[0].pid);
    FILE *f = fopen(path, "r");
    check(f != NULL, path);
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name) + 1, NULL, 10);
    }
    fclose(f);
    return value;
}
