#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/net/slab.h"

static struct region put_in(struct slabs *s, enum slab_lane lane, size_t len, int byte) {
    char *room = slabs_reserve_in(s, lane, len);
    assert_non_null(room);
    memset(room, byte, len);
    return slabs_commit(s, len);
}

static struct region put(struct slabs *s, size_t len, int byte) {
    return put_in(s, SLAB_PLAIN, len, byte);
}

static void assert_filled(struct region r, int byte) {
    assert_true(r.at + r.len <= r.slab->used && r.slab->used <= r.slab->size);
    for (uint32_t i = 0; i < r.len; i++)
        assert_int_equal((unsigned char)r.slab->bytes[r.at + i], byte);
}

static void held_regions_are_neighbours(void **state) {
    (void)state;
    struct slabs s = {0};
    struct region first = put(&s, 10, 1);
    slab_ref(first.slab);
    struct region second = put(&s, 20, 2);
    slab_ref(second.slab);
    assert_ptr_equal(first.slab, second.slab);
    assert_int_equal(first.at, 0);
    assert_int_equal(second.at, 10);
    assert_filled(first, 1);
    assert_filled(second, 2);
    assert_int_equal(first.slab->refs, 3);
    slab_unref(&s, first.slab);
    slab_unref(&s, second.slab);
    assert_int_equal(s.current[SLAB_PLAIN]->refs, 1);
    slabs_deinit(&s);
}

/* One of its regions is enough to keep all of a slab's bytes. */
static void what_nobody_holds_is_used_again(void **state) {
    (void)state;
    struct slabs s = {0};
    struct region first = put(&s, 100, 1);
    assert_int_equal(put(&s, 50, 2).at, 0);
    first = put(&s, 100, 3);
    slab_ref(first.slab);
    assert_int_equal(first.at, 0);
    assert_int_equal(put(&s, 10, 4).at, 100);
    assert_int_equal(put(&s, 10, 5).at, 110);
    assert_filled(first, 3);
    slab_unref(&s, first.slab);
    struct region again = put(&s, 10, 6);
    assert_int_equal(again.at, 0);
    assert_ptr_equal(again.slab, first.slab);
    slabs_deinit(&s);
}

static void a_reservation_may_be_committed_shorter(void **state) {
    (void)state;
    struct slabs s = {0};
    char *room = slabs_reserve(&s, 1000);
    assert_non_null(room);
    struct region r = slabs_commit(&s, 3);
    slab_ref(r.slab);
    assert_ptr_equal(slabs_reserve(&s, 5), room + 3);
    assert_int_equal(slabs_commit(&s, 0).len, 0);
    assert_int_equal(slabs_commit(&s, 5).at, 3);
    slab_unref(&s, r.slab);
    slabs_deinit(&s);
}

static void a_full_slab_gives_way(void **state) {
    (void)state;
    struct slabs s = {0};
    struct region whole = put(&s, SLAB_BYTES, 1);
    slab_ref(whole.slab);
    struct region next = put(&s, 1, 2);
    slab_ref(next.slab);
    assert_ptr_not_equal(next.slab, whole.slab);
    assert_int_equal(whole.slab->refs, 1);
    assert_filled(whole, 1);
    /* Exactly what is left still fits; one byte more does not. */
    struct region rest = put(&s, SLAB_BYTES - 1, 3);
    assert_ptr_equal(rest.slab, next.slab);
    assert_int_equal(rest.at, 1);
    assert_ptr_not_equal(put(&s, 1, 4).slab, next.slab);
    assert_filled(next, 2);
    slab_unref(&s, whole.slab);
    slab_unref(&s, next.slab);
    slabs_deinit(&s);
}

static void one_slab_at_rest_is_kept(void **state) {
    (void)state;
    struct slabs s = {0};
    struct slab *held[3];
    for (int i = 0; i < 3; i++) {
        held[i] = put(&s, SLAB_BYTES, i).slab;
        slab_ref(held[i]);
    }
    put(&s, 1, 9);
    assert_null(s.spare);
    slab_unref(&s, held[0]);
    assert_ptr_equal(s.spare, held[0]);
    slab_unref(&s, held[1]);
    slab_unref(&s, held[2]);
    assert_ptr_equal(s.spare, held[0]);
    struct region r = put(&s, SLAB_BYTES, 4);
    assert_ptr_equal(r.slab, held[0]);
    assert_int_equal(r.at, 0);
    assert_int_equal(r.slab->refs, 1);
    slabs_deinit(&s);
    assert_null(s.current[SLAB_PLAIN]);
    assert_null(s.spare);
}

static void big_frames_have_slabs_of_their_own(void **state) {
    (void)state;
    struct slabs s = {0};
    struct region small = put(&s, 10, 1);
    slab_ref(small.slab);
    struct region big = put(&s, SLAB_BYTES + 1, 2);
    slab_ref(big.slab);
    assert_ptr_not_equal(big.slab, small.slab);
    assert_int_equal(big.at, 0);
    assert_true(big.slab->size >= SLAB_BYTES + 1);
    assert_filled(small, 1);
    assert_filled(big, 2);
    struct region after = put(&s, 10, 3);
    assert_ptr_equal(after.slab, small.slab); /* it stayed the current one */
    assert_int_equal(after.at, 10);
    slab_unref(&s, big.slab); /* freed: only ordinary ones are kept */
    assert_null(s.spare);
    slab_unref(&s, small.slab);
    slabs_deinit(&s);
    assert_int_equal(s.held, 0);
}

/* No queue took it: its memory is freed at the end of the turn, and is not used again. */
static void a_big_frame_that_nobody_has_goes(void **state) {
    (void)state;
    struct slabs s = {0};
    assert_int_equal(put(&s, 10, 1).at, 0);
    size_t before = s.held;
    put(&s, 1U << 20, 2);
    assert_true(s.held > 1U << 20);
    slabs_rest(&s);
    assert_int_equal(s.held, before);
    put(&s, 1U << 20, 2);
    put(&s, 10, 3);
    assert_int_equal(s.held, before);
    slabs_deinit(&s);
}

/* A long random run against a copy of what was written: no region changes while it is held. */
static void held_bytes_never_change(void **state) {
    (void)state;
    enum { HELD = 40 };
    struct slabs s = {0};
    struct region held[HELD] = {0};
    unsigned random = 1;
    for (int round = 0; round < 20000; round++) {
        random = random * 1103515245U + 12345U;
        unsigned i = (random >> 16) % HELD;
        if (held[i].slab != NULL) {
            assert_filled(held[i], (int)i + 1);
            slab_unref(&s, held[i].slab);
            held[i].slab = NULL;
        } else {
            unsigned len = (random >> 8) % (round % 50 == 0 ? 40000 : 600);
            held[i] = put(&s, len, (int)i + 1);
            slab_ref(held[i].slab);
        }
    }
    for (int i = 0; i < HELD; i++) {
        if (held[i].slab == NULL)
            continue;
        assert_filled(held[i], i + 1);
        slab_unref(&s, held[i].slab);
    }
    slabs_deinit(&s);
}

static void nothing_used_needs_nothing_freed(void **state) {
    (void)state;
    struct slabs s = {0};
    slabs_deinit(&s);
    slabs_deinit(&s);
}

static void each_lane_has_neighbours_of_its_own(void **state) {
    (void)state;
    struct slabs s = {0};
    struct region r[4];
    for (int i = 0; i < 4; i++) {
        r[i] = put_in(&s, i % 2 == 0 ? SLAB_PLAIN : SLAB_PACKED, 10, i);
        slab_ref(r[i].slab);
    }
    assert_ptr_not_equal(r[0].slab, r[1].slab);
    for (int i = 2; i < 4; i++) {
        assert_ptr_equal(r[i].slab, r[i - 2].slab);
        assert_int_equal(r[i].at, 10);
    }
    /* A long frame of one lane is there until the same lane's next one. */
    struct region plain = put(&s, SLAB_BYTES + 1, 4);
    put_in(&s, SLAB_PACKED, SLAB_BYTES + 1, 5);
    assert_filled(plain, 4);
    assert_filled(put_in(&s, SLAB_PACKED, 1, 6), 6);
    assert_filled(plain, 4);
    put_in(&s, SLAB_PACKED, SLAB_BYTES + 1, 7);
    slabs_rest(&s);
    for (int i = 0; i < 4; i++) {
        assert_filled(r[i], i);
        slab_unref(&s, r[i].slab);
    }
    slabs_deinit(&s);
    assert_int_equal(s.held, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lane_has_neighbours_of_its_own),
        cmocka_unit_test(held_regions_are_neighbours),
        cmocka_unit_test(what_nobody_holds_is_used_again),
        cmocka_unit_test(a_reservation_may_be_committed_shorter),
        cmocka_unit_test(a_full_slab_gives_way),
        cmocka_unit_test(one_slab_at_rest_is_kept),
        cmocka_unit_test(big_frames_have_slabs_of_their_own),
        cmocka_unit_test(a_big_frame_that_nobody_has_goes),
        cmocka_unit_test(held_bytes_never_change),
        cmocka_unit_test(nothing_used_needs_nothing_freed),
    };
    return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
