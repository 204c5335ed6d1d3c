#include "http/websocket.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

#include "base/assert.h"

#define KEY_BYTES  16
#define SHA1_BYTES 20

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/* `to` gets 4 bytes of text for each 3 of `p`, begun ones too. */
static void base64(const unsigned char *p, int n, char *to, size_t size)
{
    unsigned char text[GATE_WEBSOCKET_ACCEPT + 1]; /* OpenSSL puts a NUL behind it */

    GATE_ASSERT((size_t)EVP_EncodeBlock(text, p, n) == size);
    memcpy(to, text, size);
}

void gate_websocket_key(char to[GATE_WEBSOCKET_KEY])
{
    unsigned char bytes[KEY_BYTES];

    GATE_ASSERT(getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
    base64(bytes, sizeof(bytes), to, GATE_WEBSOCKET_KEY);
}

bool gate_websocket_key_ok(struct gate_str key)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    if (key.n != GATE_WEBSOCKET_KEY || memcmp(key.p + key.n - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < key.n - 2; i++)
        if (key.p[i] == '\0' || strchr(letters, key.p[i]) == NULL)
            return false;
    return true;
}

void gate_websocket_accept(struct gate_str key, char to[GATE_WEBSOCKET_ACCEPT])
{
    char text[GATE_WEBSOCKET_KEY + sizeof(guid) - 1];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    GATE_ASSERT(key.n == GATE_WEBSOCKET_KEY);
    memcpy(text, key.p, key.n);
    memcpy(text + key.n, guid, sizeof(guid) - 1);
    GATE_ASSERT(EVP_Digest(text, sizeof(text), digest, &n, EVP_sha1(), NULL) == 1);
    GATE_ASSERT(n == SHA1_BYTES);
    base64(digest, SHA1_BYTES, to, GATE_WEBSOCKET_ACCEPT);
}

bool gate_websocket_accepted(struct gate_str key, const struct gate_fields *fs)
{
    const struct gate_str name = GATE_WEBSOCKET_ACCEPT_NAME;
    const struct gate_field *found = NULL;
    char accept[GATE_WEBSOCKET_ACCEPT];

    for (uint32_t i = 0; i < fs->n; i++) {
        if (fs->v[i].id != GATE_F_OTHER || !gate_str_ieq(gate_field_name(&fs->v[i]), name))
            continue;
        if (found != NULL)
            return false;
        found = &fs->v[i];
    }
    if (found == NULL || !gate_websocket_key_ok(key))
        return false;
    gate_websocket_accept(key, accept);
    return gate_str_eq(gate_field_value(found), gate_str_of(accept, sizeof(accept)));
}
