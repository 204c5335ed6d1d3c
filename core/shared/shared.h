/* Shared: the dictionaries of one engine by name and size, and the flights over them. Any thread;
 * one lock for the list, held while memory is mapped but never across a call to others. Those who
 * use a dictionary open and close it; control takes away what nobody uses, and sees to it that the
 * owner of the listeners keeps the memory of the rest. */
#ifndef GATE_SHARED_SHARED_H
#define GATE_SHARED_SHARED_H

#include "shared/dict.h"
#include "shared/flight.h"

struct gate_shared;

struct gate_shared *gate_shared_new(void);

/* Asserts that nobody uses a dictionary any more. Clears the pointer. */
void gate_shared_free(struct gate_shared **shared);

/* The dictionary of that name and size, made when there is none. GATE_E_SYS: errno says why. */
enum gate_err gate_shared_open(struct gate_shared *s, struct gate_str name, uint64_t bytes,
                               struct gate_dict **out);

/* Clears the pointer. */
void gate_shared_close(struct gate_shared *s, struct gate_dict **d);

/* Memory of an earlier engine, which the keeper handed over; `fd` is taken over. What is of
 * another version or size is left out. *drops: shards that a dead engine had left torn. */
enum gate_err gate_shared_adopt(struct gate_shared *s, int fd, struct gate_str name,
                                uint64_t bytes, uint64_t *drops);

/* Whoever keeps the memory while engines come and go. */
struct gate_shared_keeper {
    void (*keep)(void *arg, struct gate_str name, uint64_t bytes, int fd);
    void (*drop)(void *arg, struct gate_str name, uint64_t bytes);
};

/* Control: what is used and not yet kept is given to the keeper, what nobody uses goes. */
void gate_shared_settle(struct gate_shared *s, const struct gate_shared_keeper *k, void *arg);

/* The numbers of the dictionaries that are used, for metrics; *out is the caller's (gate_free). */
struct gate_shared_numbers {
    char name[GATE_DICT_NAME_MAX];
    size_t name_n;
    struct gate_dict_numbers numbers;
};

uint32_t gate_shared_report(struct gate_shared *s, struct gate_shared_numbers **out);

struct gate_flights *gate_shared_flights(struct gate_shared *s);

#endif
