/*
 * Runs a fuzz target without libFuzzer: with each seed of a folder, and with what a few simple
 * changes make of it. It needs no clang, and takes a second or two, so it is a part of
 * `make test`.
 *
 *     build/asan/fuzz/fuzz_json tests/fuzz/corpus/json
 *
 * The last line is "N passed": the number of seeds. If an input is a finding, the program ends
 * with the sanitizer's report, the seed's name, the change and the input.
 */
#include <dirent.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define SEED_MOST   65536
#define PLACES_MOST 256 /* of a long seed only so many places are changed */

static struct {
    const char *seed;
    const char *change;
    size_t at;
    struct slice input;
    unsigned long count;
} now;

static void tell(void) {
    fprintf(stderr, "\n%s, %s at %zu:\n", now.seed, now.change, now.at);
    for (size_t i = 0; i < now.input.len; i++) {
        unsigned char c = (unsigned char)now.input.ptr[i];
        fprintf(stderr, c >= 0x20 && c < 0x7f && c != '\\' ? "%c" : "\\x%02x", c);
    }
    fputc('\n', stderr);
}

static void on_abort(int number) {
    tell();
    signal(number, SIG_DFL);
    raise(number);
}

/* Each input has an allocation of its own. */
static void run(const char *change, size_t at, struct slice input) {
    char *copy = fuzz_copy(input);
    now.change = change;
    now.at = at;
    now.input = (struct slice){copy, input.len};
    now.count++;
    LLVMFuzzerTestOneInput((const uint8_t *)copy, input.len);
    free(copy);
}

static void put_in(const char *change, struct slice seed, size_t at, size_t out,
                   struct slice in) {
    char bytes[2 * SEED_MOST];
    memcpy(bytes, seed.ptr, at);
    memcpy(bytes + at, in.ptr, in.len);
    memcpy(bytes + at + in.len, seed.ptr + at + out, seed.len - at - out);
    run(change, at, (struct slice){bytes, seed.len - out + in.len});
}

static void change_at(struct slice seed, size_t at) {
    static const char others[] = {'\0', '"', '\\', '\n', '9', '-', (char)0x80, (char)0xff};
    char flipped = (char)(seed.ptr[at] ^ 0x20);
    run("cut", at, (struct slice){seed.ptr, at});
    run("tail", at, (struct slice){seed.ptr + at, seed.len - at});
    put_in("left out", seed, at, 1, (struct slice){"", 0});
    put_in("twice", seed, at, 0, (struct slice){seed.ptr + at, 1});
    put_in("other case", seed, at, 1, (struct slice){&flipped, 1});
    for (size_t i = 0; i < sizeof others; i++)
        put_in("replaced", seed, at, 1, (struct slice){&others[i], 1});
    put_in("many digits", seed, at, 1, SLICE("99999999999999999999"));
}

static void change(struct slice seed) {
    size_t step = 1 + seed.len / PLACES_MOST;
    run("as it is", 0, seed);
    for (size_t at = 0; at < seed.len; at += step)
        change_at(seed, at);
    put_in("said twice", seed, seed.len, 0, seed);
}

static void run_file(const char *folder, const char *name) {
    char path[1024], bytes[SEED_MOST];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    now.seed = path;
    change((struct slice){bytes, len});
}

int main(int argc, char **argv) {
    struct dirent **names = NULL;
    int seeds = 0;
    int count = argc == 2 ? scandir(argv[1], &names, NULL, alphasort) : -1;
    if (count < 0) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    signal(SIGABRT, on_abort);
    __sanitizer_set_death_callback(tell);
    alarm(300); /* a loop without an end is a finding, too */
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.') {
            run_file(argv[1], names[i]->d_name);
            seeds++;
        }
        free(names[i]);
    }
    free(names);
    printf("%lu inputs\n%d passed\n", now.count, seeds);
    return seeds > 0 ? 0 : 1;
}
