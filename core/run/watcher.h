/* Watcher: tells when one of some files was written, replaced or removed, or has appeared. Looks at
 * the folders that hold them (inotify), and at those of all symbolic links on the way; never reads
 * a file. Control thread. */
#ifndef GATE_RUN_WATCHER_H
#define GATE_RUN_WATCHER_H

#include "net/loop.h"

struct gate_watcher;

/* on_change: on the loop, once the files have been quiet for 100 ms. GATE_E_SYS: errno. */
enum gate_err gate_watcher_open(struct gate_loop *loop, struct gate_log *log,
                                void (*on_change)(void *arg), void *arg,
                                struct gate_watcher **out);
void gate_watcher_close(struct gate_watcher **w);

/* The set of files: begin, add each, end. Those that are not named again are let go. A file need
 * not exist, nor its folder. */
void gate_watcher_begin(struct gate_watcher *w);
void gate_watcher_add(struct gate_watcher *w, const char *path);
void gate_watcher_end(struct gate_watcher *w);

/* The files are about to be read: what has happened so far needs no telling. */
void gate_watcher_settle(struct gate_watcher *w);

/* Something has happened before it was watched: as if it had been seen now. */
void gate_watcher_touch(struct gate_watcher *w);

#endif
