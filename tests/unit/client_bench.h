#ifndef SLUICE_TESTS_CLIENT_BENCH_H
#define SLUICE_TESTS_CLIENT_BENCH_H

#include "gateway/client/request.h"

/*
 * A client above a fake Redis, with a door and handlers of the test's own: programs with it
 * link gateway/client and what is below it. Time is the loop's, which the test moves. The calls
 * of the door are told (told.h): "1={} !2:unavailable/refused #2 pause close:1013:slow ".
 */
#define MOST 1048576 /* max-message */

extern uv_loop_t loop;
extern struct leases leases;
extern struct lease *lease; /* the only one */
extern struct clients clients;
extern struct options options;
extern struct event_row rows[EVENT_COUNT];
extern struct door door;
extern struct client *client;
extern struct request *held; /* the request of `typing`, which takes its time */
extern bool abandoned;       /* that request was abandoned */
extern size_t unread;        /* bytes that the socket has not taken */
extern bool freed;           /* the client was freed */
extern bool kills;           /* an answer ends the connection */
extern uint64_t slow_until;  /* until when the connection is not read; 0: it is */

/* tear_down checks that nothing is left of the client. */
int set_up_anonymous(void **state);
int set_up(void **state); /* it is logged in, as ann */
int tear_down(void **state);
#define NEW(name)  cmocka_unit_test_setup_teardown(name, set_up_anonymous, tear_down)
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

void client_make(void);
void client_log_in(void);

/* An event with this data, or without any if it is empty; the number is its ack. `publish`
 * appends, `history` asks Redis, `heartbeat` is answered at once, `typing` is held. */
void send_event(const char *event, unsigned number, const char *data);
/* The same in the same turn as what is sent next. */
void send_event_beside(const char *event, unsigned number, const char *data);
/* A message whose clientMessageId is this number. after: 0, or the one before it. */
void send_message(unsigned number, unsigned after);
/* The oldest script must append this message. */
void assert_appends(unsigned number);
void answer_append(unsigned seq);
/* The handler of `typing`. */
void hold(struct request *r, struct json_value data);

#endif
