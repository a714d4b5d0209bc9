#!/bin/sh
# Makes Tests/Fixtures/catalogs/vN.evodb, N being the schema version of this build: a small whole catalog that later
# versions must be able to upgrade. Run it when a version is tagged, and never change the file afterwards.
set -eu
cd "$(dirname "$0")/.."
EVODB=${EVODB:-.build/release/evodb}
FOLDER=Tests/Fixtures/catalogs
TEMPORARY=$(mktemp -d)
trap 'rm -rf "$TEMPORARY"' EXIT
mkdir -p "$FOLDER"
CATALOG=$TEMPORARY/c.evodb
"$EVODB" init --quiet "$CATALOG"
# The catalog names the model's folder, which is to be nobody's.
cp -r Tests/Fixtures/golden/models/llama-gqa "$TEMPORARY"
"$EVODB" import --quiet "$CATALOG" "$TEMPORARY/llama-gqa" >/dev/null
python3 - "$TEMPORARY" <<'PYTHON'
import json, struct, sys
for name, count, offset in (("calibration", 6, 1), ("validation", 3, 5)):
    ids = [(7 * i * i + 13 * i + offset) % 96 for i in range(count * 16)]
    data = struct.pack(f"<{len(ids)}i", *ids)
    header = json.dumps({"input_ids": {"dtype": "I32", "shape": [count, 16], "data_offsets": [0, len(data)]}}).encode()
    with open(f"{sys.argv[1]}/{name}.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)
PYTHON
for set in calibration validation; do
  "$EVODB" data --quiet "$CATALOG" $set --token-ids "$TEMPORARY/$set.safetensors" >/dev/null
done
"$EVODB" build --quiet "$CATALOG" --data calibration --bits 2-4 --keep-statistics diagonal >/dev/null
"$EVODB" search --quiet "$CATALOG" --target-bits 3 --generations 2 --offspring 4 --survivors 2,1 --tokens 32,96 \
  --data calibration --validation validation --name first >/dev/null
# What only this machine has is not needed.
"$EVODB" gc --quiet "$CATALOG" --what caches >/dev/null
"$EVODB" verify --quiet "$CATALOG"
VERSION=$("$EVODB" query "$CATALOG" "PRAGMA user_version" --format csv | tail -n 1 | tr -d '\r')
cp "$CATALOG" "$FOLDER/v$VERSION.evodb"
ls -l "$FOLDER/v$VERSION.evodb"
