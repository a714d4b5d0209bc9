#!/usr/bin/env bash
# Runs the tests under each of OpenBLAS's kernel sets that this processor can run: no test may depend on the machine.
#
#   Scripts/test-kernel-sets.sh [SET…] [-- OPTION…]   SET: Prescott, Sandybridge, Haswell, SkylakeX, Cooperlake; all if none
#                                                     OPTION: of swift test, such as --filter GPTQ
#
# Builds once. SKIP_BUILD=1 takes what is built, SCRATCH names another build folder.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=${SCRATCH:-.build-test}
flags=(-c release -Xswiftc -enable-testing --scratch-path "$scratch")
wanted=()
options=()
while [ $# -gt 0 ]; do
  if [ "$1" = -- ]; then
    shift
    options=("$@")
    break
  fi
  wanted+=("$1")
  shift
done

if [ -z "${SKIP_BUILD:-}" ]; then swift build --build-tests "${flags[@]}"; fi
evodb=$scratch/release/evodb

# What doctor says of a subject; its values in CSV are quoted where they contain a comma.
value() { "$evodb" doctor --format csv | tr -d '\r' | sed -n "s/^$1,\"\{0,1\}\([^\"]*\)\"\{0,1\},\(ok\|look\),.*/\1/p"; }

runnable=$(value 'kernel sets')
[ -n "$runnable" ] || { echo "evodb doctor names no kernel sets" >&2; exit 1; }
echo "this processor runs: $runnable; OpenBLAS by itself takes: $(env -u OPENBLAS_CORETYPE "$evodb" doctor --format csv |
  sed -n 's/^OpenBLAS,.*core \([A-Za-z0-9_]*\).*/\1/p')"
[ ${#wanted[@]} -gt 0 ] || read -ra wanted <<<"$runnable"

failed=()
for set in "${wanted[@]}"; do
  case " $runnable " in
  *" $set "*) ;;
  *)
    echo "== $set: not run, this processor does not have its instructions"
    continue
    ;;
  esac
  export OPENBLAS_CORETYPE=$set
  taken=$(value OpenBLAS | sed 's/.*core //')
  if [ "$taken" != "$set" ]; then
    echo "== $set: OpenBLAS took $taken instead" >&2
    failed+=("$set")
    continue
  fi
  echo "== $set"
  swift test --skip-build "${flags[@]}" ${options[@]+"${options[@]}"} || failed+=("$set")
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed under: ${failed[*]}" >&2
  exit 1
fi
