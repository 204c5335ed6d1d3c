/* Forwarded: the walk over hops from right to left, and the fields for the next hop. */
#include "http/forwarded.h"

#include "http/bytes_int.h"
#include "http/target.h"

/* Hops further left than this are nobody's business. */
#define HOPS_MAX 64

/* What one hop says; empty where it says nothing. Malformed hops have an empty node. */
struct hop {
    struct gate_str node;
    struct gate_str proto;
    struct gate_str host;
};

/* The last hops of a chain, in order of arrival. */
struct hops {
    struct hop v[HOPS_MAX];
    size_t n; /* ever added; the place of hop i is i % HOPS_MAX */
};

static void add_hop(struct hops *hops, struct hop hop)
{
    hops->v[hops->n++ % HOPS_MAX] = hop;
}

/* "ip", "[ip]", "ip:port" or "[ip]:port". */
static bool node_address(struct gate_str node, struct gate_addr *a)
{
    if (node.n == 0 || node.p[0] == ':')
        return gate_addr_parse_ip(node, a) == GATE_OK;
    if (gate_addr_parse_ip(node, a) == GATE_OK)
        return true;
    return gate_addr_parse(node, a) == GATE_OK && a->u.sa.sa_family != AF_UNIX;
}

/* From the right to the first hop that is not trusted. Returns it, or NULL when not even the
 * last one is well formed. */
static const struct hop *walk(const struct hops *hops, const struct gate_cidr_set *trust,
                              struct gate_arena *arena, struct gate_str *ip)
{
    const struct hop *client = NULL;
    struct gate_addr found = {0};
    size_t first = hops->n > HOPS_MAX ? hops->n - HOPS_MAX : 0;

    for (size_t i = hops->n; i > first; i--) {
        const struct hop *hop = &hops->v[(i - 1) % HOPS_MAX];
        struct gate_addr a;

        if (!node_address(hop->node, &a))
            break;
        client = hop;
        found = a;
        if (!gate_cidr_set_has(trust, &a))
            break;
    }
    if (client != NULL) {
        char text[GATE_ADDR_TEXT];
        size_t n = gate_addr_format_ip(&found, text, sizeof text);

        *ip = gate_arena_copy(arena, gate_str_of(text, n));
    }
    return client;
}

static void read_x(const struct gate_fields *fs, struct hops *hops)
{
    for (uint32_t i = 0; i < fs->n; i++) {
        struct gate_str list = gate_field_value(&fs->v[i]);
        struct gate_str item;

        if (fs->v[i].id != GATE_F_X_FORWARDED_FOR)
            continue;
        while (gate_str_next_item(&list, &item))
            add_hop(hops, (struct hop){.node = item});
    }
}

/* Reads "name=value" of a Forwarded element from *rest, up to the ';' or ',' or the end behind
 * it. False: malformed. A quoted value is given without quotes; none of the values that matter
 * here has a use for escapes in it. */
static bool next_pair(struct gate_str *rest, struct gate_str *name, struct gate_str *value)
{
    size_t n = gate_bytes_token_end(rest->p, 0, rest->n);
    size_t from = n + 1;
    size_t end;

    if (n == 0 || n == rest->n || rest->p[n] != '=')
        return false;
    *name = gate_str_of(rest->p, n);
    if (from < rest->n && rest->p[from] == '"') {
        end = gate_str_find(*rest, '"', from + 1);
        if (end == rest->n)
            return false;
        *value = gate_str_of(rest->p + from + 1, end - from - 1);
        if (gate_str_find(*value, '\\', 0) < value->n)
            return false;
        end++;
    } else {
        end = gate_bytes_token_end(rest->p, from, rest->n);
        *value = gate_str_of(rest->p + from, end - from);
    }
    *rest = gate_str_of(rest->p + end, rest->n - end);
    while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t'))
        *rest = gate_str_of(rest->p + 1, rest->n - 1);
    return rest->n == 0 || rest->p[0] == ';' || rest->p[0] == ',';
}

static void note_pair(struct hop *hop, struct gate_str name, struct gate_str value)
{
    if (gate_str_ieq(name, GATE_STR("for")))
        hop->node = value;
    else if (gate_str_ieq(name, GATE_STR("proto")))
        hop->proto = value;
    else if (gate_str_ieq(name, GATE_STR("host")))
        hop->host = value;
}

static struct gate_str behind_comma(struct gate_str s)
{
    size_t comma = gate_str_find(s, ',', 0);

    return comma == s.n ? GATE_STR_NONE : gate_str_of(s.p + comma + 1, s.n - comma - 1);
}

/* One Forwarded line. A malformed element stands as a malformed hop, and the reading goes on behind
 * the next comma, be it in quotes or not: a quote that a stranger left open must not hide what a
 * trusted hop has put behind it. */
static void read_forwarded_line(struct gate_str line, struct hops *hops)
{
    struct hop hop = {0};
    struct gate_str name, value;

    while (line.n > 0) {
        struct gate_str pair = line;

        if (line.p[0] == ' ' || line.p[0] == '\t') {
            line = gate_str_of(line.p + 1, line.n - 1);
            continue;
        }
        if (!next_pair(&line, &name, &value)) {
            add_hop(hops, (struct hop){0});
            hop = (struct hop){0};
            line = behind_comma(pair);
            continue;
        }
        note_pair(&hop, name, value);
        if (line.n == 0 || line.p[0] == ',') {
            add_hop(hops, hop);
            hop = (struct hop){0};
        }
        if (line.n > 0)
            line = gate_str_of(line.p + 1, line.n - 1);
    }
}

static void read_forwarded(const struct gate_fields *fs, struct hops *hops)
{
    for (uint32_t i = 0; i < fs->n; i++)
        if (fs->v[i].id == GATE_F_FORWARDED)
            read_forwarded_line(gate_field_value(&fs->v[i]), hops);
}

/* Last element of the list fields with this id: the one that the trusted peer wrote. */
static struct gate_str last_item(const struct gate_fields *fs, enum gate_field_id id)
{
    struct gate_str last = GATE_STR_NONE;

    if ((fs->known & GATE_F_BIT(id)) == 0)
        return last;
    for (uint32_t i = 0; i < fs->n; i++) {
        struct gate_str list = gate_field_value(&fs->v[i]);

        while (fs->v[i].id == id && gate_str_next_item(&list, &last))
            ;
    }
    return last;
}

static void take_proto(struct gate_str proto, struct gate_client_view *out)
{
    if (gate_str_ieq(proto, GATE_STR("http")))
        out->proto = GATE_STR("http");
    else if (gate_str_ieq(proto, GATE_STR("https")))
        out->proto = GATE_STR("https");
}

static void take_host(struct gate_str host, struct gate_arena *arena, struct gate_client_view *out)
{
    struct gate_str name;
    uint16_t port;

    if (gate_target_authority(host, arena, &name, &port))
        out->host = gate_str_of(name.p, host.n);
}

void gate_forwarded_read(const struct gate_fields *fs, const struct gate_cidr_set *trust,
                         const struct gate_addr *peer, struct gate_str peer_ip, bool https,
                         struct gate_arena *arena, struct gate_client_view *out)
{
    const uint64_t all = GATE_F_BIT(GATE_F_X_FORWARDED_FOR) | GATE_F_BIT(GATE_F_FORWARDED) |
                         GATE_F_BIT(GATE_F_X_FORWARDED_PROTO) | GATE_F_BIT(GATE_F_X_FORWARDED_HOST);
    const struct hop *client;
    struct hops hops;

    out->ip = peer_ip;
    out->proto = https ? GATE_STR("https") : GATE_STR("http");
    out->host = GATE_STR_NONE;
    out->trusted = trust != NULL && trust->n > 0 && gate_cidr_set_has(trust, peer);
    if (!out->trusted || (fs->known & all) == 0)
        return;
    hops.n = 0;
    if (fs->known & GATE_F_BIT(GATE_F_X_FORWARDED_FOR))
        read_x(fs, &hops);
    else
        read_forwarded(fs, &hops);
    client = walk(&hops, trust, arena, &out->ip);
    if (client != NULL) {
        take_proto(client->proto, out);
        take_host(client->host, arena, out);
    }
    take_proto(last_item(fs, GATE_F_X_FORWARDED_PROTO), out);
    take_host(last_item(fs, GATE_F_X_FORWARDED_HOST), arena, out);
}

static void put(struct gate_field *f, enum gate_field_id id, struct gate_str value)
{
    struct gate_str name = gate_field_id_name(id);

    f->name = name.p;
    f->name_len = (uint16_t)name.n;
    f->id = (uint16_t)id;
    f->value = value.p;
    f->value_len = (uint32_t)value.n;
}

/* All received values of a list field and `own` behind them, joined by ", ". */
static struct gate_str appended(const struct gate_fields *fs, enum gate_field_id id,
                                struct gate_str own, struct gate_arena *arena)
{
    struct gate_out o;
    size_t n = own.n;

    for (uint32_t i = 0; i < fs->n; i++)
        if (fs->v[i].id == id)
            n += fs->v[i].value_len + 2;
    o = gate_out_on(gate_arena_alloc(arena, n + 1), n);
    for (uint32_t i = 0; i < fs->n; i++) {
        if (fs->v[i].id != id || fs->v[i].value_len == 0)
            continue;
        gate_out_str(&o, gate_field_value(&fs->v[i]));
        GATE_OUT_LIT(&o, ", ");
    }
    gate_out_str(&o, own);
    return gate_out_view(&o);
}

/* A peer on a Unix socket has no address. */
static struct gate_str node_name(struct gate_str ip)
{
    if (ip.n == 0 || gate_str_starts(ip, GATE_STR("unix")))
        return GATE_STR("unknown");
    return ip;
}

/* The chain with the peer behind it. A client that is only known from the other notation goes
 * before the peer. */
static struct gate_str chain_x(const struct gate_fields *fs, const struct gate_client_view *client,
                               struct gate_str peer_ip, struct gate_arena *arena)
{
    struct gate_str peer = node_name(peer_ip);
    struct gate_out o;

    if (!client->trusted)
        return peer;
    if (fs->known & GATE_F_BIT(GATE_F_X_FORWARDED_FOR))
        return appended(fs, GATE_F_X_FORWARDED_FOR, peer, arena);
    if (gate_str_eq(client->ip, peer_ip))
        return peer;
    o = gate_out_on(gate_arena_alloc(arena, client->ip.n + peer.n + 2), client->ip.n + peer.n + 2);
    gate_out_str(&o, client->ip);
    GATE_OUT_LIT(&o, ", ");
    gate_out_str(&o, peer);
    return gate_out_view(&o);
}

static void put_node(struct gate_out *o, struct gate_str ip)
{
    bool v6 = gate_str_find(ip, ':', 0) < ip.n;

    GATE_OUT_LIT(o, "for=");
    if (v6)
        GATE_OUT_LIT(o, "\"[");
    gate_out_str(o, ip);
    if (v6)
        GATE_OUT_LIT(o, "]\"");
}

/* Our element of Forwarded, behind what was received. A host passed the authority check: it
 * needs no escapes. */
static struct gate_str chain_7239(const struct gate_fields *fs,
                                  const struct gate_client_view *client, struct gate_str peer_ip,
                                  struct gate_str proto, struct gate_str host,
                                  struct gate_arena *arena)
{
    size_t cap = client->ip.n + peer_ip.n + proto.n + host.n + 64;
    struct gate_out o = gate_out_on(gate_arena_alloc(arena, cap), cap);
    bool received = client->trusted && (fs->known & GATE_F_BIT(GATE_F_FORWARDED)) != 0;

    if (client->trusted && !received && !gate_str_eq(client->ip, peer_ip)) {
        put_node(&o, client->ip);
        GATE_OUT_LIT(&o, ", ");
    }
    put_node(&o, node_name(peer_ip));
    GATE_OUT_LIT(&o, ";proto=");
    gate_out_str(&o, proto);
    if (host.n > 0) {
        GATE_OUT_LIT(&o, ";host=\"");
        gate_out_str(&o, host);
        GATE_OUT_LIT(&o, "\"");
    }
    if (!received)
        return gate_out_view(&o);
    return appended(fs, GATE_F_FORWARDED, gate_out_view(&o), arena);
}

uint32_t gate_forwarded_write(const struct gate_fields *fs, const struct gate_client_view *client,
                              struct gate_str peer_ip, bool https, struct gate_str host,
                              struct gate_str via, enum gate_forwarded_style style,
                              struct gate_arena *arena, struct gate_field v[GATE_FORWARDED_MAX])
{
    struct gate_str here = https ? GATE_STR("https") : GATE_STR("http");
    uint32_t n = 0;

    if (style == GATE_FORWARDED_X || style == GATE_FORWARDED_BOTH) {
        struct gate_str said = client->trusted && client->host.n > 0 ? client->host : host;

        put(&v[n++], GATE_F_X_FORWARDED_FOR, chain_x(fs, client, peer_ip, arena));
        put(&v[n++], GATE_F_X_FORWARDED_PROTO, client->proto);
        if (said.n > 0)
            put(&v[n++], GATE_F_X_FORWARDED_HOST, said);
    }
    if (style == GATE_FORWARDED_RFC7239 || style == GATE_FORWARDED_BOTH)
        put(&v[n++], GATE_F_FORWARDED, chain_7239(fs, client, peer_ip, here, host, arena));
    if (fs->known & GATE_F_BIT(GATE_F_VIA))
        via = appended(fs, GATE_F_VIA, via, arena);
    put(&v[n++], GATE_F_VIA, via);
    return n;
}

static bool begins(struct gate_str name, struct gate_str family)
{
    return name.n >= family.n && gate_str_ieq(gate_str_of(name.p, family.n), family);
}

/* By the third letter. */
static bool is_claim_family(struct gate_str name)
{
    switch (name.n > 2 ? name.p[2] | 0x20 : 0) {
    case 'f':
        return begins(name, GATE_STR("x-forwarded")) || begins(name, GATE_STR("x-forward-"));
    case 'o':
        return begins(name, GATE_STR("x-original-"));
    case 'r':
        return begins(name, GATE_STR("x-real-")) || begins(name, GATE_STR("forwarded-"));
    case 'l':
        return begins(name, GATE_STR("ssl-client-"));
    case 's':
        return begins(name, GATE_STR("x-ssl-client-"));
    default:
        return false;
    }
}

/* The other claims by length, those of one length behind each other: most names are compared with
 * nothing. */
static const char *const claims[] = {
    [6] = "x-host",
    [8] = "x-scheme" "x-realip",
    [9] = "client-ip",
    [11] = "x-client-ip" "x-remote-ip" "client-cert",
    [12] = "x-url-scheme",
    [13] = "x-http-method" "x-remote-addr" "x-client-cert",
    [14] = "x-proxyuser-ip" "true-client-ip" "x-override-url",
    [15] = "front-end-https" "proxy-client-ip",
    [16] = "x-originating-ip" "cf-connecting-ip" "fastly-client-ip" "x-azure-clientip"
           "x-azure-socketip",
    [17] = "x-method-override" "client-cert-chain",
    [18] = "wl-proxy-client-ip" "cf-connecting-ipv6",
    [19] = "x-cluster-client-ip" "x-appengine-user-ip",
    [20] = "x-http-host-override" "x-http-path-override",
    [24] = "x-envoy-external-address",
};

bool gate_forwarded_claim(struct gate_str name)
{
    if (is_claim_family(name))
        return true;
    if (name.n >= sizeof claims / sizeof claims[0] || claims[name.n] == NULL)
        return false;
    for (const char *p = claims[name.n]; *p != '\0'; p += name.n)
        if (gate_str_ieq(name, gate_str_of(p, name.n)))
            return true;
    return false;
}

uint64_t gate_forwarded_drop(bool trusted, enum gate_forwarded_style style)
{
    const uint64_t x = GATE_F_BIT(GATE_F_X_FORWARDED_FOR) | GATE_F_BIT(GATE_F_X_FORWARDED_HOST) |
                       GATE_F_BIT(GATE_F_X_FORWARDED_PROTO);
    uint64_t drop = GATE_F_BIT(GATE_F_VIA);

    if (!trusted)
        return drop | x | GATE_F_BIT(GATE_F_FORWARDED) | GATE_F_BIT(GATE_F_X_FORWARDED_PORT) |
               GATE_F_BIT(GATE_F_X_REAL_IP) | GATE_F_BIT(GATE_F_X_HTTP_METHOD_OVERRIDE) |
               GATE_F_BIT(GATE_F_X_ORIGINAL_URL) | GATE_F_BIT(GATE_F_X_REWRITE_URL);
    if (style == GATE_FORWARDED_X || style == GATE_FORWARDED_BOTH)
        drop |= x;
    if (style == GATE_FORWARDED_RFC7239 || style == GATE_FORWARDED_BOTH)
        drop |= GATE_F_BIT(GATE_F_FORWARDED);
    return drop;
}
