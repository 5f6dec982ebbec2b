#include "common/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Bytes are read ahead, since a system call costs as much as writing the text of a small
 * script. */
static unsigned char ahead[256];
static size_t left;

static void ask_kernel(unsigned char *out, size_t len) {
    while (len > 0) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0 && errno != EINTR) {
            perror("sluice: random numbers");
            abort();
        }
        if (n > 0) {
            out += n;
            len -= (size_t)n;
        }
    }
}

void random_bytes(void *out, size_t len) {
    if (len > sizeof ahead) {
        ask_kernel(out, len);
        return;
    }
    if (len > left) {
        ask_kernel(ahead, sizeof ahead);
        left = sizeof ahead;
    }
    left -= len;
    memcpy(out, ahead + left, len);
    memset(ahead + left, 0, len); /* bytes that were given out are kept nowhere */
}

uint64_t random_u64(void) {
    uint64_t bits;
    random_bytes(&bits, sizeof bits);
    return bits;
}
