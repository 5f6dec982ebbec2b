#include "gateway/cli/line.h"

#include <time.h>

/* Valid UTF-8 has 80 to 9F after C2 only as the controls of C1, and a raw one of C0 stands
 * outside of texts. */
void line_json(struct buf *out, struct slice json) {
    for (size_t i = 0; i < json.len; i++) {
        char plain = json.ptr[i];
        unsigned char c = (unsigned char)plain;
        unsigned char next = i + 1 < json.len ? (unsigned char)json.ptr[i + 1] : 0;
        if (c == 0xc2 && next < 0xa0) {
            buf_printf(out, "\\u00%02x", next);
            i++;
        } else if (c == 0x7f) {
            buf_str(out, "\\u007f");
        } else if (c < ' ') {
            buf_char(out, ' ');
        } else {
            buf_char(out, plain);
        }
    }
}

void line_time(struct buf *out, uint64_t ms) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    char stamp[40] = "?";
    if (gmtime_r(&seconds, &parts) != NULL)
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    buf_printf(out, "%s.%03uZ", stamp, (unsigned)(ms % 1000));
}
