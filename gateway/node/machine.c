#include "gateway/node/machine.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4352

static uint64_t least(uint64_t a, uint64_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The number that follows `name` at the beginning of a line of the file; 0: there is none, as
 * "max" means no limit. */
static uint64_t read_number(const char *path, const char *name) {
    char line[256];
    uint64_t n = 0;
    size_t len = strlen(name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (n == 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, len) == 0)
            n = strtoull(line + len, NULL, 10);
    }
    fclose(file);
    return n;
}

static uint64_t machine_total(const char *root) {
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    return read_number(path, "MemTotal:") * 1024;
}

static uint64_t read_bytes(const char *path) {
    return read_number(path, "");
}

/* `QUOTA PERIOD`, both in microseconds; "max" as a quota means no limit. */
static uint64_t read_cores(const char *path) {
    char line[64] = "";
    char *end;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    unsigned long long quota = read ? strtoull(line, &end, 10) : 0;
    unsigned long long period = quota > 0 ? strtoull(end, NULL, 10) : 0;
    return period > 0 ? (quota + period - 1) / period : 0;
}

struct resource {
    const char *file; /* of a group of version 2 */
    const char *file1;
    const char *controller1; /* of version 1; NULL: not looked for */
    uint64_t (*read)(const char *path);
};

/* The tightest limit of a group and of those that it is in. A container sees its own group at
 * the top, whatever /proc says. */
static uint64_t group_limit(const struct resource *r, const char *root, const char *top,
                            char *group, const char *file) {
    char path[PATH_SIZE];
    uint64_t limit = 0;
    for (;;) {
        snprintf(path, sizeof path, "%s/sys/fs/cgroup%s%s/%s", root, top, group, file);
        limit = least(limit, r->read(path));
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return limit;
        *slash = '\0';
    }
}

/* A line of /proc/self/cgroup: `0::/path` of version 2, `7:memory:/path` of version 1. */
static uint64_t line_limit(const struct resource *r, const char *root, char *line) {
    char top[64];
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL)
        return 0;
    *controllers++ = *group++ = '\0';
    if (*controllers == '\0')
        return group_limit(r, root, "", group, r->file);
    for (char *one = strtok(controllers, ","); one != NULL; one = strtok(NULL, ",")) {
        if (r->controller1 == NULL || strcmp(one, r->controller1) != 0)
            continue;
        snprintf(top, sizeof top, "/%s", one);
        return group_limit(r, root, top, group, r->file1);
    }
    return 0;
}

static uint64_t limit_of(const struct resource *r, const char *root) {
    char path[PATH_SIZE], line[PATH_SIZE / 2];
    uint64_t limit = 0;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        limit = least(limit, line_limit(r, root, line));
    if (file != NULL)
        fclose(file);
    return limit;
}

uint64_t machine_memory(const char *root) {
    static const struct resource memory = {"memory.max", "memory.limit_in_bytes", "memory",
                                           read_bytes};
    return least(machine_total(root), limit_of(&memory, root));
}

unsigned machine_cores(const char *root) {
    static const struct resource cpu = {.file = "cpu.max", .read = read_cores};
    cpu_set_t set;
    uint64_t mine = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint64_t)CPU_COUNT(&set) : 1;
    return (unsigned)least(mine, limit_of(&cpu, root));
}
