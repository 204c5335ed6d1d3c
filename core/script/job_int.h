/* Jobs: script functions that run on tasks of their own: what gate.spawn begins, the members of a
 * gate.all, the ticks of gate.every. One thread; a job belongs to its VM, and ends with it; while
 * there are jobs the VM holds the seat that it serves. */
#ifndef GATE_SCRIPT_JOB_INT_H
#define GATE_SCRIPT_JOB_INT_H

#include "script/job_kind_int.h"
#include "script/task_int.h"

/* Jobs of one VM at a time; more are refused. */
#define GATE_JOBS_MAX 10000

struct gate_job_group;
struct gate_vm_timer;

struct gate_job {
    uint32_t magic;
    struct gate_list node;        /* vm->jobs */
    struct gate_list sibling;     /* of its group */
    struct gate_ready start;      /* nothing begins from inside a call of another script */
    struct gate_task task;
    struct gate_job_group *group; /* gate.all; NULL: nobody waits for it */
    struct gate_vm_timer *timer;  /* gate.every; NULL: another kind */
    struct gate_permit *permits;  /* of semaphores */
    bool probe;                   /* it tries its kind out of quarantine */
    int32_t number;               /* by which Lua finds its function; timers: less than 0 */
    struct gate_job_kind *kind;   /* NULL: a member of gate.all, which counts as who waits */
    struct gate_task_origin origin; /* its strings live as long as the VM */
};

/* From inside a script (vm->task): begins the function of a number; GATE_E_LIMIT, GATE_E_KILLED
 * (quarantine: such ones were stopped again and again). */
enum gate_err gate_job_spawn(struct gate_vm *vm, int32_t number);

/* Begins n functions and arms the task's wait, which ends with the last of them: GATE_E_SCRIPT when
 * one raised (task->raised); they share the CPU budget of the call. GATE_E_LIMIT. */
enum gate_err gate_job_all(struct gate_vm *vm, int32_t first, int32_t n);

/* The task that a job works for: its own, or, through gate.all, the one that waits for it. */
struct gate_task *gate_job_caller(struct gate_task *t);

void gate_job_origin(const struct gate_task *t, struct gate_task_origin *to);

/* Quarantine. key_spawned: of what the owner of another key spawns. ask: before a job of a kind is
 * made; BARRED is counted. is_barred: it may not run, now that it is to. killed: it was stopped.
 * probed: what became of job->probe. */
struct gate_quarantine_key gate_job_key_spawned(struct gate_quarantine_key by);
enum gate_quarantine_answer gate_job_ask(struct gate_vm *vm, struct gate_job_kind *kind);
bool gate_job_is_barred(const struct gate_job *job);
void gate_job_count_barred(struct gate_vm *vm, struct gate_job_kind *kind);
void gate_job_killed(struct gate_job *job);
void gate_job_probed(struct gate_job *job, bool passed);

/* The seat that the VM serves from now on. */
void gate_jobs_serve(struct gate_vm *vm, struct gate_generation_seat *seat);

/* Those of its configuration, unless they run. stop: another VM serves, or none will. */
void gate_jobs_start_timers(struct gate_vm *vm);
void gate_jobs_stop_timers(struct gate_vm *vm);

/* Ends all jobs and timers of the VM. */
void gate_jobs_end(struct gate_vm *vm);

#endif
