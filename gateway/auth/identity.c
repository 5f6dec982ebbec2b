#include "gateway/auth/identity.h"

#include <stdlib.h>

struct identity *identity_ref(struct identity *who) {
    who->refs++;
    return who;
}

void identity_unref(struct identity *who) {
    if (who == NULL || --who->refs > 0)
        return;
    grant_free(who->grant);
    free(who->data);
    free(who);
}
