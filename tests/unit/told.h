#ifndef SLUICE_TESTS_TOLD_H
#define SLUICE_TESTS_TOLD_H

#include "fake_redis.h"

/* What the code under test has told the test by its callbacks, as one text: "in:ann out:bob ".
 */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* All that was told since the last time; the text holds until the next tell. */
const char *told(void);
void told_forget(void);
#define assert_told(...)      assert_string_equal(told(), fake_format(__VA_ARGS__))
#define assert_told_nothing() assert_string_equal(told(), "")

#endif
