#!/usr/bin/env python3
"""Holds packed exports against the programs that read them.

    Scripts/check-packed.py .build/release/evodb my.evodb uniform:4 run-1 [another assignment …] [-- export options …]

Each assignment is exported as compressed-tensors and as GPTQ, and with all its weights in float32 (`--to hf --dtype float32`),
which is what evodb evaluates. Then

1. compressed-tensors' own functions unpack every packed layer: equal to evodb's weights, bit for bit;
2. transformers loads the folder, and its logits are held against those that evodb computes from the weights in float32
   (`evodb check --expected`): its default load where all layers are symmetric, else `dequantize=True`;
3. a reader written from the description of GPTQ checkpoints unpacks every layer: equal to evodb's weights, bit for bit.

What a form refuses is printed with the reason. Options behind -- go to every export, such as --method rtn.

Needs torch, transformers, compressed-tensors, accelerate and safetensors:

    python3 -m venv packed && packed/bin/pip install torch transformers compressed-tensors accelerate safetensors
"""

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def tensors(folder):
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            found.update({name: file.get_tensor(name) for name in file.keys()})
    return found


def export(evodb, catalog, assignment, target, place, options):
    command = [evodb, "export", catalog, assignment, "--to", *target, "-o", str(place), "--quiet", *options]
    result = subprocess.run(command, capture_output=True, text=True)
    return None if result.returncode == 0 else result.stderr.strip()


def codes(words, count, bits):
    """Codes of a stream of 32-bit words along the last dimension, lowest bit first."""
    words = words.to(torch.int64) & 0xFFFFFFFF
    places = torch.arange(count) * bits
    low = words[..., places // 32] >> (places % 32)
    following = torch.clamp(places // 32 + 1, max=words.shape[-1] - 1)
    high = torch.where(places % 32 + bits > 32, words[..., following] << (32 - places % 32), 0)
    return (low | high) & ((1 << bits) - 1)


def gptq_weights(found, name, bits, version):
    """[out, in] in float32, from qweight, qzeros, scales and g_idx."""
    packed = found[name + ".qweight"]
    out_count, in_count = packed.shape[1], packed.shape[0] * 32 // bits
    weights = codes(packed.T.contiguous(), in_count, bits)
    zeros = codes(found[name + ".qzeros"], out_count, bits) + (1 if version == "gptq" else 0)
    groups = found[name + ".g_idx"].to(torch.int64)
    scales = found[name + ".scales"].to(torch.float32)
    return scales[groups].T * (weights - zeros[groups].T).to(torch.float32)


def same_bits(left, right):
    left, right = left.to(torch.float32).contiguous(), right.to(torch.float32).contiguous()
    return left.shape == right.shape and torch.equal(left.view(torch.int32), right.view(torch.int32))


def check_gptq(folder, plain):
    configuration = json.loads((folder / "quantize_config.json").read_text())
    found, version = tensors(folder), configuration["checkpoint_format"]
    names = [name.removesuffix(".qweight") for name in found if name.endswith(".qweight")]
    for name in names:
        bits = found[name + ".qweight"].shape[0] * 32 // found[name + ".g_idx"].shape[0]
        if not same_bits(gptq_weights(found, name, bits, version), plain[name + ".weight"]):
            return f"{name} differs", False
    return f"{len(names)} layers equal, checkpoint_format {version}", True


def check_unpacked(folder, plain):
    """compressed-tensors' own unpacking of the codes and zero points."""
    from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32

    found = tensors(folder)
    names = [name.removesuffix(".weight_packed") for name in found if name.endswith(".weight_packed")]
    groups = json.loads((folder / "config.json").read_text())["quantization_config"]["config_groups"].values()
    for name in names:
        group = next((one for one in groups if name in one["targets"]), None) or next(
            one for one in groups if one["targets"] == ["Linear"]
        )
        bits = group["weights"]["num_bits"]
        shape = torch.Size(found[name + ".weight_shape"].tolist())
        scale = found[name + ".weight_scale"].to(torch.float32)
        values = unpack_from_int32(found[name + ".weight_packed"], bits, shape).to(torch.float32)
        if name + ".weight_zero_point" in found:
            zero = unpack_from_int32(
                found[name + ".weight_zero_point"], bits, torch.Size([shape[0], scale.shape[1]]), packed_dim=0
            ).to(torch.float32)
        else:
            zero = torch.zeros_like(scale)
        width = shape[1] // scale.shape[1]
        weights = (values - zero.repeat_interleave(width, 1)) * scale.repeat_interleave(width, 1)
        if not same_bits(weights, plain[name + ".weight"]):
            return f"{name} differs", False
    return f"{len(names)} layers equal", True


def check_logits(evodb, folder, plain_folder, ids):
    import transformers

    quantization = json.loads((folder / "config.json").read_text())["quantization_config"]
    groups = list(quantization["config_groups"].values())
    options, tolerance = {}, "0.0002"
    if not all(group["weights"]["symmetric"] for group in groups):
        if len(groups) > 1:
            return "transformers does not load several asymmetric schemes: not run", True
        options["quantization_config"] = transformers.CompressedTensorsConfig(dequantize=True)
        # This way products are rounded to the type of the scales, where the default load turns scales into the model's.
        if any(value.dtype == torch.float16 for name, value in tensors(folder).items() if name.endswith("_scale")):
            tolerance = "0.02"
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", **options
    )
    with torch.no_grad():
        fed = ids % model.config.vocab_size
        logits = model.eval()(fed).logits.to(torch.float32)
    with tempfile.TemporaryDirectory() as place:
        expected = pathlib.Path(place) / "expected.safetensors"
        save_file({"input_ids": fed.to(torch.int32), "logits": logits.contiguous()}, expected)
        check = subprocess.run(
            [evodb, "check", str(plain_folder), "--expected", expected, "--tolerance", tolerance, "--format", "json"],
            capture_output=True,
            text=True,
        )
    if check.returncode != 0:
        return f"logits: {check.stdout} {check.stderr.strip()}", False
    difference = json.loads(check.stdout)["max_abs_difference"]
    return f"logits of transformers differ by at most {difference:.1e} (allowed: {tolerance})", True


def main():
    given = sys.argv[1:]
    options = given[given.index("--") + 1 :] if "--" in given else []
    given = given[: given.index("--")] if "--" in given else given
    if len(given) < 3:
        sys.exit(__doc__)
    evodb, catalog, assignments = os.path.abspath(given[0]), given[1], given[2:]
    for package in ["torch", "transformers", "compressed-tensors"]:
        print(package, importlib.metadata.version(package))
    ids = torch.randint(0, 1 << 20, (2, 24), generator=torch.Generator().manual_seed(0))
    failed = False
    for assignment in assignments:
        with tempfile.TemporaryDirectory() as place:
            root = pathlib.Path(place)
            reason = export(evodb, catalog, assignment, ["hf", "--dtype", "float32"], root / "plain", options)
            if reason:
                sys.exit(reason)
            plain = tensors(root / "plain")
            for target in [["compressed-tensors"], ["compressed-tensors", "--dtype", "float32"], ["gptq"]]:
                folder = root / "-".join(word.strip("-") for word in target)
                label = f"{assignment} {' '.join(target)}:"
                reason = export(evodb, catalog, assignment, target, folder, options)
                if reason:
                    print(label, "refused:", reason)
                    continue
                checks = (
                    [check_gptq(folder, plain)]
                    if target == ["gptq"]
                    else [check_unpacked(folder, plain), check_logits(evodb, folder, root / "plain", ids)]
                )
                for text, holds in checks:
                    print(label, text if holds else f"FAILED: {text}")
                    failed = failed or not holds
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
