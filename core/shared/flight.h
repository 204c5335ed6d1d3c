/* Flight: one computation of a missing value, for all who ask for it meanwhile. The first who joins
 * leads, the others wait; what the leader lands with they all get. A leader that leaves without
 * it hands over to the one that has waited longest.
 *
 * Shared between threads: one lock for all flights of an engine, held across no call; mails are
 * posted behind it. A seat is one thread's: whoever joined with it. */
#ifndef GATE_SHARED_FLIGHT_H
#define GATE_SHARED_FLIGHT_H

#include "net/mailbox.h"
#include "shared/dict.h"

#define GATE_FLIGHT_CODE 64u
#define GATE_FLIGHT_WHY  1024u

struct gate_flights;
struct gate_flight_seat;

/* What a flight landed with. Kind GATE_DICT_NONE: no value; a code: the error instead. */
struct gate_flight_result {
    struct gate_dict_value value;
    struct gate_str code;
    struct gate_str why;
};

/* Called on the loop of the seat's mailbox: the seat's flight has landed, or it leads now. Never
 * after it left. */
typedef void gate_flight_called(struct gate_flight_seat *seat, void *arg);

struct gate_flights *gate_flights_new(void);

/* Asserts that there are no flights. Clears the pointer. */
void gate_flights_free(struct gate_flights **flights);

/* Joins the flight of a key, or begins one. `box`: where the call is to come. */
struct gate_flight_seat *gate_flight_join(struct gate_flights *fs, const struct gate_dict *d,
                                          const struct gate_dict_key *k, struct gate_mailbox *box,
                                          gate_flight_called *called, void *arg);

/* Whether this seat has to do the work. */
bool gate_flight_leads(const struct gate_flight_seat *seat);

/* What it landed with; NULL: not yet. The seat's until it leaves. */
const struct gate_flight_result *gate_flight_result(const struct gate_flight_seat *seat);

/* The leader is done: all who wait are called. Code and text are cut at their limits. Clears the
 * pointer. */
void gate_flight_land(struct gate_flight_seat **seat, const struct gate_flight_result *r);

/* Gives the seat back: a leader hands over, others go. Clears the pointer. */
void gate_flight_leave(struct gate_flight_seat **seat);

#endif
