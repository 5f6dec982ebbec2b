/*
 * The command line of the load client:
 *
 *     load fanout|pairs|idle|crowd [name=N]... [as=DIALECT] redis=PID HOST:PORT:PID...
 *
 * The servers are given by address and pid, so that their CPU time is read at the very ends of
 * the measured window. Prints one line of JSON; says on stderr what failed and exits with 1.
 *   fanout  subs subscribers of topics topics (1), each of one, pubs publishers. rate=0: each
 *           publisher keeps window publishes outstanding, until acknowledged and delivered;
 * else rate publishes a second, over all topics in turn pairs   pairs of users who send each
 * other private messages. rate=0: each sends the next when the last is acknowledged and
 * delivered; else rate messages a second, from all in turn idle    memory of conns connections:
 * open, then (by the dialect sluice) logged in and in a room of room members crowd   conns
 * connections, logged in as u<first> and so on, all subscribed to one topic. It says "ready"
 * when they are, "all" when each has the one message that somebody publishes then, and stays
 * until its input ends. By the dialect sluice only. seconds is the window, after warmup
 * milliseconds. payload is the bytes of a message's JSON text. deflate=1: all offer
 * permessage-deflate, and inflate what they get. as: sluice (its /ws), socketio, plain (the
 * servers of this directory), nchan, centrifugo.
 */
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char *const option_names[OPTIONS] = {
    "subs",  "pubs",  "topics", "window", "rate",    "seconds", "warmup",
    "pairs", "conns", "room",   "first",  "payload", "deflate", "redis"};
long option[OPTIONS] = {1000, 4, 1, 32, 0, 10, 1000, 200, 10000, 10000, 0, 128, 0, 0};
struct server servers[MAX_SERVERS];
unsigned server_count;
clockid_t redis_cpu;

_Noreturn void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

void check(bool good, const char *what) {
    if (!good)
        fail("%s: %s", what, strerror(errno));
}

uint64_t nanoseconds(clockid_t clock) {
    struct timespec t;
    check(clock_gettime(clock, &t) == 0, "a process is gone: clock_gettime");
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

uint64_t now(void) {
    return nanoseconds(CLOCK_MONOTONIC);
}

static void clock_of(long pid, clockid_t *clock) {
    int error = clock_getcpuclockid((pid_t)pid, clock);
    if (error != 0)
        fail("process %ld: %s", pid, strerror(error));
}

static bool parse_option(const char *arg) {
    for (unsigned i = 0; i < OPTIONS; i++) {
        size_t len = strlen(option_names[i]);
        if (strncmp(arg, option_names[i], len) != 0 || arg[len] != '=')
            continue;
        char *end;
        option[i] = strtol(arg + len + 1, &end, 10);
        if (*end != '\0' || option[i] < 0)
            fail("%s: not a number", arg);
        return true;
    }
    return false;
}

static void parse(const char *arg) {
    char host[64];
    unsigned port;
    int pid;
    if (strncmp(arg, "as=", 3) == 0) {
        dialect_choose(arg + 3);
        return;
    }
    if (parse_option(arg))
        return;
    struct server *s = &servers[server_count];
    if (server_count == MAX_SERVERS || sscanf(arg, "%63[0-9.]:%u:%d", host, &port, &pid) != 3 ||
        inet_pton(AF_INET, host, &s->addr.sin_addr) != 1)
        fail("%s: neither name=N nor HOST:PORT:PID", arg);
    s->addr.sin_family = AF_INET;
    s->addr.sin_port = htons((uint16_t)port);
    s->pid = pid;
    clock_of(pid, &s->cpu);
    server_count++;
}

int main(int argc, char **argv) {
    struct rlimit files;
    for (int i = 2; i < argc; i++)
        parse(argv[i]);
    if (option[PAYLOAD] < 32 || option[PAYLOAD] > PAYLOAD_MOST)
        fail("payload: 32 to %d bytes", PAYLOAD_MOST);
    if (server_count == 0 || option[REDIS] == 0 || option[ROOM] == 0 || option[PUBS] == 0 ||
        option[TOPICS] == 0)
        fail("usage: load fanout|pairs|idle|crowd [name=N]... redis=PID HOST:PORT:PID...");
    clock_of(option[REDIS], &redis_cpu);
    check(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
    files.rlim_cur = files.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
    loop_init();
    mode_run(argv[1]);
    return 0;
}
