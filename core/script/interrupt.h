/* Interrupt: the signal by which watchdogs reach the threads that run scripts. What a signal
 * does is a matter of the whole process: all watchdogs that name the same one share its handler,
 * and the last of them gives back what was there before. Any thread. */
#ifndef GATE_SCRIPT_INTERRUPT_H
#define GATE_SCRIPT_INTERRUPT_H

#include <signal.h>

#include "base/err.h"

/* Installs the handler, the same one for all. GATE_E_INVALID: no real-time signal; GATE_E_EXISTS:
 * somebody else handles it. */
enum gate_err gate_interrupt_take(int signal, void (*handler)(int, siginfo_t *, void *));
void gate_interrupt_give(int signal);

#endif
