#!/bin/sh
# Installs what is missing, builds Moongate, and runs a gateway in front of two demo origins.
# PORT (default 8080; the origins take the next two) says where. Ctrl-C ends it.
set -eu

cd "$(dirname "$0")/.."
PORT=${PORT:-8080}
export PORT
jobs=${MOONGATE_JOBS:-$(nproc 2>/dev/null || echo 2)}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Says what it does; shows the output only when it fails.
step() {
    echo "quickstart: $1 ..."
    shift
    "$@" >"$log" 2>&1 && return
    cat "$log" >&2
    exit 1
}

echo "quickstart: installing what is missing ..."
sh core/build/install-deps.sh build
step "configuring the release build (the first time LuaJIT is built too)" cmake --preset release
step "building build/release/moongate" cmake --build build/release --target moongate -j "$jobs"

build/release/moongate run examples/demo.lua &
gateway=$!
# Ctrl-C reaches the gateway by itself; anything else is handed on. It drains, and we wait for it.
trap 'true' INT
trap 'kill -TERM $gateway 2>/dev/null || true' TERM HUP

tries=0
until curl -fs -o "$log" "http://127.0.0.1:$PORT/hello/quickstart" 2>/dev/null; do
    kill -0 $gateway 2>/dev/null || {
        wait $gateway || exit $?
        exit 0
    }
    tries=$((tries + 1))
    [ $tries -lt 300 ] || {
        echo "quickstart: the gateway does not answer at port $PORT" >&2
        kill -TERM $gateway
        exit 1
    }
    sleep 0.1
done

cat <<END

The gateway serves examples/demo.lua. Try:

curl http://127.0.0.1:$PORT/
curl http://127.0.0.1:$PORT/hello/moon
curl -i -H "X-Key: tides" http://127.0.0.1:$PORT/private

Ctrl-C ends it.
END

status=0
while kill -0 $gateway 2>/dev/null; do
    wait $gateway && status=0 || status=$?
done
exit $status
