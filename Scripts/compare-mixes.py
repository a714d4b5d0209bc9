#!/usr/bin/env python3
"""Compares searches over K-quants with llama.cpp's own mixes of the same file size.

    Scripts/compare-mixes.py .build/release/evodb work.evodb [--model Examples/prose-10m] [--mix Q3_K_M …] [--seeds 0,1]

Every mix of llama-quantize is made of evodb's `kquant` variants, by the rules of its source, with the Hessian's diagonal as importance
matrix. Then evodb searches for the same GGUF file size (`--budget file`), with the same types for embedding and head, over `kquant` and
over `kquant-gptq`. Every result is exported: the size is that of the file. The table has the KL divergence from the dense model on held-out
text, and the paired difference from the mix with its standard error.

What is in the catalog is not computed again, so that the script goes on after a stop.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TYPES = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
BITS = {"Q2_K": "2.5625", "Q3_K": "3.4375", "Q4_K": "4.5", "Q5_K": "5.5", "Q6_K": "6.5625"}


def uses_more_bits(index, count):
    return index < count // 8 or index >= 7 * count // 8 or (index - count // 8) % 3 == 2


def mix_type(mix, role, index, count, heads_per_group):
    """The type that llama-quantize gives to a layer of a model that is no mixture of experts and not of 70 billion weights.

    Source: llama.cpp, `src/llama-quant.cpp`, `llama_tensor_get_type_impl`. `Q2_K, pure` is its option --pure, and with
    `embedding Q2_K` --token-embedding-type is given.
    """
    if mix == "Q2_K, pure":
        return "Q2_K"
    mix = mix.split(",")[0]
    base = mix[:4]
    if role in ("v_proj", "qkv_proj"):
        if role == "qkv_proj" and mix == "Q3_K_M":
            return "Q4_K"
        if role == "qkv_proj" and mix == "Q4_K_M":
            return "Q5_K"
        if mix == "Q2_K":
            return "Q4_K" if heads_per_group >= 4 else "Q3_K"
        if mix == "Q3_K_M":
            return "Q5_K" if index < 2 else "Q4_K"
        if mix == "Q4_K_S" and index < 4:
            return "Q5_K"
        if mix == "Q4_K_M" and uses_more_bits(index, count):
            return "Q6_K"
    elif role == "down_proj":
        if mix == "Q2_K":
            return "Q3_K"
        if mix == "Q3_K_M":
            return "Q5_K" if index < count // 16 else "Q4_K"
        if mix == "Q4_K_S" and index < count // 8:
            return "Q5_K"
        if mix == "Q4_K_M" and uses_more_bits(index, count):
            return "Q6_K"
    elif role == "o_proj":
        if mix == "Q2_K":
            return "Q3_K"
        if mix == "Q3_K_M":
            return "Q4_K"
    return base


class Catalog:
    def __init__(self, evodb, path, model, options):
        self.evodb, self.path, self.model, self.options = evodb, path, model, options

    def run(self, verb, *arguments, check=True):
        command = [self.evodb, verb, self.path, *map(str, arguments)]
        if verb not in ("query", "compare"):
            command.append("--quiet")
        result = subprocess.run(command, capture_output=True, text=True)
        if check and result.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}: exit code {result.returncode}: {result.stderr.strip()}")
        return result

    def json(self, verb, *arguments):
        return json.loads(self.run(verb, *arguments, "--format", "json").stdout)

    def query(self, sql):
        return self.json("query", sql)

    def prepare(self):
        if os.path.exists(self.path):
            return
        self.run("init")
        self.run("import", self.model)
        for name in ("calibration", "validation"):
            self.run("data", name, self.model / f"{name}.txt", "--sequence-length", 256)
        for method in ("kquant", "kquant-gptq"):
            self.run("build", "--method", method, "--types", ",".join(TYPES), "--data", "calibration", *self.options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evodb")
    parser.add_argument("catalog", help="made if it is not there")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "Examples" / "prose-10m", help="with calibration.txt and validation.txt")
    parser.add_argument("--mix", action="append", help="only this one; may be repeated")
    parser.add_argument("--method", action="append", help="only this one; may be repeated")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--arithmetic", default="bfloat16", help="of evaluations")
    arguments = parser.parse_args()
    evodb = os.path.abspath(arguments.evodb) if os.sep in arguments.evodb else arguments.evodb
    catalog = Catalog(evodb, arguments.catalog, arguments.model.resolve(), ["--threads", arguments.threads])
    catalog.prepare()
    work = ["--arithmetic", arguments.arithmetic, "--threads", arguments.threads]
    configuration = json.loads((arguments.model / "config.json").read_text())
    layers = catalog.query("SELECT name, role, block_index FROM layer ORDER BY layer_index")
    blocks = configuration["num_hidden_layers"]
    parameters = catalog.query("SELECT parameter_count FROM model_summary")[0]["parameter_count"]
    group = configuration["num_attention_heads"] // configuration.get("num_key_value_heads", configuration["num_attention_heads"])
    print("| mix, and the same bytes | file, bytes | bits a weight, whole file | KL | ± | − mix | ± | less KL |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:

        def exported(assignment, *options):
            file = pathlib.Path(place) / "model.gguf"
            catalog.run("export", assignment, "--to", "gguf", *options, "-o", file)
            size = file.stat().st_size
            file.unlink()
            return size

        for mix in arguments.mix or ["Q2_K, pure", "Q2_K, embedding Q2_K", "Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M"]:
            # Tied embeddings have the head's type, Q6_K; --pure gives everything one type.
            head = "Q2_K" if mix == "Q2_K, pure" else "Q6_K"
            types = ["--embedding-type", "Q2_K" if "embedding" in mix else head]
            if not configuration.get("tie_word_embeddings", False):
                types = ["--embedding-type", mix[:4], "--head-type", head]
            chosen = [mix_type(mix, layer["role"], layer["block_index"], blocks, group) for layer in layers]
            profile = pathlib.Path(place) / "mix.txt"
            profile.write_text(
                "".join(f"{layer['name']}: {BITS[name]} ({BITS[name]}-{name}.pth)\n" for layer, name in zip(layers, chosen))
            )
            imported = catalog.json("import-profile", profile, "--method", "kquant")["assignment"]
            size = exported(imported, *types)
            base = catalog.json("evaluate", imported, "--data", "validation", *work)
            rows = [(f"**{mix}**", size, base["kl"], base["kl_standard_error"], None, None)]
            for method in arguments.method or ["kquant", "kquant-gptq"]:
                for seed in arguments.seeds.split(","):
                    name = f"{mix.replace(', ', '-')} {method} {seed}".replace(" ", "-")
                    if not catalog.query(f"SELECT 1 FROM run_summary WHERE run = '{name}' AND state = 'finished'"):
                        options = ["--budget", "file", *types, "--method", method, "--data", "calibration"]
                        # A file names its variants: with all layers at the lowest level that may be some bytes more than the mix's.
                        least = catalog.json("search", *options, "--target-bytes", size + size // 100, "--dry-run")["smallest_file_bytes"]
                        catalog.run(
                            "search", *options, "--target-bytes", max(size, least), "--seed", seed, "--name", name, "--validation",
                            "validation", *work,
                        )
                    rows_of_both = catalog.json("compare", imported, name, "--data", "validation", "--part", "values")
                    compared = next(row for row in rows_of_both if row["run"] == name and row["measure"].startswith("kl"))
                    written = exported(name)
                    if written > size + 1024:
                        sys.exit(f"{name}: the file has {written} bytes, more than {size}")
                    rows.append(
                        (
                            f"{method}, seed {seed}", written, compared["value"], compared["standard_error"], compared["difference"],
                            compared["difference_standard_error"],
                        )
                    )
            for label, size_, value, error, difference, difference_error in rows:
                cells = [label, f"{size_:,}", f"{8 * size_ / parameters:.3f}", f"{value:.5f}", f"{error:.5f}"]
                if difference is None:
                    cells += ["", "", ""]
                else:
                    cells += [f"{difference:+.5f}", f"{difference_error:.5f}", f"{-difference / rows[0][2]:.0%}"]
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
