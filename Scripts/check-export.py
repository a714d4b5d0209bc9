#!/usr/bin/env python3
"""Holds exported folders against transformers: every folder must load, and evodb must find the same logits in it.

    evodb export my.evodb first --to hf -o first-hf
    Scripts/check-export.py .build/release/evodb first-hf [another-folder …]

Needs torch, transformers and safetensors.
"""

import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import save_file


def logits(folder, ids):
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    for kind, names in report.items():
        if kind != "error_msgs" and names and not (kind == "missing_keys" and model.config.tie_word_embeddings):
            sys.exit(f"{folder}: {kind}: {names}")
    with torch.no_grad():
        return model.eval()(ids % model.config.vocab_size).logits


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 1 << 20, (2, 24), generator=generator)
    failed = False
    for folder in sys.argv[2:]:
        result = logits(folder, ids)
        with tempfile.TemporaryDirectory() as place:
            expected = pathlib.Path(place) / "expected.safetensors"
            fed = (ids % result.shape[-1]).to(torch.int32)
            save_file({"input_ids": fed, "logits": result.contiguous()}, expected)
            check = subprocess.run(
                [sys.argv[1], "check", folder, "--expected", expected, "--format", "json"], capture_output=True, text=True
            )
        print(folder, check.stdout.strip(), check.stderr.strip())
        failed = failed or check.returncode != 0
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
