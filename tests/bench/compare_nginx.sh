#!/bin/sh
# Compares Moongate with Debian's nginx, both as reverse proxies with one worker before the same
# origin: sh tests/bench/compare_nginx.sh
# Runs wrk against each in turn, in several rounds, and prints the processor time that each proxy
# spent for a request, the ratio of a round, and the median of the ratios. Only 127.0.0.1.
#   MOONGATE=build/release/moongate  ROUNDS=5  SECONDS_EACH=4  CONNECTIONS=32  BODY=1024
# Processor time, not requests a second, is compared: client and origin share the machine.
set -eu

cd "$(dirname "$0")/../.."
MOONGATE=${MOONGATE:-build/release/moongate}
ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-4}
CONNECTIONS=${CONNECTIONS:-32}
BODY=${BODY:-1024}
ORIGIN=127.0.0.1:17101
NGINX=127.0.0.1:17102
GATE=127.0.0.1:17103

die() {
    echo "compare_nginx: $*" >&2
    exit 1
}

nginx=$(command -v nginx || echo /usr/sbin/nginx)
[ -x "$nginx" ] || die "nginx is missing: apt-get install nginx-core"
command -v wrk >/dev/null || die "wrk is missing: apt-get install wrk"
[ -x "$MOONGATE" ] ||
    die "$MOONGATE is missing: cmake --preset release && cmake --build build/release"

dir=$(mktemp -d)
started=
clean_up() {
    for pid in $started; do kill "$pid" 2>/dev/null || true; done
    for pid in $started; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP PIPE

mkdir "$dir/html"
head -c "$BODY" /dev/zero | tr '\0' x >"$dir/html/body"
# Workers of root need not change to a user who cannot read the folder.
user=
[ "$(id -u)" -ne 0 ] || user="user $(id -un);"

# nginx_conf NAME HTTP_BLOCK
nginx_conf() {
    mkdir -p "$dir/$1"
    cat >"$dir/$1.conf" <<END
$user
worker_processes 1;
daemon off;
pid $dir/$1.pid;
error_log $dir/$1.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $dir/$1; proxy_temp_path $dir/$1; fastcgi_temp_path $dir/$1;
  uwsgi_temp_path $dir/$1; scgi_temp_path $dir/$1;
  $2
}
END
}

nginx_conf origin "server { listen $ORIGIN reuseport backlog=4096; root $dir/html; sendfile on; }"
nginx_conf proxy "upstream origin { server $ORIGIN; keepalive 256; keepalive_requests 1000000000; }
  server { listen $NGINX reuseport backlog=4096; location / {
    proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection \"\";
    proxy_set_header X-Forwarded-For \$remote_addr; } }"

cat >"$dir/gateway.lua" <<END
local gate = require "moongate"
gate.listen { "$GATE" }
gate.process { workers = 1, access_log = false, control = "$dir/control" }
local origin = gate.upstream("origin", { servers = { "$ORIGIN" }, keepalive = { idle = 256 } })
gate.route { path = "/", upstream = origin }
END

# start NAME COMMAND...: in the background, remembered by its id.
start() {
    name=$1
    shift
    "$@" >"$dir/$name.out" 2>&1 &
    started="$started $!"
    eval "pid_$name=$!"
}

# until_up ADDRESS NAME: waits until it answers with the body.
until_up() {
    for _ in $(seq 100); do
        [ "$(curl -s -m 2 "http://$1/body" | wc -c)" -ne "$BODY" ] || return 0
        sleep 0.1
    done
    cat "$dir/$2.out" >&2
    die "$2 does not answer on $1"
}

# cpu_ns PID: processor time of a process, its children and all their threads.
cpu_ns() {
    total=0
    for pid in "$1" $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        for stat in /proc/"$pid"/task/*/schedstat; do
            read -r ns _ <"$stat" || ns=0
            total=$((total + ns))
        done
    done
    echo "$total"
}

# measure ADDRESS PID: prints ns of processor time for each request.
measure() {
    before=$(cpu_ns "$2")
    wrk -t1 -c"$CONNECTIONS" -d"${SECONDS_EACH}s" "http://$1/body" >"$dir/wrk.out" 2>&1 ||
        die "wrk failed: $(cat "$dir/wrk.out")"
    after=$(cpu_ns "$2")
    if grep -qE 'Non-2xx|Socket errors' "$dir/wrk.out"; then
        die "not all went well on $1: $(grep -E 'Non-2xx|Socket errors' "$dir/wrk.out")"
    fi
    requests=$(sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' "$dir/wrk.out")
    [ "${requests:-0}" -gt 0 ] || die "no request was answered on $1"
    echo $(((after - before) / requests))
}

start origin "$nginx" -p "$dir" -c "$dir/origin.conf"
until_up "$ORIGIN" origin
start nginx "$nginx" -p "$dir" -c "$dir/proxy.conf"
start moongate "$MOONGATE" run "$dir/gateway.lua"
until_up "$NGINX" nginx
until_up "$GATE" moongate

echo "GET of $BODY bytes, $CONNECTIONS connections, $ROUNDS rounds of $SECONDS_EACH s each:"
echo "$("$nginx" -v 2>&1 | sed 's/^nginx version: //'), $("$MOONGATE" version | head -n 1)"
echo
printf '%-7s %18s %18s %8s\n' round "nginx us/request" "moongate us/req." ratio
us() { awk -v ns="$1" 'BEGIN { printf "%.2f", ns / 1000 }'; }
# shellcheck disable=SC2154 # pid_nginx and pid_moongate are set by start
for round in $(seq "$ROUNDS"); do
    # Who begins changes from round to round.
    if [ $((round % 2)) -eq 1 ]; then
        a=$(measure "$NGINX" "$pid_nginx")
        b=$(measure "$GATE" "$pid_moongate")
    else
        b=$(measure "$GATE" "$pid_moongate")
        a=$(measure "$NGINX" "$pid_nginx")
    fi
    ratio=$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.3f", b / a }')
    echo "$ratio" >>"$dir/ratios"
    printf '%-7s %18s %18s %8s\n' "$round" "$(us "$a")" "$(us "$b")" "$ratio"
done
sort -n "$dir/ratios" | awk '{ v[NR] = $1 }
    END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
          printf "\nmedian of the ratios: %.3f (below 1: Moongate needs less)\n", m }'
