#!/usr/bin/env bash
# Looks for inputs that make evodb trap, hang for more than 1 s, take more than 256 MiB or break a rule (libFuzzer):
#   Scripts/fuzz.sh TARGET…|all        targets: Scripts/fuzz.sh list
# FUZZ_RUNS is the number of executions of each target (default 1000000), FUZZ_SECONDS the longest time of each (default:
# none). Builds into .build-fuzz, where the corpus of each target stays and grows; everything else is written to a folder
# that goes at the end. What is found lies in .build-fuzz/findings. Exit codes: 0 nothing found, 1 something, 64 usage.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ $# -gt 0 ]] || {
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 64
}
runs=${FUZZ_RUNS:-1000000}
seconds=${FUZZ_SECONDS:-0}
for number in "$runs" "$seconds"; do
  [[ $number =~ ^[0-9]+$ ]] || {
    echo "fuzz: FUZZ_RUNS and FUZZ_SECONDS must be whole numbers, not '$number'" >&2
    exit 64
  }
done

# The gold linker of older systems cannot read the debugging information of the sanitizer's runtime; lld can.
EVODB_FUZZ=1 swift build -c release --product evodb-fuzz --scratch-path .build-fuzz \
  -Xswiftc -sanitize=fuzzer -Xswiftc -parse-as-library -Xswiftc -use-ld=lld >&2
fuzzer=$(EVODB_FUZZ=1 swift build -c release --scratch-path .build-fuzz --show-bin-path)/evodb-fuzz

if [[ $1 == list ]]; then
  "$fuzzer" list
  exit
elif [[ $1 == all ]]; then
  mapfile -t targets < <("$fuzzer" list)
else
  targets=("$@")
fi

# In memory where that is possible: files are written a million times.
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
# The runtime's own report of a trap would take the place of libFuzzer's, which keeps the input.
export SWIFT_BACKTRACE=enable=no

status=0
for target in "${targets[@]}"; do
  home=$PWD/.build-fuzz/$target
  findings=$PWD/.build-fuzz/findings/$target
  "$fuzzer" prepare "$target" "$home"
  mkdir -p "$findings" "$scratch/$target"
  echo "fuzz: $target, $runs executions" >&2
  if ! "$fuzzer" run "$target" "$scratch/$target" -runs="$runs" -max_total_time="$seconds" -timeout=1 \
    -rss_limit_mb=256 -malloc_limit_mb=256 -use_value_profile=1 -print_final_stats=1 -verbosity=1 \
    -dict="$home/words.dict" -artifact_prefix="$findings/" "$home/corpus" >"$home/log" 2>&1; then
    status=1
    echo "fuzz: $target found something:" >&2
    grep -aE '^(finding:|==[0-9]+== *ERROR|SUMMARY|Test unit written)|Fatal error' "$home/log" >&2 || tail -n 20 "$home/log" >&2
    echo "fuzz: mend it, then keep the input as Tests/Fixtures/fuzz/$target/NAME; $home/log says more" >&2
  fi
  grep -aE '^stat::(number_of_executed_units|average_exec_per_sec|slowest_unit_time_sec|peak_rss_mb)' "$home/log" || true
done
exit $status
