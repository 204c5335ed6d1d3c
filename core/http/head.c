/* Heads: names of methods and status codes. Immutable. */
#include "http/head.h"

#include "base/assert.h"

enum gate_method gate_method_of(struct gate_str text)
{
    static const struct {
        struct gate_str name;
        enum gate_method m;
    } known[] = {
        {GATE_STR("GET"), GATE_M_GET},         {GATE_STR("POST"), GATE_M_POST},
        {GATE_STR("HEAD"), GATE_M_HEAD},       {GATE_STR("PUT"), GATE_M_PUT},
        {GATE_STR("DELETE"), GATE_M_DELETE},   {GATE_STR("OPTIONS"), GATE_M_OPTIONS},
        {GATE_STR("PATCH"), GATE_M_PATCH},     {GATE_STR("TRACE"), GATE_M_TRACE},
        {GATE_STR("CONNECT"), GATE_M_CONNECT},
    };

    if (text.n == 3 && memcmp(text.p, "GET", 3) == 0)
        return GATE_M_GET;
    for (size_t i = 1; i < GATE_COUNT_OF(known); i++)
        if (gate_str_eq(text, known[i].name))
            return known[i].m;
    return GATE_M_OTHER;
}

bool gate_method_idempotent(enum gate_method m)
{
    switch (m) {
    case GATE_M_GET:
    case GATE_M_HEAD:
    case GATE_M_PUT:
    case GATE_M_DELETE:
    case GATE_M_OPTIONS:
    case GATE_M_TRACE:
        return true;
    default:
        return false;
    }
}

struct reason {
    int status;
    struct gate_str text;
};

/* In order of status; RFC 9110 section 15 and the registry. */
static const struct reason reasons[] = {
    {100, GATE_STR("Continue")},
    {101, GATE_STR("Switching Protocols")},
    {102, GATE_STR("Processing")},
    {103, GATE_STR("Early Hints")},
    {200, GATE_STR("OK")},
    {201, GATE_STR("Created")},
    {202, GATE_STR("Accepted")},
    {203, GATE_STR("Non-Authoritative Information")},
    {204, GATE_STR("No Content")},
    {205, GATE_STR("Reset Content")},
    {206, GATE_STR("Partial Content")},
    {207, GATE_STR("Multi-Status")},
    {208, GATE_STR("Already Reported")},
    {226, GATE_STR("IM Used")},
    {300, GATE_STR("Multiple Choices")},
    {301, GATE_STR("Moved Permanently")},
    {302, GATE_STR("Found")},
    {303, GATE_STR("See Other")},
    {304, GATE_STR("Not Modified")},
    {305, GATE_STR("Use Proxy")},
    {307, GATE_STR("Temporary Redirect")},
    {308, GATE_STR("Permanent Redirect")},
    {400, GATE_STR("Bad Request")},
    {401, GATE_STR("Unauthorized")},
    {402, GATE_STR("Payment Required")},
    {403, GATE_STR("Forbidden")},
    {404, GATE_STR("Not Found")},
    {405, GATE_STR("Method Not Allowed")},
    {406, GATE_STR("Not Acceptable")},
    {407, GATE_STR("Proxy Authentication Required")},
    {408, GATE_STR("Request Timeout")},
    {409, GATE_STR("Conflict")},
    {410, GATE_STR("Gone")},
    {411, GATE_STR("Length Required")},
    {412, GATE_STR("Precondition Failed")},
    {413, GATE_STR("Content Too Large")},
    {414, GATE_STR("URI Too Long")},
    {415, GATE_STR("Unsupported Media Type")},
    {416, GATE_STR("Range Not Satisfiable")},
    {417, GATE_STR("Expectation Failed")},
    {418, GATE_STR("I'm a teapot")},
    {421, GATE_STR("Misdirected Request")},
    {422, GATE_STR("Unprocessable Content")},
    {423, GATE_STR("Locked")},
    {424, GATE_STR("Failed Dependency")},
    {425, GATE_STR("Too Early")},
    {426, GATE_STR("Upgrade Required")},
    {428, GATE_STR("Precondition Required")},
    {429, GATE_STR("Too Many Requests")},
    {431, GATE_STR("Request Header Fields Too Large")},
    {451, GATE_STR("Unavailable For Legal Reasons")},
    {500, GATE_STR("Internal Server Error")},
    {501, GATE_STR("Not Implemented")},
    {502, GATE_STR("Bad Gateway")},
    {503, GATE_STR("Service Unavailable")},
    {504, GATE_STR("Gateway Timeout")},
    {505, GATE_STR("HTTP Version Not Supported")},
    {506, GATE_STR("Variant Also Negotiates")},
    {507, GATE_STR("Insufficient Storage")},
    {508, GATE_STR("Loop Detected")},
    {511, GATE_STR("Network Authentication Required")},
};

struct gate_str gate_status_reason(int status)
{
    size_t low = 0;
    size_t high = GATE_COUNT_OF(reasons);

    if (status == 200)
        return GATE_STR("OK");
    while (low < high) {
        size_t mid = (low + high) / 2;

        if (reasons[mid].status == status)
            return reasons[mid].text;
        if (reasons[mid].status < status)
            low = mid + 1;
        else
            high = mid;
    }
    return GATE_STR("Unknown");
}
