#!/bin/sh
# Runs the experiments of docs/experiments.md, one part at a time; each takes less than 15 minutes on two cores.
#
#   Scripts/experiments.sh PART [FOLDER]
#
# Parts: bits-2.25, bits-2.5, bits-3, bits-4, sparsity-50, sparsity-60, sparsity-70, wide-sparsity-50, wide-sparsity-60,
# drops-2, drops-3, drops-4, smollm2-3, smollm2-3.5 (EvoPress and the baselines), guided- before any of these (the guided
# search of the same cell; those of SmolLM2 need SMOLLM2, a folder that Scripts/smollm2-folder.py made, and TEXTS, one with
# calibration.txt and validation.txt, and search in bfloat16),
# parents (after all of these: what the searches had after each generation, on validation data), budgets, convergence
# (after drops), ablations, monotonicity (after bits and drops), reference (after bits-2.5, sparsity-60 and drops-3; needs
# PyTorch and transformers), page (writes docs/experiments.md from what is there), all (but reference).
# FOLDER [default: .experiments] takes one catalog a part. A stopped part goes on with the same command, and a finished
# one computes nothing. EVODB names the program, THREADS how many threads it uses, SEEDS the seeds [default: 0 1 2],
# ARITHMETIC the arithmetic of evaluations [default: float32].
set -eu

part=${1:?"usage: Scripts/experiments.sh PART [FOLDER]; the head of the script names the parts"}
folder=${2:-.experiments}
root=$(cd "$(dirname "$0")/.." && pwd)
EVODB=${EVODB:-$root/.build/release/evodb}
model=$root/Examples/prose-10m
threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
mkdir -p "$folder"

# Makes a catalog with the model and its texts. Fitness is measured on the first 8,192 tokens of the calibration text
# (32 sequences), Hessians on all of it.
setup() {
  file=$folder/$1.evodb
  [ -e "$file" ] || "$EVODB" init "$file" --quiet
  "$EVODB" import "$file" "$model" --quiet > /dev/null
  "$EVODB" data "$file" hessian "$model/calibration.txt" --quiet > /dev/null
  "$EVODB" data "$file" calibration "$model/calibration.txt" --tokens 8192 --quiet > /dev/null
  "$EVODB" data "$file" validation "$model/validation.txt" --quiet > /dev/null
}

# Runs a verb of evodb on the catalog and prints what it was.
run() {
  verb=$1
  shift
  echo "evodb $verb $(basename "$file") $*"
  echo "evodb $verb $(basename "$file") $*" >> "$folder/$part.commands"
  "$EVODB" "$verb" "$file" "$@" --threads "$threads" --quiet --format jsonl >> "$folder/log.jsonl"
}

sets="--data calibration --validation validation${ARITHMETIC:+ --arithmetic $ARITHMETIC}"
# 10 generations of 16 offspring: 512 tokens for all, the whole set for two.
search="--generations 10 --offspring 16 --survivors 2,1 --tokens 512,8192"
# The guided searches of one cell, in the catalog that EvoPress's were made in: with so many generations that no run can
# evaluate more tokens than EvoPress's, sweeps and the last comparison included; and short ones of about 50,000 tokens, which
# measure 84 layers, sparsities at two levels, and compare the assignment that follows with shorter steps to it.
guided() {
  target=$1
  generations=$2
  shift 2
  case $part in *drops*) first=256 ;; *) first=1024 ;; esac
  case $part in *sparsity*) sweep=160 ;; *) sweep=256 ;; esac
  short="--generations 1 --offspring 16 --survivors 1 --tokens $first --sweep-tokens $sweep"
  long="--generations $generations --offspring 16 --survivors 2,1 --tokens 512,8192"
  for seed in ${SEEDS:-0 1 2}; do
    run search --strategy guided "$@" $short --seed $seed $sets --name guided-short-$target-$seed
    run search --strategy guided "$@" $long --seed $seed $sets --name guided-$target-$seed
  done
}

bits() {
  setup bits
  run build --method gptq --bits 2-6 --data hessian
  target=$1
  case $target in 3 | 4) run baseline uniform --target-bits $target $sets --name uniform-$target ;; esac
  run baseline random --target-bits $target --candidates 16 $sets --name random-$target
  run baseline dp --target-bits $target $sets --name dp-$target
  run baseline dp --target-bits $target --mutation-group size $sets --name dp-size-$target
  run baseline higgs --target-bits $target $sets --name higgs-$target
  run baseline sensitivity-dp --target-bits $target $sets --name sensitivity-dp-$target
  for seed in ${SEEDS:-0 1 2}; do
    run search --strategy evopress --target-bits $target $search --seed $seed $sets --name search-$target-$seed
  done
}

guided_bits() {
  setup bits
  run build --method gptq --bits 2-6 --data hessian
  case $1 in 2.25 | 2.5) generations=9 ;; *) generations=7 ;; esac
  guided $1 $generations --target-bits $1
}

# The paper's levels: equal numbers of weights between two of them, a sixteenth of the hidden size squared times what is
# kept, so that any two layers can exchange them; large layers reach little around the target.
build_sparsity() {
  setup sparsity-$1
  case $1 in 50) step=2048 ;; 60) step=1638 ;; 70) step=1228 ;; esac
  run build --method sparsegpt --sparsity 0.$1 --levels 8 --step-weights $step --data hessian
}

sparsity() {
  build_sparsity $1
  target="--target-sparsity 0.$1"
  run baseline uniform $target $sets --name uniform-$1
  run baseline random $target --candidates 16 $sets --name random-$1
  run baseline dp $target $sets --name dp-$1
  run baseline owl $target $sets --name owl-$1
  run baseline higgs $target $sets --name higgs-$1
  run baseline sensitivity-dp $target $sets --name sensitivity-dp-$1
  for seed in ${SEEDS:-0 1 2}; do
    run search --strategy evopress $target $search --seed $seed $sets --name search-$1-$seed
  done
}

guided_sparsity() {
  build_sparsity $1
  guided $1 5 --target-sparsity 0.$1
}

# Levels at equal shares of every layer, which reach much further.
build_wide() {
  setup wide-sparsity-$1
  run build --method sparsegpt --sparsity 0.$1 --levels 8 --data hessian
}

wide_sparsity() {
  build_wide $1
  target="--target-sparsity 0.$1"
  run baseline uniform $target $sets --name uniform-$1
  run baseline random $target --candidates 16 $sets --name random-$1
  run baseline dp $target $sets --name dp-$1
  run baseline owl $target $sets --name owl-$1
  run baseline higgs $target $sets --name higgs-$1
  for seed in ${SEEDS:-0 1 2}; do
    run search --strategy evopress $target $search --seed $seed $sets --name search-$1-$seed
  done
}

guided_wide() {
  build_wide $1
  guided $1 5 --target-sparsity 0.$1
}

drops() {
  setup drops
  count=$1
  for name in cosine window-cosine perplexity-score kl-score norm-ratio l2 normalized-l2 greedy; do
    run baseline $name --drop-count $count $sets --name $name-$count
  done
  run baseline random --drop-count $count --candidates 16 $sets --name random-$count
  run baseline brute-force --drop-count $count --tie block $sets --name brute-force-$count
  for seed in ${SEEDS:-0 1 2}; do
    run search --strategy evopress --drop-count $count $search --seed $seed $sets --name search-$count-$seed
  done
}

# A model of 135 million parameters, far from its dense quality at 3 bits; 8,192 tokens of calibration text for Hessians and
# fitness alike, 4,096 for validation. Searches as long as the study's that found a second sweep worth its tokens.
setup_smollm2() {
  file=$folder/smollm2.evodb
  texts=${TEXTS:-$model}
  [ -e "$file" ] || "$EVODB" init "$file" --quiet
  "$EVODB" import "$file" "${SMOLLM2:?"names no folder of SmolLM2-135M"}" --name SmolLM2-135M --quiet > /dev/null
  "$EVODB" data "$file" calibration "$texts/calibration.txt" --tokens 8192 --quiet > /dev/null
  "$EVODB" data "$file" validation "$texts/validation.txt" --tokens 4096 --quiet > /dev/null
  run build --method gptq --bits 2-5 --data calibration --keep-statistics diagonal
  sets="--data calibration --validation validation --arithmetic bfloat16"
}

smollm2() {
  setup_smollm2
  target=$1
  case $target in 3) run baseline uniform --target-bits $target $sets --name uniform-$target ;; esac
  for name in dp higgs sensitivity-dp; do
    run baseline $name --target-bits $target $sets --name $name-$target
  done
  for seed in ${SEEDS:-0 1 2}; do
    run search --strategy evopress --target-bits $target --generations 15 --offspring 16 --survivors 2,1 --tokens 512,8192 \
      --seed $seed $sets --name search-$target-$seed
  done
}

guided_smollm2() {
  setup_smollm2
  for seed in ${SEEDS:-0 1 2}; do
    run search --strategy guided --target-bits $1 --generations 5 --offspring 16 --survivors 2,1 --tokens 512,8192 \
      --sweep-tokens 512 --seed $seed $sets --name guided-$1-$seed
  done
}

guided_drops() {
  setup drops
  guided $1 10 --drop-count $1
}

# What the searches had found after each generation, on validation data: how many tokens it takes to be as good as EvoPress.
parents() {
  for name in bits sparsity-50 sparsity-60 sparsity-70 wide-sparsity-50 wide-sparsity-60 drops; do
    file=$folder/$name.evodb
    [ -e "$file" ] || continue
    "$EVODB" query "$file" "SELECT DISTINCT parent_assignment FROM run_progress
      WHERE run GLOB 'search-*' OR run GLOB 'guided-*'" --format csv | tail -n +2 |
      while read -r assignment; do
        run evaluate "$assignment" --data validation --measure kl
      done
  done
}

# Ten budgets by one sweep, and the same evaluated on validation data.
budgets() {
  setup bits
  run build --method gptq --bits 2-6 --data hessian
  run front --from 2.25bit --to 4.5bit --points 10 $sets
  run front --from 2.25bit --to 4.5bit --points 10 --evaluate $sets
  tail -n 10 "$folder/log.jsonl" > "$folder/budgets.jsonl"
}

# Fitness on the whole set and one switch a child, as in the theory. Brute force has evaluated every set: this computes
# nothing but the first looks at the starts.
convergence() {
  setup drops
  for count in 2 3 4; do
    for offspring in 1 8; do
      for seed in 0 1 2 3 4 5 6 7 8 9; do
        run search --strategy evopress --drop-count $count --tie block --generations $((120 / offspring)) --offspring $offspring \
          --survivors 1 --tokens 8192 --maximum-switches 1 --initial random:1 --seed $seed $sets \
          --name converge-$count-$offspring-$seed
      done
    done
  done
}

ablations() {
  setup bits
  run build --method gptq --bits 2-6 --data hessian
  base="--target-bits 2.5 --generations 10 --survivors 2,1 --seed 0"
  # What all others differ from in one setting: 3 switches at most, 16 offspring, 512 tokens in the first stage, KL.
  run search --strategy evopress $base --offspring 16 --tokens 512,8192 $sets --name search-2.5-0
  for count in 1 6; do
    run search --strategy evopress $base --offspring 16 --tokens 512,8192 --maximum-switches $count $sets --name switches-$count
  done
  for count in 8 32; do
    run search --strategy evopress $base --offspring $count --tokens 512,8192 $sets --name offspring-$count
  done
  for tokens in 256 2048; do
    run search --strategy evopress $base --offspring 16 --tokens $tokens,8192 $sets --name first-stage-$tokens
  done
  run search --strategy evopress $base --offspring 16 --tokens 512,8192 --measure perplexity $sets --name measure-perplexity
}

monotonicity() {
  for name in bits drops; do
    setup $name
    run monotonicity --validation validation
  done
}

# EvoPress's searches in PyTorch on the same levels, tokens and budgets; PYTHON names an interpreter that has torch.
reference() {
  for each in bits-2.5 sparsity-60 drops-3; do
    EVODB="$EVODB" "${PYTHON:-python3}" "$root/Benchmarks/reference_search.py" $each "$folder"
  done
}

page() { EVODB="$EVODB" python3 "$root/Scripts/experiments-page.py" "$folder" "$root/docs"; }

do_part() {
  part=$1
  case $part in
    bits-2.25 | bits-2.5 | bits-3 | bits-4) bits "${part#bits-}" ;;
    sparsity-50 | sparsity-60 | sparsity-70) sparsity "${part#sparsity-}" ;;
    wide-sparsity-50 | wide-sparsity-60) wide_sparsity "${part#wide-sparsity-}" ;;
    drops-2 | drops-3 | drops-4) drops "${part#drops-}" ;;
    guided-bits-2.25 | guided-bits-2.5 | guided-bits-3 | guided-bits-4) guided_bits "${part#guided-bits-}" ;;
    guided-sparsity-50 | guided-sparsity-60 | guided-sparsity-70) guided_sparsity "${part#guided-sparsity-}" ;;
    guided-wide-sparsity-50 | guided-wide-sparsity-60) guided_wide "${part#guided-wide-sparsity-}" ;;
    guided-drops-2 | guided-drops-3 | guided-drops-4) guided_drops "${part#guided-drops-}" ;;
    smollm2-3 | smollm2-3.5) smollm2 "${part#smollm2-}" ;;
    guided-smollm2-3 | guided-smollm2-3.5) guided_smollm2 "${part#guided-smollm2-}" ;;
    parents | budgets | convergence | ablations | monotonicity | reference | page) $part ;;
    all)
      for each in bits-2.25 bits-2.5 bits-3 bits-4 sparsity-50 sparsity-60 sparsity-70 wide-sparsity-50 \
        wide-sparsity-60 drops-2 drops-3 drops-4; do
        do_part $each
        do_part guided-$each
      done
      for each in parents budgets convergence ablations monotonicity page; do
        do_part $each
      done
      ;;
    *)
      echo "experiments.sh: no part $part; the head of the script names them" >&2
      exit 64
      ;;
  esac
}

do_part "$part"
