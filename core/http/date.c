/* Dates from seconds, without the C library's locale and time zone. The civil calendar by Howard
 * Hinnant's days-to-date arithmetic: eras of 400 years, years that begin in March. */
#include "http/date.h"

#include <string.h>

struct civil {
    int year;
    int month;   /* 0..11 */
    int day;     /* 1..31 */
    int weekday; /* 0: Sunday */
    int hour;
    int minute;
    int second;
};

static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char DAYS[] = "SunMonTueWedThuFriSat";

/* Four digits have room for the years 0 to 9999; what lies outside is clamped. */
#define FIRST_SECOND (-62167219200ll)
#define LAST_SECOND  253402300799ll

static struct civil civil_of(int64_t s)
{
    struct civil c;
    int64_t days;
    int64_t rest;
    int64_t era;
    unsigned day_of_era, year_of_era, day_of_year, month;

    s = s < FIRST_SECOND ? FIRST_SECOND : s > LAST_SECOND ? LAST_SECOND : s;
    days = s / 86400;
    rest = s % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest % 3600 / 60);
    c.second = (int)(rest % 60);
    c.weekday = (int)(((days + 4) % 7 + 7) % 7);
    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    day_of_era = (unsigned)(days - era * 146097);
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (5 * day_of_year + 2) / 153;
    c.day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    c.month = (int)(month < 10 ? month + 2 : month - 10);
    c.year = (int)(year_of_era + era * 400) + (c.month < 2 ? 1 : 0);
    return c;
}

static char *put_name(char *to, const char *names, int i)
{
    memcpy(to, names + i * 3, 3);
    return to + 3;
}

static char *put_2(char *to, int v)
{
    to[0] = (char)('0' + v / 10);
    to[1] = (char)('0' + v % 10);
    return to + 2;
}

static char *put_4(char *to, int v)
{
    return put_2(put_2(to, v / 100), v % 100);
}

static char *put_time(char *to, const struct civil *c)
{
    to = put_2(to, c->hour);
    *to++ = ':';
    to = put_2(to, c->minute);
    *to++ = ':';
    return put_2(to, c->second);
}

void gate_date_http(int64_t unix_s, char to[GATE_DATE_LEN])
{
    struct civil c = civil_of(unix_s);

    to = put_name(to, DAYS, c.weekday);
    *to++ = ',';
    *to++ = ' ';
    to = put_2(to, c.day);
    *to++ = ' ';
    to = put_name(to, MONTHS, c.month);
    *to++ = ' ';
    to = put_4(to, c.year);
    *to++ = ' ';
    to = put_time(to, &c);
    memcpy(to, " GMT", 4);
}

void gate_date_log(int64_t unix_s, char to[GATE_DATE_LOG_LEN])
{
    struct civil c = civil_of(unix_s);

    to = put_2(to, c.day);
    *to++ = '/';
    to = put_name(to, MONTHS, c.month);
    *to++ = '/';
    to = put_4(to, c.year);
    *to++ = ':';
    to = put_time(to, &c);
    memcpy(to, " +0000", 6);
}
