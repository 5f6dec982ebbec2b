/*
 * libFuzzer on the file of options: any bytes. What is refused must say why in one line or
 * more; what is good must be the same when it is read again.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/options.h"
#include "tests/fuzz/fuzz.h"

static char path[64];
static int file = -1;

static void write_file(const uint8_t *data, size_t size) {
    if (file < 0) {
        file = memfd_create("options", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    check(ftruncate(file, 0) == 0);
    check(pwrite(file, data, size, 0) == (ssize_t)size);
}

static void on_changed(void *owner, const char *flag, const char *place, bool taken) {
    (void)owner, (void)flag, (void)place, (void)taken;
    check(false); /* the same file was read twice */
}

static bool load(struct options *o) {
    static char program[] = "sluice", flag[] = "--config";
    static char *arguments[] = {program, flag, path, NULL};
    char said[2048] = "";
    FILE *errors = fmemopen(said, sizeof said, "w");
    check(errors != NULL);
    bool good = options_load(o, 3, arguments, errors, errors) == OPTIONS_RUN;
    fclose(errors);
    check(good == (said[0] == '\0'));
    check(good || strncmp(said, "sluice: ", 8) == 0);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct options one, other;
    write_file(data, size);
    if (load(&one)) {
        check(load(&other));
        options_take(&one, &other, on_changed, NULL);
        options_deinit(&other);
    }
    options_deinit(&one);
    return 0;
}
