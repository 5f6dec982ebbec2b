#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/map.h"
#include "common/random.h"

struct item {
    struct map_node node;
    char name[32];
    unsigned seen;
    bool in;
};

static struct item *make_items(unsigned n) {
    struct item *items = calloc(n, sizeof *items);
    assert_non_null(items);
    for (unsigned i = 0; i < n; i++) {
        int len = snprintf(items[i].name, sizeof items[i].name, "key:%u", i);
        items[i].node.key = (struct slice){items[i].name, (size_t)len};
    }
    return items;
}

/* All of them in a new map. */
static struct item *make_full(struct map *m, unsigned n) {
    struct item *items = make_items(n);
    map_init(m);
    for (unsigned i = 0; i < n; i++)
        assert_true(map_insert(m, &items[i].node));
    return items;
}

static bool is_power_of_two(size_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

static unsigned longest_chain(const struct map *m) {
    unsigned longest = 0;
    for (size_t i = 0; i < m->size; i++) {
        unsigned n = 0;
        for (const struct map_node *node = m->buckets[i]; node != NULL; node = node->next)
            n++;
        longest = n > longest ? n : longest;
    }
    return longest;
}

static void is_empty_at_first(void **state) {
    (void)state;
    struct map m;
    map_init(&m);
    assert_null(m.buckets);
    assert_null(map_find(&m, SLICE("a")));
    assert_null(map_find(&m, (struct slice){NULL, 0}));
    assert_null(map_next(&m, NULL));
    map_deinit(&m);
}

static void finds_by_the_bytes(void **state) {
    (void)state;
    static const struct slice keys[] = {
        {NULL, 0},       {"\0", 1},         {"\0\0", 2},
        {"a", 1},        {"a\0", 2},        {"b", 1},
        {"12345678", 8}, {"12345678\0", 9}, {"1234567812345678", 16},
        {"1234567", 7}};
    enum { N = sizeof keys / sizeof keys[0] };
    struct map_node nodes[N];
    struct map m;
    map_init(&m);
    for (size_t i = 0; i < N; i++) {
        assert_null(map_find(&m, keys[i]));
        nodes[i].key = keys[i];
        assert_true(map_insert(&m, &nodes[i]));
    }
    assert_int_equal(m.count, N);
    for (size_t i = 0; i < N; i++) {
        char copy[32] = {0};
        if (keys[i].len > 0)
            memcpy(copy + 1, keys[i].ptr, keys[i].len);
        assert_ptr_equal(map_find(&m, (struct slice){copy + 1, keys[i].len}), &nodes[i]);
    }
    assert_null(map_find(&m, SLICE("1234567812345679")));
    map_deinit(&m);
    assert_int_equal(m.count, 0);
    assert_null(m.buckets);
}

static void holds_a_hundred_thousand(void **state) {
    (void)state;
    enum { N = 100000 };
    struct item *items = make_items(N);
    struct map m;
    map_init(&m);
    for (unsigned i = 0; i < N; i++) {
        assert_true(map_insert(&m, &items[i].node));
        assert_true(is_power_of_two(m.size));
        assert_true(m.count <= m.size);
    }
    assert_int_equal(m.count, N);
    assert_true(longest_chain(&m) <= 12);
    for (unsigned i = 0; i < N; i++)
        assert_ptr_equal(map_find(&m, items[i].node.key), &items[i].node);
    size_t peak = m.size;
    for (unsigned i = 0; i < N; i++) {
        map_remove(&m, &items[i].node);
        assert_null(map_find(&m, items[i].node.key));
        if (i + 1 < N)
            assert_ptr_equal(map_find(&m, items[N - 1].node.key), &items[N - 1].node);
        assert_true(m.size <= 8 || m.count * 8 > m.size);
    }
    assert_int_equal(m.count, 0);
    assert_true(m.size < peak / 1000);
    map_deinit(&m);
    free(items);
}

static void walks_each_node_once(void **state) {
    (void)state;
    enum { N = 3000 };
    struct map m;
    struct item *items = make_full(&m, N);
    for (unsigned i = 0; i < N; i += 3)
        map_remove(&m, &items[i].node);
    struct map_node *node = NULL;
    while ((node = map_next(&m, node)) != NULL)
        ((struct item *)(void *)node)->seen++;
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(items[i].seen, i % 3 == 0 ? 0 : 1);
    map_deinit(&m);
    free(items);
}

static void walks_a_map_of_any_size(void **state) {
    (void)state;
    enum { N = 40 };
    struct item *items = make_items(N);
    struct map m;
    map_init(&m);
    for (unsigned i = 0; i < N; i++) {
        assert_true(map_insert(&m, &items[i].node));
        unsigned n = 0;
        for (struct map_node *at = map_next(&m, NULL); at != NULL; at = map_next(&m, at))
            n++;
        assert_int_equal(n, i + 1);
    }
    map_deinit(&m);
    free(items);
}

/* With so many, a look at each bucket before the first node would take minutes. */
static void removes_the_first_until_none_is_left(void **state) {
    (void)state;
    enum { N = 200000 };
    struct map m;
    struct item *items = make_full(&m, N);
    unsigned removed = 0;
    for (struct map_node *at; (at = map_next(&m, NULL)) != NULL; removed++) {
        map_remove(&m, at);
        if (removed % 1000 != 7) /* now and then it comes back, to wherever it belongs */
            continue;
        assert_true(map_insert(&m, at));
        assert_ptr_equal(map_find(&m, at->key), at);
        map_remove(&m, at);
    }
    assert_int_equal(removed, N);
    assert_true(map_insert(&m, &items[0].node));
    assert_ptr_equal(map_next(&m, NULL), &items[0].node);
    map_deinit(&m);
    free(items);
}

static void inserts_and_removes_in_any_order(void **state) {
    (void)state;
    enum { N = 500, STEPS = 200000 };
    struct item *items = make_items(N);
    struct map m;
    map_init(&m);
    uint64_t random = 88172645463325252U;
    unsigned in = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        /* Turn by turn mostly in and mostly out, so that it grows and shrinks. */
        struct item *item = &items[random % N];
        bool want = (random >> 32) % 10 < (step / 5000 % 2 == 0 ? 9 : 1);
        assert_ptr_equal(map_find(&m, item->node.key), item->in ? &item->node : NULL);
        if (item->in == want)
            continue;
        if (want)
            assert_true(map_insert(&m, &item->node));
        else
            map_remove(&m, &item->node);
        item->in = want;
        in += want ? 1 : -1U;
        assert_int_equal(m.count, in);
    }
    map_deinit(&m);
    free(items);
}

static void each_map_has_a_key_of_its_own(void **state) {
    (void)state;
    struct item *items = make_items(2);
    struct map a;
    struct map b;
    map_init(&a);
    map_init(&b);
    memcpy(items[1].name, items[0].name, sizeof items[0].name);
    assert_true(map_insert(&a, &items[0].node));
    assert_true(map_insert(&b, &items[1].node));
    assert_true(slice_eq(items[0].node.key, items[1].node.key));
    assert_true(items[0].node.hash != items[1].node.hash);
    struct siphash_key key = a.key;
    map_deinit(&a);
    assert_memory_equal(&a.key, &key, sizeof key);
    map_deinit(&b);
    free(items);
}

/* Keys that differ in one bit only must differ in about half the bits of the hash. */
static void each_bit_of_a_key_matters(void **state) {
    (void)state;
    char text[24];
    struct map m;
    map_init(&m);
    for (size_t len = 1; len <= sizeof text; len++) {
        unsigned changed = 0;
        memset(text, 'k', sizeof text);
        struct map_node a = {.key = {text, len}};
        assert_true(map_insert(&m, &a));
        map_remove(&m, &a);
        for (size_t bit = 0; bit < len * 8; bit++) {
            text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
            struct map_node b = {.key = {text, len}};
            assert_true(map_insert(&m, &b));
            map_remove(&m, &b);
            text[bit / 8] = 'k';
            unsigned n = (unsigned)__builtin_popcountll(a.hash ^ b.hash);
            assert_in_range(n, 8, 56);
            changed += n;
        }
        assert_in_range(changed / (len * 8), 26, 38);
    }
    map_deinit(&m);
}

/* As Python's hash of the same bytes, whose key is zero with PYTHONHASHSEED=0. */
static void the_hash_is_siphash(void **state) {
    (void)state;
    static const struct siphash_key zero;
    char all[63];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    assert_true(siphash(&zero, SLICE("a")) == UINT64_C(0x407448d2b89b1813));
    assert_true(siphash(&zero, SLICE("1234567")) == UINT64_C(0xa33d651594fdae81));
    assert_true(siphash(&zero, SLICE("12345678")) == UINT64_C(0x3489982430560a87));
    assert_true(siphash(&zero, SLICE("123456789")) == UINT64_C(0x0fbc0f0007965fcf));
    struct slice long_one = {all, sizeof all};
    assert_true(siphash(&zero, long_one) == UINT64_C(0x385d3e39e5f37359));
    struct siphash_key other = {.k1 = 1};
    assert_true(siphash(&other, long_one) != siphash(&zero, long_one));
}

/* More bytes than are read ahead at once, and much fewer. */
static void no_two_random_numbers_are_alike(void **state) {
    (void)state;
    uint64_t seen[100];
    for (size_t i = 0; i < 100; i++) {
        seen[i] = random_u64();
        for (size_t k = 0; k < i; k++)
            assert_true(seen[i] != seen[k]);
    }
    unsigned char bytes[1000] = {0};
    size_t zeros = 0;
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        zeros += bytes[i] == 0;
    assert_in_range(zeros, 0, 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_empty_at_first),
        cmocka_unit_test(finds_by_the_bytes),
        cmocka_unit_test(holds_a_hundred_thousand),
        cmocka_unit_test(walks_each_node_once),
        cmocka_unit_test(walks_a_map_of_any_size),
        cmocka_unit_test(removes_the_first_until_none_is_left),
        cmocka_unit_test(inserts_and_removes_in_any_order),
        cmocka_unit_test(each_map_has_a_key_of_its_own),
        cmocka_unit_test(each_bit_of_a_key_matters),
        cmocka_unit_test(the_hash_is_siphash),
        cmocka_unit_test(no_two_random_numbers_are_alike),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
