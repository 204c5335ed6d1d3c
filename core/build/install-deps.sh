#!/bin/sh
# Installs what is missing, and nothing when nothing is: install-deps.sh [build|test|all]
#   build  compile and run moongate     test  build, and pass the tests
#   all    test, and sanitizers, fuzzing, static analysis
set -eu

build="gcc libc6-dev make patch cmake ninja-build pkg-config dpkg-dev ca-certificates curl \
libev-dev libssl-dev libc-ares-dev node-llhttp zlib1g-dev libbrotli-dev"
test="$build g++ libcmocka-dev luajit lua-busted lua-check lua-socket lua-cjson openssl procps wrk"
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

if ! command -v dpkg-query >/dev/null; then
    echo "install: no Debian packages here; needed are: $wanted" >&2
    exit 0
fi
missing=
for package in $wanted; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

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
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A third-party entry that cannot be reached must not keep us from what Debian has.
$as_root apt-get -q update >"$log" 2>&1 || echo "install: apt-get update had errors, going on"
# shellcheck disable=SC2086 # one word per package
$as_root DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing \
    >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    echo "install: apt-get failed; installing by hand: apt-get install$missing" >&2
    exit 1
}
