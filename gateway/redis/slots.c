#include "gateway/redis/slots.h"

#include <stdint.h>

unsigned slots_of_name(struct slice name) {
    unsigned crc = 0;
    for (size_t i = 0; i < name.len; i++) {
        crc ^= (unsigned)(uint8_t)name.ptr[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = ((crc << 1) ^ ((crc & 0x8000) != 0 ? 0x1021U : 0U)) & 0xffff;
    }
    return crc % SLOTS;
}

/* The least number whose slot is within 32 of 256 * r + 128, where r is the partition's number
 * with its 6 bits in reverse. So the first 16 tags are 1,024 slots apart, the first 32 are 512
 * apart, and all 64 are 256 apart. */
static const char tags[64][4] = {
    "14",  "712", "109", "13",  "175", "203", "68",  "172", "29",  "133", "134", "242", "148",
    "52",  "55",  "753", "117", "261", "266", "110", "76",  "770", "777", "71",  "736", "1",
    "6",   "731", "227", "151", "156", "220", "270", "106", "101", "277", "761", "67",  "60",
    "766", "21",  "727", "720", "26",  "140", "236", "231", "147", "703", "269", "343", "118",
    "212", "164", "163", "79",  "122", "9",   "253", "125", "43",  "159", "742", "44"};

const char *slots_tag(unsigned partition) {
    return tags[partition % 64];
}

int slots_partition(struct slice tag) {
    for (int i = 0; i < 64; i++) {
        if (slice_is(tag, tags[i]))
            return i;
    }
    return -1;
}
