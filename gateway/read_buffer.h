#ifndef SLUICE_GATEWAY_READ_BUFFER_H
#define SLUICE_GATEWAY_READ_BUFFER_H

#include <uv.h>

/* A uv_alloc_cb: 64 KiB that all streams of the process read into, and connections too. Its
 * users have copied or used up what was read before they return, so one buffer is enough. */
void read_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);

#endif
