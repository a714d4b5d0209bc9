#!/usr/bin/env bash
# Writes docs/queries.md and docs/datasette.yml: makes the catalog of the README's five minutes, as far as its branch, and asks every
# documented query.
#
#   Scripts/queries-page.sh [EVODB] [FOLDER]
#
# EVODB is the program [default: .build/release/evodb]. FOLDER keeps the catalog [default: a temporary one]; with a finished catalog in it
# only the pages are written. It takes about three minutes on two cores. Results are the same everywhere; times, user and machine are not.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
evodb=$(readlink -f "${1:-$root/.build/release/evodb}")
folder=${2:-$(mktemp -d)}
[[ $# -ge 2 ]] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"
cd "$folder"

make_catalog() {
  rm -f my.evodb*
  ln -sfn "$root/Examples" Examples
  "$evodb" init my.evodb
  "$evodb" import my.evodb Examples/prose-10m
  "$evodb" data my.evodb cal Examples/prose-10m/calibration.txt
  "$evodb" data my.evodb val Examples/prose-10m/validation.txt
  "$evodb" build my.evodb --method gptq --bits 2-6 --data cal --quiet
  "$evodb" search my.evodb --target-bits 2.5 --data cal --validation val --generations 4 --quiet
  "$evodb" sensitivity my.evodb --data cal --quiet
  "$evodb" front my.evodb --data cal --validation val --from 2.5bit --to 4bit --points 4 --evaluate --quiet
  "$evodb" front my.evodb --data cal --validation val --max-perplexity-increase 2% --quiet
  "$evodb" baseline my.evodb dp --target-bits 2.5 --data cal --validation val --quiet
  "$evodb" branch my.evodb run-1@2 --name wider --set target-bits=2.75 --set generations=3 --quiet
  touch my.evodb.made
}

[[ -e my.evodb.made ]] || make_catalog >&2
# Where the model lies on this machine is nobody's business.
"$evodb" query my.evodb --document markdown | sed "s#$folder/#/data/#g" >"$root/docs/queries.md"
"$evodb" query my.evodb --document datasette >"$root/docs/datasette.yml"
