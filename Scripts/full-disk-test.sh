#!/bin/sh
# Fills a small disk in the midst of a search: it must end with exit code 74, lose nothing, and go on when there is room.
# Needs root, to mount a small tmpfs. EVODB names the program, FREE the kilobytes left free on each attempt.
set -eu
cd "$(dirname "$0")/.."
EVODB=${EVODB:-.build/release/evodb}
FOLDER=$(mktemp -d)
MADE=$(mktemp -d)
trap 'umount "$FOLDER" 2>/dev/null || true; rm -rf "$FOLDER" "$MADE"' EXIT
MODEL=Tests/Fixtures/golden/models/llama-gqa
python3 - "$MADE" <<'PYTHON'
import json, struct, sys
ids = [(7 * i * i + 13 * i + 1) % 96 for i in range(64 * 32)]
data = struct.pack(f"<{len(ids)}i", *ids)
header = json.dumps({"input_ids": {"dtype": "I32", "shape": [64, 32], "data_offsets": [0, len(data)]}}).encode()
with open(f"{sys.argv[1]}/ids.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header + data)
PYTHON
"$EVODB" init --quiet "$MADE/c.evodb"
"$EVODB" import --quiet "$MADE/c.evodb" "$MODEL" >/dev/null
"$EVODB" data --quiet "$MADE/c.evodb" ids --token-ids "$MADE/ids.safetensors" >/dev/null
"$EVODB" build --quiet "$MADE/c.evodb" --bits 2-4 >/dev/null
search() {
  "$EVODB" search --quiet "$1" --target-bits 3 --generations 6 --offspring 8 --survivors 2,1 --tokens 64,256 --name s \
    >/dev/null 2>"$MADE/error.txt"
}
cp "$MADE/c.evodb" "$MADE/whole.evodb"
search "$MADE/whole.evodb"
WANTED=$("$EVODB" digest --all "$MADE/whole.evodb")
SIZE=$(($(wc -c < "$MADE/c.evodb") / 1024))
for free in ${FREE:-40 80 120 200 300 400 600 800}; do
  mount -t tmpfs -o "size=$((SIZE + free))k" none "$FOLDER"
  cp "$MADE/c.evodb" "$FOLDER/c.evodb"
  code=0
  search "$FOLDER/c.evodb" || code=$?
  "$EVODB" verify --quiet "$FOLDER/c.evodb" >/dev/null
  rows=$("$EVODB" query "$FOLDER/c.evodb" "SELECT count(*) FROM observation" --format csv | tail -n 1 | tr -d '\r')
  mount -o remount,size=1g "$FOLDER"
  search "$FOLDER/c.evodb"
  [ "$("$EVODB" digest --all "$FOLDER/c.evodb")" = "$WANTED" ]
  "$EVODB" verify --quiet "$FOLDER/c.evodb" >/dev/null
  umount "$FOLDER"
  echo "$free KiB free: exit $code, $rows evaluations kept, the same end after going on"
  case $code in 0 | 74) ;; *) cat "$MADE/error.txt"; exit 1 ;; esac
done
# An export that does not fit ends with 74 before it begins, and leaves nothing.
"$EVODB" init --quiet "$MADE/e.evodb"
"$EVODB" import --quiet "$MADE/e.evodb" Examples/prose-10m >/dev/null
"$EVODB" build --quiet "$MADE/e.evodb" --method rtn --bits 4 --symmetric --quantization-group-size 0 >/dev/null
export_to() {
  "$EVODB" export --quiet "$MADE/e.evodb" uniform:4 --method rtn --to "$1" -o "$2" >/dev/null 2>"$MADE/error.txt"
}
for form in gguf hf compressed-tensors gptq; do
  mount -t tmpfs -o size=64k none "$FOLDER"
  code=0
  export_to $form "$FOLDER/out" || code=$?
  [ $code = 74 ] && grep -q "are free" "$MADE/error.txt" && [ -z "$(ls -A "$FOLDER")" ] || { cat "$MADE/error.txt"; exit 1; }
  umount "$FOLDER"
  echo "export --to $form: exit $code, nothing left behind"
done
# Somebody else fills the disk while an export is written: 74, nothing under the final name, and nothing left that takes room.
# Where the export was faster, once more.
for form in gguf hf compressed-tensors gptq; do
  code=0
  for attempt in 1 2 3 4 5; do
    mount -t tmpfs -o size=48m none "$FOLDER"
    python3 - "$FOLDER" <<'PYTHON' &
import os, sys
def written(folder):
    return any(file.stat().st_size for file in os.scandir(folder) if file.is_file()) or any(
        written(inner) for inner in os.scandir(folder) if inner.is_dir())
while True:
    try:
        if written(sys.argv[1]):
            break
    except FileNotFoundError:
        pass
with open(f"{sys.argv[1]}/filler", "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(1 << 20))
    except OSError:
        pass
PYTHON
    filler=$!
    sleep 0.3
    code=0
    export_to $form "$FOLDER/out" || code=$?
    wait $filler
    rm -f "$FOLDER/filler"
    [ $code = 0 ] || break
    [ -e "$FOLDER/out" ] || exit 1
    umount "$FOLDER"
  done
  [ $code = 74 ] && [ -z "$(ls -A "$FOLDER")" ] || { ls -A "$FOLDER"; cat "$MADE/error.txt"; exit 1; }
  export_to $form "$FOLDER/out"
  umount "$FOLDER"
  echo "export --to $form onto a disk that fills up: exit $code, nothing left behind, written when there was room"
done
