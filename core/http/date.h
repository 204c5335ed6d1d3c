/* Date: IMF-fixdate (RFC 9110 section 5.6.7) and log times from wall-clock seconds. No state. */
#ifndef GATE_HTTP_DATE_H
#define GATE_HTTP_DATE_H

#include <stddef.h>
#include <stdint.h>

#define GATE_DATE_LEN 29

/* "Sun, 06 Nov 1994 08:49:37 GMT", not terminated. */
void gate_date_http(int64_t unix_s, char to[GATE_DATE_LEN]);

/* "06/Nov/1994:08:49:37 +0000" (combined log), returns its length. */
#define GATE_DATE_LOG_LEN 26
void gate_date_log(int64_t unix_s, char to[GATE_DATE_LOG_LEN]);

#endif
