/* Forwarded: whom we believe about the client, and what we say to the next hop (X-Forwarded-*, RFC
 * 7239, Via). */
#ifndef GATE_HTTP_FORWARDED_H
#define GATE_HTTP_FORWARDED_H

#include "base/addr.h"
#include "base/arena.h"
#include "http/fields.h"

enum gate_forwarded_style {
    GATE_FORWARDED_X,
    GATE_FORWARDED_RFC7239,
    GATE_FORWARDED_BOTH,
    GATE_FORWARDED_NONE
};

struct gate_client_view {
    struct gate_str ip;    /* the client after the trusted walk; text */
    struct gate_str proto; /* "http" or "https"; from X-Forwarded-Proto when trusted */
    struct gate_str host;  /* X-Forwarded-Host when trusted, else empty */
    bool trusted;          /* the peer itself is in the trust set */
};

/* Walks X-Forwarded-For (or Forwarded, when there is no X-Forwarded-For) from right to left to the
 * first address that is not trusted; a malformed hop ends the walk. An untrusted peer's fields are
 * not looked at. peer_ip is the text of the socket's address. */
void gate_forwarded_read(const struct gate_fields *fs, const struct gate_cidr_set *trust,
                         const struct gate_addr *peer, struct gate_str peer_ip, bool https,
                         struct gate_arena *arena, struct gate_client_view *out);

/* The fields to write for the next hop, into v (room for GATE_FORWARDED_MAX); values from the
 * arena. Replaced for untrusted peers, appended to otherwise. Returns how many. Via is always among
 * them, appended to a received one. */
#define GATE_FORWARDED_MAX 6
uint32_t gate_forwarded_write(const struct gate_fields *fs, const struct gate_client_view *client,
                              struct gate_str peer_ip, bool https, struct gate_str host,
                              struct gate_str via, enum gate_forwarded_style style,
                              struct gate_arena *arena, struct gate_field v[GATE_FORWARDED_MAX]);

/* Whether a field without an id claims something about the client or about an original request that
 * only a proxy in front may say: X-Forwarded-Prefix, X-Original-Host, True-Client-IP and their
 * like. Untrusted peers lose them too. */
bool gate_forwarded_claim(struct gate_str name);

/* Known ids that the caller drops from the original because they are written here or must not pass
 * from this peer: untrusted peers lose all forwarding and override fields. */
uint64_t gate_forwarded_drop(bool trusted, enum gate_forwarded_style style);

#endif
