#include <ares.h>
#include <brotli/decode.h>
#include <ev.h>
#include <llhttp.h>
#include <luajit.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <zlib.h>

#include "run/cli.h"
#include "run/version.h"

int gate_cli_version(void)
{
    uint32_t brotli = BrotliDecoderVersion();

    printf("moongate %s\n", GATE_VERSION);
    printf("  LuaJIT   %s\n", LUAJIT_VERSION);
    printf("  llhttp   %d.%d.%d\n", LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR,
           LLHTTP_VERSION_PATCH);
    printf("  libev    %d.%d\n", ev_version_major(), ev_version_minor());
    printf("  OpenSSL  %s\n", OpenSSL_version(OPENSSL_VERSION));
    printf("  nghttp2  %s\n", nghttp2_version(0)->version_str);
    printf("  c-ares   %s\n", ares_version(NULL));
    printf("  zlib     %s\n", zlibVersion());
    printf("  brotli   %u.%u.%u\n", brotli >> 24, (brotli >> 12) & 0xfff, brotli & 0xfff);
    return 0;
}
