#include "gateway/read_buffer.h"

void read_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    static char shared[65536];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(shared, sizeof shared);
}
