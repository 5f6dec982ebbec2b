#include "gateway/redis/cluster_known.h"

static struct known_node *find(struct cluster_known *m, const struct redis_place *at) {
    for (size_t i = 0; i < m->count; i++) {
        if (redis_place_same(&m->all[i].place, at))
            return &m->all[i];
    }
    return NULL;
}

static struct known_node *find_or_add(struct cluster_known *m, const struct redis_place *at) {
    struct known_node *one = find(m, at);
    if (one != NULL || m->count == KNOWN_MOST)
        return one;
    one = &m->all[m->count++];
    *one = (struct known_node){.place = *at};
    return one;
}

void known_init(struct cluster_known *m, const struct redis_seeds *seeds) {
    m->count = m->next = 0;
    for (size_t i = 0; i < seeds->count; i++)
        find_or_add(m, &seeds->all[i]);
    m->seeds = m->count;
}

const struct redis_place *known_next(struct cluster_known *m) {
    return &m->all[m->next++ % m->count].place;
}

void known_begin(struct cluster_known *m) {
    m->count = m->seeds;
    for (size_t i = 0; i < m->seeds; i++)
        m->all[i].id[0] = m->all[i].ip[0] = '\0';
}

void known_add(struct cluster_known *m, const struct cluster_node *node) {
    struct known_node *one = find_or_add(m, &node->place);
    if (one == NULL)
        return;
    memcpy(one->id, node->id, sizeof one->id);
    memcpy(one->ip, node->ip, sizeof one->ip);
}

static bool is_known(const struct cluster_known *m, const struct cluster_node *node,
                     bool by_place) {
    for (size_t i = 0; i < m->count; i++) {
        const struct known_node *one = &m->all[i];
        if (one->id[0] != '\0' && (strcmp(one->id, node->id) == 0 ||
                                   (by_place && redis_place_same(&one->place, &node->place))))
            return true;
    }
    return false;
}

bool known_strange(const struct cluster_known *m, struct slice text,
                   const struct nodes_view *view, bool by_place) {
    struct cluster_node node;
    bool told = false;
    for (size_t i = 0; i < m->count; i++)
        told = told || m->all[i].id[0] != '\0';
    while (told && cluster_nodes_next(&text, view, &node)) {
        if (is_known(m, &node, by_place))
            return false;
    }
    return told;
}

const struct redis_place *known_place(const struct cluster_known *m,
                                      const struct redis_place *told) {
    for (size_t i = 0; i < m->count; i++) {
        const struct known_node *one = &m->all[i];
        if (one->place.port == told->port && strcmp(one->ip, told->host) == 0)
            return &one->place;
    }
    return told;
}
