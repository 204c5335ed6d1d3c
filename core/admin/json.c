#include "admin/json.h"

#include "base/log.h"

void gate_json_string(FILE *to, struct gate_str s)
{
    char piece[6 * 64];

    fputc('"', to);
    while (s.n > 0) {
        size_t n = s.n < 64 ? s.n : 64;
        struct gate_out o = gate_out_on(piece, sizeof(piece));

        gate_log_escape_json(&o, gate_str_of(s.p, n));
        fwrite(o.p, 1, o.n, to);
        s = gate_str_of(s.p + n, s.n - n);
    }
    fputc('"', to);
}

void gate_json_member(FILE *to, const char *key, struct gate_str value)
{
    fprintf(to, ",\"%s\":", key);
    gate_json_string(to, value);
}

void gate_json_number(FILE *to, const char *key, uint64_t value)
{
    fprintf(to, ",\"%s\":%llu", key, (unsigned long long)value);
}
