#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "gateway/node/machine.h"

#define KIB UINT64_C(1024)

static char root[64];

/* A file below the root, with the directories on its way. */
static void put(const char *at, const char *text) {
    char path[256];
    int len = snprintf(path, sizeof path, "%s%s", root, at);
    for (char *c = path + 1; c < path + len; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        mkdir(path, 0700);
        *c = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int begin(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/test_machine.XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    put("/proc/meminfo", "MemTotal:        1000 kB\nMemFree: 5 kB\n");
    return 0;
}

static int end(void **state) {
    char command[80];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static void the_machines_memory(void **state) {
    (void)state;
    assert_int_equal(machine_memory(root), 1000 * KIB);
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_int_equal(machine_memory(root), 1000 * KIB);
    put("/sys/fs/cgroup/a/b/memory.max", "999999999\n"); /* more than there is */
    assert_int_equal(machine_memory(root), 1000 * KIB);
}

static void the_tightest_group_of_version_2(void **state) {
    (void)state;
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "500000\n");
    put("/sys/fs/cgroup/a/memory.max", "400000\n");
    assert_int_equal(machine_memory(root), 400000);
    put("/sys/fs/cgroup/memory.max", "300000\n"); /* as a container sees its own */
    assert_int_equal(machine_memory(root), 300000);
}

static void the_tightest_group_of_version_1(void **state) {
    (void)state;
    put("/proc/self/cgroup", "12:cpu,cpuacct:/x\n4:hugetlb,memory:/x/y\n0::/\n");
    put("/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(machine_memory(root), 1000 * KIB);
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "200000\n");
    assert_int_equal(machine_memory(root), 200000);
    put("/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "100000\n");
    assert_int_equal(machine_memory(root), 100000);
}

static void nothing_is_known(void **state) {
    (void)state;
    put("/proc/meminfo", "nonsense\n");
    put("/proc/self/cgroup", "nonsense\n::\n:\n");
    assert_int_equal(machine_memory(root), 0);
    assert_int_equal(machine_memory("/nowhere"), 0);
    assert_true(machine_memory("") > 0); /* this machine */
}

static void the_cores_of_a_quota(void **state) {
    (void)state;
    unsigned all = machine_cores(root);
    assert_true(all >= 1);
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(machine_cores(root), all);
    put("/sys/fs/cgroup/a/cpu.max", "50000 100000\n"); /* half a core */
    assert_int_equal(machine_cores(root), 1);
    put("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    assert_int_equal(machine_cores(root), all < 2 ? all : 2);
    put("/sys/fs/cgroup/a/cpu.max", "100000000 100000\n"); /* more than there are */
    assert_int_equal(machine_cores(root), all);
    put("/sys/fs/cgroup/a/cpu.max", "nonsense\n");
    assert_int_equal(machine_cores(root), all);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_cores_of_a_quota),
        TEST(the_machines_memory),
        TEST(the_tightest_group_of_version_2),
        TEST(the_tightest_group_of_version_1),
        TEST(nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
