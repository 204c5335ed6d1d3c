#!/bin/sh
# Installs what is missing, builds, runs the tests:
#   sh tests/run.sh        unit tests, specs, end-to-end specs and lint (minutes)
#   sh tests/run.sh all    the same, then the release binary, the sanitizers, and the fuzzers
# MOONGATE_JOBS (default: processors), FUZZ_SECONDS (default: 60, each) and MOONGATE_SOAK_KILLS
# (default: 300, with "all" up to 10000) change the pace.
set -eu

cd "$(dirname "$0")/.."
jobs=${MOONGATE_JOBS:-$(nproc 2>/dev/null || echo 2)}
FUZZ_SECONDS=${FUZZ_SECONDS:-60}
export FUZZ_SECONDS

# The thread sanitizer of some compilers cannot live with much address randomisation.
steady=
setarch -R true 2>/dev/null && steady="setarch -R"

began=$(date +%s)
summary=
total=0
failed=0

say() { printf '\n== %s\n' "$*"; }

configure_and_build() {
    cmake --preset "$1" >"$log" 2>&1 || {
        cat "$log"
        return 1
    }
    # The last paragraph is the table of what was found.
    sed -n '/^-- Moongate/,/^$/p' "$log"
    target=all
    [ "$1" != fuzz ] || target=fuzzers
    cmake --build "build/$1" -j "$jobs" --target "$target" >"$log" 2>&1 || {
        grep -v '^\[[0-9]*/[0-9]*\] ' "$log" || cat "$log"
        return 1
    }
}

# stage PRESET WHAT [ctest arguments]: build one preset, run some of its tests, note the result.
stage() {
    preset=$1
    what=$2
    shift 2
    start=$(date +%s)
    say "$preset: $what"
    verdict=passed
    count=0
    if configure_and_build "$preset"; then
        count=$(ctest --test-dir "build/$preset" -N "$@" | sed -n 's/^Total Tests: *//p')
        total=$((total + count))
        $steady ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure --no-tests=ignore "$@" \
            2>&1 | tee "$log" | sed '/^Internal ctest changing/d;/^Test project/d;/^ *Start /d'
        bad=$(sed -n 's/.* \([0-9]*\) tests failed out of.*/\1/p' "$log")
        [ "$count" -eq 0 ] || [ "${bad:-1}" -eq 0 ] || verdict="${bad:-1} FAILED"
        failed=$((failed + ${bad:-0}))
    else
        verdict="BUILD FAILED"
        total=$((total + 1))
        failed=$((failed + 1))
    fi
    line=$(printf '%-8s %-44s %4s tests %5ss  %s' \
        "$preset" "$what" "$count" $(($(date +%s) - start)) "$verdict")
    summary="$summary$line
"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

case ${1:-} in
'')
    say "installing what is missing"
    sh core/build/install-deps.sh test
    stage debug "unit, spec, end-to-end, lint"
    ;;
all)
    say "installing what is missing"
    sh core/build/install-deps.sh all
    kills=${MOONGATE_SOAK_KILLS:-}
    export MOONGATE_SOAK_KILLS="${kills:-10000}"
    stage debug "unit, spec, end-to-end, lint"
    stage release "the binary as shipped, end-to-end" -L '^e2e$'
    MOONGATE_SOAK_KILLS=${kills:-2000}
    stage asan "address and undefined behaviour, all" -LE '^(lint|scan)$'
    unset MOONGATE_SOAK_KILLS
    stage tsan "threads: end-to-end, net, shared, script, run" -L '^(e2e|net|shared|script|run)$'
    stage fuzz "parsers, $FUZZ_SECONDS s each"
    ;;
*)
    echo "usage: sh tests/run.sh [all]" >&2
    exit 2
    ;;
esac

say "summary, $(($(date +%s) - began)) s"
printf '%s\n' "$summary"
percent=100
[ "$total" -eq 0 ] || percent=$(((total - failed) * 100 / total))
echo "$percent% tests passed, $failed tests failed out of $total"
[ "$failed" -eq 0 ]
