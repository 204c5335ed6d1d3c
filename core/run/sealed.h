/* Sealed: bytes in memory that is handed from process to process, under a checksum: read back whole
 * or not at all. Secrets may be among them. No state. */
#ifndef GATE_RUN_SEALED_H
#define GATE_RUN_SEALED_H

#include "base/err.h"
#include "base/str.h"

/* The descriptor is the caller's. GATE_E_SYS: errno says why. */
enum gate_err gate_sealed_write(struct gate_str bytes, int *fd);

/* The bytes, which the caller wipes and frees (gate_sealed_free). GATE_E_SYNTAX: these are not what
 * was written. */
enum gate_err gate_sealed_read(int fd, char **bytes, size_t *n);
void gate_sealed_free(const char *bytes, size_t n);

/* Nobody is to read it any more; the descriptor stays the caller's. */
void gate_sealed_wipe(int fd);

#endif
