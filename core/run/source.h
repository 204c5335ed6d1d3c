/* Source: where a gateway comes from (its file, or the text that --proxy stands for) and what
 * follows from that: the bundle, the name, the place of the control socket. No state. */
#ifndef GATE_RUN_SOURCE_H
#define GATE_RUN_SOURCE_H

#include "base/addr.h"
#include "run/options.h"
#include "script/bundle.h"

/* Reads the gateway. On failure *why is the reason, without the file's name ("No such file or
 * directory"). */
enum gate_err gate_source_open(const struct gate_options *o, struct gate_bundle **out, char *why,
                               size_t cap);

/* The name for messages: the file as given, or "--proxy". */
const char *gate_source_name(const struct gate_options *o);

/* Whether the text behind --proxy can be served; *why as in gate_options_parse. */
bool gate_source_check_proxy(const struct gate_options *o, char *why, size_t cap);

/* Path of the control socket: --socket, else what the gateway declared (`declared`, may be
 * empty), else the default by a hash of the file's real path. False: too long for a socket. */
bool gate_source_control(const struct gate_options *o, struct gate_str declared,
                         char to[sizeof(((struct sockaddr_un *)0)->sun_path)]);

#endif
