#include "gateway/presence/user_lease.h"

#include "gateway/channel/name.h"

struct lease *lease_of_user(const struct leases *l, struct slice user) {
    char name[CHANNEL_NAME_SIZE];
    return l->count == 1 ? l->all : lease_of(l, user_channel(user, name));
}
