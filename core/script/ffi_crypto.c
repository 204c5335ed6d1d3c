/* Hashes for gate.crypto, by OpenSSL algorithms that are fetched once a VM; in pieces, so that no
 * call is long. And clocks and randomness. */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <sys/random.h>

#include "base/assert.h"
#include "script/ffi_int.h"

#define PIECE_MAX    (64u * 1024)
#define SHA256_BYTES 32

void gate_crypto_open(struct gate_vm *vm)
{
    vm->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    vm->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    vm->hash = EVP_MD_CTX_new();
    vm->mac = EVP_MAC_CTX_new(vm->hmac);
    GATE_ASSERT(vm->sha256 != NULL && vm->hmac != NULL && vm->hash != NULL && vm->mac != NULL);
}

void gate_crypto_close(struct gate_vm *vm)
{
    EVP_MAC_CTX_free(vm->mac);
    EVP_MD_CTX_free(vm->hash);
    EVP_MAC_free(vm->hmac);
    EVP_MD_free(vm->sha256);
}

static bool begin_keyed(struct gate_vm *vm, const char *key, uint32_t key_n)
{
    char name[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };

    /* An empty key is a key; a NULL one would mean the former key. */
    return EVP_MAC_init(vm->mac, (const unsigned char *)(key_n == 0 ? "" : key), key_n, params) ==
           1;
}

int gate_ffi_hash_begin(struct gate_vm *vm, const char *key, uint32_t key_n, int keyed)
{
    bool ok;

    if (key_n > PIECE_MAX)
        return GATE_FFI_LIMIT;
    vm->keyed = keyed != 0;
    ok = vm->keyed ? begin_keyed(vm, key, key_n)
                   : EVP_DigestInit_ex2(vm->hash, vm->sha256, NULL) == 1;
    return ok ? GATE_FFI_YES : GATE_FFI_INVALID;
}

int gate_ffi_hash_add(struct gate_vm *vm, const char *bytes, uint32_t bytes_n)
{
    int ok;

    if (bytes_n > PIECE_MAX)
        return GATE_FFI_LIMIT;
    ok = vm->keyed ? EVP_MAC_update(vm->mac, (const unsigned char *)bytes, bytes_n)
                   : EVP_DigestUpdate(vm->hash, bytes, bytes_n);
    return ok == 1 ? GATE_FFI_YES : GATE_FFI_INVALID;
}

int gate_ffi_hash_end(struct gate_vm *vm, uint8_t *to)
{
    size_t n = SHA256_BYTES;
    unsigned int m = SHA256_BYTES;
    int ok = vm->keyed ? EVP_MAC_final(vm->mac, to, &n, SHA256_BYTES)
                       : EVP_DigestFinal_ex(vm->hash, to, &m);

    return ok == 1 ? GATE_FFI_YES : GATE_FFI_INVALID;
}

int gate_ffi_equal(const char *a, const char *b, uint32_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

int gate_ffi_random(struct gate_vm *vm, uint8_t *to, uint32_t n)
{
    (void)vm;
    if (n > PIECE_MAX)
        return GATE_FFI_LIMIT;
    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return GATE_FFI_INVALID;
        to += got;
        n -= (uint32_t)got;
    }
    return GATE_FFI_YES;
}

/* While a file loads there is no worker and so no clock that tests move. */
static const struct gate_clock *clock_of(const struct gate_vm *vm)
{
    static const struct gate_clock real;

    return vm->worker == NULL ? &real : vm->worker->loop.clock;
}

double gate_ffi_time(struct gate_vm *vm)
{
    return (double)gate_clock_wall_ns(clock_of(vm)) / 1e9;
}

double gate_ffi_clock(struct gate_vm *vm)
{
    return (double)gate_clock_now_ns(clock_of(vm)) / 1e9;
}
