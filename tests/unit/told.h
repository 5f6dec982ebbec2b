#ifndef SLUICE_TESTS_TOLD_H
#define SLUICE_TESTS_TOLD_H

#include "fake_redis.h"

/* The calls from the code under test to the test's callbacks, as one text: "in:ann out:bob ".
 */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Everything that was told since the last call. The text is valid until the next tell. */
const char *told(void);
void told_forget(void);
#define assert_told(...)      assert_string_equal(told(), fake_format(__VA_ARGS__))
#define assert_told_nothing() assert_string_equal(told(), "")

#endif
