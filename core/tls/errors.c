#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

#include "tls/tls_int.h"

void gate_tls_explain(char *why, size_t why_cap, const char *fmt, ...)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(e);
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(why, why_cap, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < why_cap && reason != NULL)
        snprintf(why + n, why_cap - (size_t)n, ": %s", reason);
    ERR_clear_error();
}
