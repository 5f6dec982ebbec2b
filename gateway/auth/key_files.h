#ifndef SLUICE_AUTH_KEY_FILES_H
#define SLUICE_AUTH_KEY_FILES_H

#include "gateway/auth/keys.h"
#include "gateway/options.h"

/*
 * Adds the keys that the options name: jwt-secret, jwt-secret-file, jwt-keys. Files are read
 * whole, at the start and at each reload. Returns NULL, or what is wrong with the option whose
 * flag is in *flag then (valid until four more texts are made by log_text).
 */
const char *key_files_read(struct keys *keys, const struct options *o, const char **flag);

#endif
