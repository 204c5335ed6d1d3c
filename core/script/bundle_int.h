/* Private to the bundle: what it is made of (bundle.c), and its image (bundle_image.c). */
#ifndef GATE_SCRIPT_BUNDLE_INT_H
#define GATE_SCRIPT_BUNDLE_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

#include "base/list.h"
#include "script/bundle.h"

/* What was read, and what the disk said of it then. */
struct gate_bundle_content {
    char *bytes; /* NULL: there was none, or it is no part of the bundle */
    size_t n;
    bool there;
    dev_t dev;
    ino_t ino;
    struct timespec changed;
};

struct gate_bundle_file {
    struct gate_list node;
    char *name; /* display name */
    char *path; /* NULL: from memory */
    struct gate_bundle_content content;
    /* gate_bundle_keep_beside; owned, wiped when it goes. NULL: nothing was kept. */
    char *beside;
    size_t beside_n;
    bool data;
};

/* `--data name=file`. */
struct gate_bundle_data_path {
    struct gate_list node;
    char *name;
    char *path;
};

struct gate_bundle {
    _Atomic uint32_t refs;
    pthread_mutex_t lock; /* of the lists, and of frozen */
    bool frozen;
    struct gate_list files;
    struct gate_list data_paths;
    struct gate_bundle_file *main;
    /* of the main file, with '/' at its end; NULL: from memory, no disk */
    char *dir;
    char *scripts_dir;
};

/* Sets what is kept of the file; takes over the bytes. */
void gate_bundle_file_keep(struct gate_bundle_file *f, char *bytes, size_t n);

/* Without files; the caller adds the main one first. */
struct gate_bundle *gate_bundle_new(void);

#endif
