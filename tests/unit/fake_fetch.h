#ifndef SLUICE_TESTS_FAKE_FETCH_H
#define SLUICE_TESTS_FAKE_FETCH_H

#include "gateway/auth/fetch.h"

/* Stands in for gateway/auth/fetch.c: a test answers what the code under test fetches. */

/* How many fetches have begun since the last fake_fetch_reset. */
unsigned fake_fetch_begun(void);
bool fake_fetch_is_open(void);
/* Ends the one that is open with this text, or (wrong) fails it. */
void fake_fetch_answer(const char *text, const char *wrong);
void fake_fetch_reset(void);

#endif
