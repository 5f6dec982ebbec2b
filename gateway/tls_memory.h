#ifndef SLUICE_GATEWAY_TLS_MEMORY_H
#define SLUICE_GATEWAY_TLS_MEMORY_H

#include <stddef.h>

/*
 * The memory of OpenSSL, which has one allocator for the whole process. So this is, beside the
 * log, the only state outside of struct node. It counts what is held; it keeps a few buffers of
 * records, which connections take for the time of a read or a write, so that they do not leave
 * holes among what stays; and it can bound what a peer makes OpenSSL take. For one thread.
 */

/* To be called first, before anything uses OpenSSL. */
void tls_memory_watch(void);

/* The bytes that OpenSSL holds, all in all, and those that were added. */
size_t tls_memory_held(void);
/* Records outside of OpenSSL, which wait for the kernel. */
void tls_memory_add(size_t bytes);
void tls_memory_take_off(size_t bytes);

/*
 * From now on no piece of memory may have more bytes than this; SIZE_MAX ends it. In the first
 * message of a handshake a peer may announce 128 KiB, for which OpenSSL takes the memory at
 * once, though hardly a byte has come.
 */
void tls_memory_limit(size_t most);

#endif
