#!/bin/sh
# Runs one fuzzer for FUZZ_SECONDS: fuzz.sh PROGRAM TESTS_FUZZ_DIR NAME
# Inputs found stay in the build folder; the corpus of the tree is only read.
set -eu
[ $# -eq 3 ] || {
    echo "usage: fuzz.sh PROGRAM TESTS_FUZZ_DIR NAME" >&2
    exit 2
}
program=$1
seeds=$2/corpus/$3
found=$(dirname "$program")/corpus/$3
mkdir -p "$found"
[ -d "$seeds" ] || seeds=
dict=$2/$3.dict
[ -f "$dict" ] && dict=-dict=$dict || dict=
# shellcheck disable=SC2086 # both may be empty
exec "$program" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$found/../" -print_final_stats=1 -verbosity=0 $dict "$found" $seeds
