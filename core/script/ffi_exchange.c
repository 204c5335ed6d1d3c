/* Plain fields of a request, its answer, its fault and its peer. */
#include "http/target.h"
#include "script/ffi_int.h"
#include "script/run_int.h"

static const char *from_name(enum gate_from from)
{
    switch (from) {
    case GATE_FROM_UPSTREAM:
        return "upstream";
    case GATE_FROM_CACHE:
        return "cache";
    case GATE_FROM_FAULT:
        return "fault";
    default:
        return "reply";
    }
}

int gate_ffi_alive(struct gate_vm *vm, int32_t id, int32_t serial)
{
    return gate_ffi_exchange(vm, id, serial) == NULL ? GATE_FFI_OVER : GATE_FFI_YES;
}

static int request_text(struct gate_vm *vm, const struct gate_exchange *x, int field)
{
    switch (field) {
    case GATE_TEXT_METHOD:
        return gate_ffi_str(vm, x->req.method);
    case GATE_TEXT_SCHEME:
        return gate_ffi_str(vm, x->req.scheme);
    case GATE_TEXT_HOST:
        return gate_ffi_str(vm, x->req.host);
    case GATE_TEXT_PATH:
        return gate_ffi_str(vm, x->req.path_text);
    case GATE_TEXT_QUERY:
        return gate_ffi_str(vm, x->req.query);
    case GATE_TEXT_TARGET:
        return gate_ffi_str(vm, x->req.head.target);
    case GATE_TEXT_VERSION:
        return gate_ffi_str(vm, gate_request_version(&x->req.head));
    default:
        return GATE_FFI_NO;
    }
}

/* The peer's entry among those of its upstream now, copied; zone lives in the arena. False: it is
 * gone. */
static bool peer_entry(struct gate_exchange *x, struct gate_peer_entry *e)
{
    struct gate_peer_set *set;
    bool found = false;
    uint32_t i = 0;

    if (x->peer == NULL || x->upstream == GATE_NO_ORDINAL)
        return false;
    set = gate_upstream_peers(x->seat->upstreams[x->upstream]);
    while (i < set->n && set->v[i].peer != x->peer)
        i++;
    if (i < set->n && gate_ffi_room(x, set->v[i].zone.n)) {
        *e = set->v[i];
        e->zone = gate_arena_copy(&x->arena, e->zone);
        found = true;
    }
    gate_peer_set_unref(&set);
    return found;
}

/* The server as declared without its port: as a host name, or the path of a Unix socket. */
static struct gate_str peer_host(const struct gate_peer *p)
{
    struct gate_str s = gate_str_from_cstr(p->name);
    size_t n = s.n;

    if (n > 5 && memcmp(s.p, "unix:", 5) == 0)
        return s;
    while (n > 0 && s.p[n - 1] != ':')
        n--;
    return n > 1 ? gate_str_of(s.p, n - 1) : s;
}

static int peer_text(struct gate_vm *vm, struct gate_exchange *x, int field)
{
    struct gate_peer_entry e;

    if (x->peer == NULL)
        return GATE_FFI_NO;
    if (field == GATE_TEXT_PEER_ADDRESS)
        return gate_ffi_str(vm, gate_str_from_cstr(x->peer->text));
    if (field == GATE_TEXT_PEER_NAME)
        return gate_ffi_str(vm, peer_host(x->peer));
    return peer_entry(x, &e) ? gate_ffi_str(vm, e.zone) : GATE_FFI_NO;
}

static int tls_text(struct gate_vm *vm, const struct gate_tls_info *tls, int field)
{
    struct gate_str s;

    if (tls == NULL)
        return GATE_FFI_NO;
    switch (field) {
    case GATE_TEXT_TLS_VERSION:
        s = tls->version;
        break;
    case GATE_TEXT_TLS_CIPHER:
        s = tls->cipher;
        break;
    case GATE_TEXT_TLS_SNI:
        s = tls->sni;
        break;
    case GATE_TEXT_TLS_ALPN:
        s = tls->alpn;
        break;
    case GATE_TEXT_TLS_SUBJECT:
        s = tls->subject;
        break;
    default:
        s = tls->fingerprint;
        break;
    }
    return s.n == 0 ? GATE_FFI_NO : gate_ffi_str(vm, s);
}

int gate_ffi_text(struct gate_vm *vm, int32_t id, int32_t serial, int field)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);

    if (x == NULL)
        return GATE_FFI_OVER;
    switch (field) {
    case GATE_TEXT_ID:
        return gate_ffi_str(vm, gate_str_of(x->id, x->id_len));
    case GATE_TEXT_ROUTE:
        return x->route_name.n == 0 ? GATE_FFI_NO : gate_ffi_str(vm, x->route_name);
    case GATE_TEXT_UPSTREAM:
        return x->upstream == GATE_NO_ORDINAL
                   ? GATE_FFI_NO
                   : gate_ffi_str(vm, x->seat->generation->config->upstreams[x->upstream].name);
    case GATE_TEXT_CLIENT_IP:
        return gate_ffi_str(vm, x->client.ip);
    case GATE_TEXT_PEER_IP:
        return gate_ffi_str(vm, x->peer_ip);
    case GATE_TEXT_FROM:
        return gate_ffi_str(vm, gate_str_from_cstr(from_name(x->res.from)));
    case GATE_TEXT_FAULT_CODE:
        return gate_ffi_str(vm, gate_str_from_cstr(gate_fault_name(x->fault)));
    case GATE_TEXT_FAULT_MESSAGE:
        return gate_ffi_str(vm, gate_str_from_cstr(gate_fault_text(x->fault)));
    case GATE_TEXT_PEER_ADDRESS:
    case GATE_TEXT_PEER_NAME:
    case GATE_TEXT_PEER_ZONE:
        return peer_text(vm, x, field);
    case GATE_TEXT_TLS_VERSION:
    case GATE_TEXT_TLS_CIPHER:
    case GATE_TEXT_TLS_SNI:
    case GATE_TEXT_TLS_ALPN:
    case GATE_TEXT_TLS_SUBJECT:
    case GATE_TEXT_TLS_FINGERPRINT:
        return tls_text(vm, x->tls, field);
    default:
        return request_text(vm, x, field);
    }
}

static int set_path(struct gate_vm *vm, struct gate_exchange *x, struct gate_str text)
{
    struct gate_str path, path_text;
    struct gate_refusal r;

    if (text.n == 0 || text.p[0] != '/')
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "a path begins with '/'");
    r = gate_target_encode(text, &x->arena, &path, &path_text);
    if (r.status != 0)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, r.why);
    x->req.path = path;
    x->req.path_text = path_text;
    x->req.path_set = true;
    return GATE_FFI_YES;
}

static int set_method(struct gate_vm *vm, struct gate_exchange *x, struct gate_str text)
{
    enum gate_method m = gate_method_of(text);

    if (!gate_field_name_ok(text) || text.n > 32)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "a method is a token such as GET");
    if (m == GATE_M_CONNECT)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "the method CONNECT is not relayed");
    x->req.method = gate_arena_copy(&x->arena, text);
    x->req.method_id = m;
    return GATE_FFI_YES;
}

static int set_host(struct gate_vm *vm, struct gate_exchange *x, struct gate_str text)
{
    struct gate_str host;
    uint16_t port;

    text = gate_arena_copy(&x->arena, text);
    if (!gate_target_authority(text, &x->arena, &host, &port) || host.n == 0)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "not a host name");
    if (port != 0)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "a host has no port here");
    x->req.host = host;
    x->req.host_set = true;
    return GATE_FFI_YES;
}

static int set_query(struct gate_vm *vm, struct gate_exchange *x, struct gate_str text)
{
    if (!gate_target_query_ok(text))
        return gate_ffi_fail(vm, GATE_FFI_INVALID,
                             "a query may hold no space, '#', control or non-ASCII byte");
    x->req.query = gate_arena_copy(&x->arena, text);
    x->req.has_query = text.n > 0;
    return GATE_FFI_YES;
}

/* X-Forwarded-Proto says it, too. */
static int set_scheme(struct gate_vm *vm, struct gate_exchange *x, struct gate_str text)
{
    if (gate_str_eq(text, GATE_STR("http")))
        x->req.scheme = GATE_STR("http");
    else if (gate_str_eq(text, GATE_STR("https")))
        x->req.scheme = GATE_STR("https");
    else
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "the scheme is http or https");
    x->client.proto = x->req.scheme;
    return GATE_FFI_YES;
}

int gate_ffi_text_set(struct gate_vm *vm, int32_t id, int32_t serial, int field, const char *value,
                      uint32_t value_n)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    struct gate_str text = gate_str_of(value, value_n);

    if (x == NULL)
        return GATE_FFI_OVER;
    if (value_n > vm->config->limits.target_bytes)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "longer than limits.target_bytes");
    if (!gate_ffi_room(x, 4 * (size_t)value_n))
        return GATE_FFI_LIMIT;
    switch (field) {
    case GATE_TEXT_METHOD:
        return set_method(vm, x, text);
    case GATE_TEXT_SCHEME:
        return set_scheme(vm, x, text);
    case GATE_TEXT_HOST:
        return set_host(vm, x, text);
    case GATE_TEXT_PATH:
        return set_path(vm, x, text);
    default:
        return set_query(vm, x, text);
    }
}

int gate_ffi_status_set(struct gate_vm *vm, int32_t id, int32_t serial, int status)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);

    if (x == NULL)
        return GATE_FFI_OVER;
    if (status < 200 || status > 599)
        return gate_ffi_fail(vm, GATE_FFI_INVALID, "a status is a number from 200 to 599");
    if (x->head_sent)
        return GATE_FFI_LATE;
    x->res.status = status;
    return GATE_FFI_YES;
}

int gate_ffi_param(struct gate_vm *vm, int32_t id, int32_t serial, int32_t index)
{
    const struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);
    const struct gate_capture *c;

    if (x == NULL)
        return GATE_FFI_OVER;
    if (x->match.route == NULL || index < 0 || (uint32_t)index >= x->match.n_captures)
        return GATE_FFI_NO;
    c = &x->match.captures[index];
    gate_ffi_str(vm, c->name);
    vm->io.p2 = c->value.p;
    vm->io.n2 = (uint32_t)c->value.n;
    return GATE_FFI_YES;
}

/* Seconds between two moments of an exchange; NO when either did not happen. */
static int span(struct gate_vm *vm, uint64_t from, uint64_t to)
{
    if (from == 0 || to < from)
        return GATE_FFI_NO;
    vm->io.number = (double)(to - from) / 1e9;
    return GATE_FFI_YES;
}

static int timing(struct gate_vm *vm, const struct gate_exchange *x, int field)
{
    const struct gate_times *t = &x->times;
    uint64_t now;

    gate_loop_refresh(&vm->worker->loop);
    now = vm->worker->loop.now_ns;
    switch (field) {
    case GATE_NUMBER_TIME_QUEUE:
        return span(vm, t->head, t->picked);
    case GATE_NUMBER_TIME_CONNECT:
        return span(vm, t->picked, t->connected);
    case GATE_NUMBER_TIME_UPSTREAM_HEAD:
        return span(vm, t->picked, t->first_byte);
    case GATE_NUMBER_TIME_UPSTREAM:
        return t->first_byte == 0 ? GATE_FFI_NO : span(vm, t->picked, t->end == 0 ? now : t->end);
    case GATE_NUMBER_TIME_SCRIPT:
        vm->io.number = (double)gate_hook_script_ns(vm, x) / 1e9;
        return GATE_FFI_YES;
    default:
        return span(vm, t->begin, t->end == 0 ? now : t->end);
    }
}

static int peer_number(struct gate_vm *vm, struct gate_exchange *x, int field)
{
    struct gate_peer *p = x->peer;
    struct gate_peer_entry e;
    double v;

    if (p == NULL)
        return GATE_FFI_NO;
    switch (field) {
    case GATE_NUMBER_PEER_PORT:
        v = gate_addr_port(&p->addr);
        break;
    case GATE_NUMBER_PEER_WEIGHT:
        v = peer_entry(x, &e) ? e.weight : 1;
        break;
    case GATE_NUMBER_PEER_HEALTHY:
        v = !gate_peer_is_down(p, gate_loop_now(&vm->worker->loop));
        break;
    case GATE_NUMBER_PEER_ACTIVE:
        v = gate_peer_active(p);
        break;
    case GATE_NUMBER_PEER_REQUESTS:
        v = (double)gate_peer_requests(p);
        break;
    case GATE_NUMBER_PEER_LATENCY:
        v = (double)gate_peer_latency_us(p) / 1e6;
        break;
    default:
        return GATE_FFI_NO;
    }
    vm->io.number = v;
    return GATE_FFI_YES;
}

static int fault_status(const struct gate_exchange *x)
{
    return x->fault_status != 0 ? x->fault_status : gate_fault_status(x->fault);
}

int gate_ffi_number(struct gate_vm *vm, int32_t id, int32_t serial, int field)
{
    struct gate_exchange *x = gate_ffi_exchange(vm, id, serial);

    if (x == NULL)
        return GATE_FFI_OVER;
    if (field >= GATE_NUMBER_PEER_PORT)
        return peer_number(vm, x, field);
    if (field >= GATE_NUMBER_TIME_QUEUE)
        return timing(vm, x, field);
    switch (field) {
    case GATE_NUMBER_PORT:
        vm->io.number = x->req.head.port;
        break;
    case GATE_NUMBER_CLIENT_PORT:
        vm->io.number = x->client_port;
        break;
    case GATE_NUMBER_TRIES:
        vm->io.number = x->tries;
        break;
    case GATE_NUMBER_BYTES_IN:
        vm->io.number = (double)x->bytes_in;
        break;
    case GATE_NUMBER_BYTES_OUT:
        vm->io.number = (double)x->bytes_out;
        break;
    case GATE_NUMBER_STATUS:
        vm->io.number = x->res.status;
        break;
    case GATE_NUMBER_TLS_VERIFIED:
        vm->io.number = x->tls != NULL && x->tls->verified;
        break;
    case GATE_NUMBER_FAULT_STATUS:
        vm->io.number = fault_status(x);
        break;
    default:
        if (x->upstream == GATE_NO_ORDINAL)
            return GATE_FFI_NO;
        vm->io.number = gate_generation_number(x->seat->generation, x->upstream);
    }
    return GATE_FFI_YES;
}
