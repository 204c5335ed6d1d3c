#!/bin/sh
# Installs what is missing, and nothing when nothing is: install-deps.sh [build|test|all]
#   build  compile and run moongate     test  build, and pass the tests
#   all    test, and sanitizers, fuzzing, static analysis
set -eu

build="gcc libc6-dev make patch cmake ninja-build pkg-config dpkg-dev ca-certificates curl \
libev-dev libssl-dev libc-ares-dev libnghttp2-dev node-llhttp zlib1g-dev libbrotli-dev"
test="$build g++ libcmocka-dev luajit lua-busted lua-check lua-socket lua-cjson openssl procps wrk \
nghttp2-client testssl.sh"
all="$test clang-14 libclang-rt-14-dev clang-format-14"

what=${1:-build}
case $what in
build) wanted=$build ;;
test) wanted=$test ;;
all) wanted=$all ;;
*)
    echo "usage: install-deps.sh [build|test|all]" >&2
    exit 2
    ;;
esac

# debian PACKAGE...: installs those that are not there.
debian() {
    missing=
    for package in "$@"; do
        status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0

    if [ "$(id -u)" -eq 0 ]; then
        as_root=env
    elif command -v sudo >/dev/null; then
        as_root="sudo env"
    else
        echo "install: these packages are missing, and this is neither root nor is there sudo:" >&2
        echo "  apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    echo "install:$missing"
    # A third-party entry that cannot be reached must not keep us from what Debian has.
    $as_root apt-get -q update >"$log" 2>&1 || echo "install: apt-get update had errors, going on"
    # shellcheck disable=SC2086 # one word per package
    $as_root DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install \
        $missing >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "install: apt-get failed; installing by hand: apt-get install$missing" >&2
        exit 1
    }
}

# What specs run with node. A node that does not come from Debian brings its npm along, and
# Debian's npm conflicts with it; so a package is only asked for where the command is not there.
node_packages() {
    installed=node_modules/.installed.json
    cd "$(dirname "$0")/../../tests/node"
    command -v node >/dev/null || debian nodejs
    command -v npm >/dev/null || debian npm
    ! cmp -s package-lock.json "$installed" || return 0
    echo "install: npm packages of tests/node"
    npm ci >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "install: npm failed; by hand: cd tests/node && npm ci" >&2
        exit 1
    }
    cp package-lock.json "$installed"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if command -v dpkg-query >/dev/null; then
    # shellcheck disable=SC2086 # one word per package
    debian $wanted
else
    echo "install: no Debian packages here; needed are: $wanted; for tests node and npm" >&2
    debian() { :; }
    command -v npm >/dev/null || exit 0
fi
[ "$what" = build ] || node_packages
