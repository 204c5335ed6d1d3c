/* Bundle: all source files of a gateway, name to bytes, read once; every VM of a generation loads
 * from it. Shared by builder threads: its own lock, held while a file is read too, so that each is
 * read once. */
#ifndef GATE_SCRIPT_BUNDLE_H
#define GATE_SCRIPT_BUNDLE_H

#include "base/err.h"
#include "base/str.h"

struct gate_bundle;

/* `main_file`: path of the gateway file; modules are looked for beside it (a dot is a folder), then
 * in `scripts_dir` (may be NULL). Reads only the main file: GATE_E_NOTFOUND / GATE_E_SYS (errno)
 * when it cannot. */
enum gate_err gate_bundle_open(const char *main_file, const char *scripts_dir,
                               struct gate_bundle **out);

/* A bundle whose main file is given as bytes (`run --proxy`, the library). */
struct gate_bundle *gate_bundle_from_memory(const char *name, struct gate_str bytes);

/* More files from memory; they win over the disk. */
void gate_bundle_add(struct gate_bundle *b, const char *name, struct gate_str bytes);

/* `--data name=file`: where gate.data(name) reads from. */
void gate_bundle_data_path(struct gate_bundle *b, const char *name, const char *path);

/* The main file's display name ("gateway.lua") and bytes. */
struct gate_str gate_bundle_main_name(const struct gate_bundle *b);
struct gate_str gate_bundle_main(const struct gate_bundle *b);

/* Module "a.b" or data "name" (name.json): display name and bytes, read from disk the first time
 * anybody asks; the same answer for all that ask later. GATE_E_NOTFOUND when there is none; views
 * live as long as the bundle. */
enum gate_err gate_bundle_module(struct gate_bundle *b, struct gate_str module,
                                 struct gate_str *name, struct gate_str *bytes);
enum gate_err gate_bundle_data(struct gate_bundle *b, struct gate_str data, struct gate_str *name,
                               struct gate_str *bytes);

/* A file of the bundle by its display name, when it was read or added before; sources for messages
 * and checks. */
bool gate_bundle_read(struct gate_bundle *b, struct gate_str name, struct gate_str *bytes);

/* The path of a file that is not part of the bundle, but is watched with it, and may be stale like
 * the others (a certificate): beside the main file, unless it is absolute. It is about to be read.
 * The caller frees it; NULL: too long. */
char *gate_bundle_beside(struct gate_bundle *b, struct gate_str name);

/* What was read of such a file, secrets among it, to be had again where its bundle is loaded once
 * more and must not ask the disk. Wiped with the bundle. False: nothing was kept. */
void gate_bundle_keep_beside(struct gate_bundle *b, struct gate_str name, struct gate_str bytes);
bool gate_bundle_kept_beside(struct gate_bundle *b, struct gate_str name, struct gate_str *bytes);

/* Where such files are: "" or with a '/' at its end. */
struct gate_str gate_bundle_dir(const struct gate_bundle *b);

/* Paths of all files that were looked for, there or not, for watching; calls fn for each. */
void gate_bundle_each_path(struct gate_bundle *b, void (*fn)(void *arg, const char *path),
                           void *arg);

/* Whether the disk has changed since: a file was written, replaced, removed, or has appeared. */
bool gate_bundle_stale(struct gate_bundle *b);

/* It is whole: from now on what was not looked for is not there. */
void gate_bundle_freeze(struct gate_bundle *b);

/* One hash of all names and bytes; the second leaves data files out. */
uint64_t gate_bundle_hash(struct gate_bundle *b);
uint64_t gate_bundle_code_hash(struct gate_bundle *b);

/* All of it as bytes, secrets among them, for another process; the caller frees them (gate_free).
 * The other way round it is whole (frozen), and as stale as it was. GATE_E_SYNTAX: these are no
 * such bytes. */
struct gate_str gate_bundle_image(struct gate_bundle *b);
enum gate_err gate_bundle_from_image(struct gate_str image, struct gate_bundle **out);

/* References; the last one that is given up frees it. Any thread. */
struct gate_bundle *gate_bundle_ref(struct gate_bundle *b);
void gate_bundle_free(struct gate_bundle **b);

#endif
