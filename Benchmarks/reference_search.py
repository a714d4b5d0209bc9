#!/usr/bin/env python3
"""EvoPress's searches in PyTorch, on the levels, tokens and budgets of Scripts/experiments.sh, to hold evodb against.

usage: reference_search.py PART [FOLDER]     (needs torch, transformers and tokenizers; EVODB names the program)

PART is bits-2.5, sparsity-60 or drops-3, and FOLDER [default: .experiments] has the catalog that
`Scripts/experiments.sh PART` made. The levels are those of the catalog, taken out of it as Hugging Face folders, the
sequences come from the model's own tokenizer, and the search is written from the paper and the behaviour of the reference
implementation: one model in memory, changed layers copied in for every candidate, logits of the dense model kept, the
parent in the last stage only, level switches inside groups of equal size. Three seeds, with generations, offspring, stages
and starts of the catalog's searches. Each result goes into the catalog as a profile, and one line of JSON about it is
appended to FOLDER/reference.jsonl; `Scripts/experiments.sh page` makes a table of them.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "Examples/prose-10m"
PROGRAM = os.environ.get("EVODB", str(ROOT / ".build/release/evodb"))
SEQUENCE_LENGTH, CALIBRATION_TOKENS = 256, 8192
GENERATIONS, OFFSPRING = 10, 16
SURVIVORS, TOKENS = (2, 1), (512, 8192)
START_TOKENS = 2048
LAYERS = [
    f"model.layers.{block}.{name}"
    for block in range(12)
    for name in (
        *(f"self_attn.{role}_proj" for role in "qkvo"), "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
]


def evodb(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


class Evaluator:
    """KL to the dense model on cut sequences, one candidate after the other."""

    def __init__(self):
        self.model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
        text = (MODEL / "calibration.txt").read_text(encoding="utf-8")
        ids = Tokenizer.from_file(str(MODEL / "tokenizer.json")).encode(text, add_special_tokens=False).ids
        self.sequences = [
            torch.tensor([ids[at : at + SEQUENCE_LENGTH]]) for at in range(0, CALIBRATION_TOKENS, SEQUENCE_LENGTH)]
        with torch.inference_mode():
            self.teachers = [self.logits(sequence).log_softmax(-1) for sequence in self.sequences]
        self.tokens = 0

    def logits(self, sequence):
        return self.model(sequence, use_cache=False).logits[0]

    def minibatch(self, rng, tokens):
        """Whole sequences in random order, the last one cut: (index, length)."""
        order, taken = rng.sample(range(len(self.sequences)), len(self.sequences)), []
        for index in order:
            length = min(tokens, SEQUENCE_LENGTH)
            if length < 2:
                break
            taken.append((index, length))
            tokens -= length
        return taken

    @torch.inference_mode()
    def fitness(self, minibatch):
        total, count = 0.0, 0
        for index, length in minibatch:
            student = self.logits(self.sequences[index][:, :length])[:-1].log_softmax(-1)
            teacher = self.teachers[index][: length - 1]
            total += F.kl_div(student, teacher, log_target=True, reduction="sum").item()
            count += length - 1
            self.tokens += length
        return total / count


class Levels:
    """A search over levels of layers: 0 is the least compressed. `costs[level]` counts per weight, or per step."""

    def __init__(self, evaluator, weights, groups, start):
        self.evaluator = evaluator
        self.modules = [evaluator.model.get_submodule(name) for name in LAYERS]
        # weights[level][layer]
        self.weights, self.groups, self.starts = weights, groups, start
        self.loaded = [None] * len(LAYERS)

    def load(self, candidate):
        with torch.inference_mode():
            for index, level in enumerate(candidate):
                if self.loaded[index] != level:
                    self.modules[index].weight.copy_(self.weights[level][index])
                    self.loaded[index] = level

    def mutate(self, parent, rng):
        child = list(parent)
        for _ in range(min(rng.randint(1, 3), rng.randint(1, 3))):
            group = rng.choices(self.groups, weights=[len(group) for group in self.groups])[0]
            lower = [index for index in group if child[index] > 0]
            if not lower:
                continue
            gains = rng.choice(lower)
            higher = [index for index in group if index != gains and child[index] < len(self.weights) - 1]
            if not higher:
                continue
            loses = rng.choice(higher)
            child[gains] -= 1
            child[loses] += 1
        return tuple(child)


class Drops:
    """A search over attentions and MLPs that are removed, as many of each: a candidate is two sets of blocks."""

    def __init__(self, evaluator, removed, blocks=12):
        self.removed, self.blocks = removed, blocks
        self.layers = evaluator.model.model.layers
        self.forwards = [(layer.self_attn.forward, layer.mlp.forward) for layer in self.layers]

    def starts(self, rng):
        return [
            tuple(frozenset(rng.sample(range(self.blocks), self.removed)) for _ in range(2)) for _ in range(64)]

    def load(self, candidate):
        for block, layer in enumerate(self.layers):
            attention, mlp = self.forwards[block]
            layer.self_attn.forward = (
                (lambda hidden_states, **_: (torch.zeros_like(hidden_states), None))
                if block in candidate[0] else attention)
            layer.mlp.forward = torch.zeros_like if block in candidate[1] else mlp

    def mutate(self, parent, rng):
        child = [set(part) for part in parent]
        for _ in range(min(rng.randint(1, 3), rng.randint(1, 3))):
            part = child[rng.randint(0, 1)]
            back = rng.choice(sorted(part))
            gone = rng.choice(sorted(set(range(self.blocks)) - part))
            part.remove(back)
            part.add(gone)
        return tuple(frozenset(part) for part in child)


def search(space, evaluator, seed):
    rng = random.Random(seed)

    def best(candidates, minibatch, count):
        scored = []
        for candidate in candidates:
            space.load(candidate)
            scored.append((evaluator.fitness(minibatch), len(scored), candidate))
        return [candidate for _, _, candidate in sorted(scored)[:count]]

    starts = space.starts(rng)
    parent = starts[0] if len(starts) == 1 else best(starts, evaluator.minibatch(rng, START_TOKENS), 1)[0]
    for _ in range(GENERATIONS):
        offspring = []
        while len(offspring) < OFFSPRING:
            child = space.mutate(parent, rng)
            if child != parent and child not in offspring:
                offspring.append(child)
        for stage, (survivors, tokens) in enumerate(zip(SURVIVORS, TOKENS)):
            if stage == len(TOKENS) - 1:
                offspring.append(parent)
            offspring = best(offspring, evaluator.minibatch(rng, tokens), survivors)
        parent = offspring[0]
    return parent


def exported(catalog, assignment, folder, *options):
    """The weights of the compressible layers of an assignment."""
    evodb("export", catalog, assignment, "--to", "hf", "-o", folder, "--quiet", *options)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return [model.get_submodule(name).weight.detach().clone() for name in LAYERS]


def by_size(weights):
    groups = {}
    for index, weight in enumerate(weights):
        groups.setdefault(weight.numel(), []).append(index)
    return list(groups.values())


def bits_space(evaluator, catalog, target, temporary):
    widths = (6, 5, 4, 3, 2)
    weights = [exported(catalog, f"uniform:{bits}", temporary / f"{bits}") for bits in widths]
    sizes = [weight.numel() for weight in weights[0]]

    def starts(rng):
        vectors = []
        for _ in range(32):
            # From all at the level below the target, random layers are raised as long as the budget holds.
            levels = [next(i for i, bits in enumerate(widths) if bits <= target)] * len(LAYERS)
            room = int(target * sum(sizes)) - sum(widths[level] * size for level, size in zip(levels, sizes))
            while open_layers := [i for i, size in enumerate(sizes) if size <= room and levels[i] > 0]:
                raised = rng.choice(open_layers)
                levels[raised] -= 1
                room -= sizes[raised]
            vectors.append(tuple(levels))
        return vectors

    return (
        Levels(evaluator, weights, by_size(weights[0]), starts),
        lambda found: [f"{name}: {widths[level]}" for name, level in zip(LAYERS, found)], ())


def sparsity_space(evaluator, catalog, target, temporary):
    steps = range(-8, 9)
    hidden = evaluator.model.config.hidden_size
    options = ("--sparsity", target, "--step-weights", round(min(target, 1 - target) / 16 * hidden * hidden))
    weights = []
    for step in steps:
        profile = temporary / f"{step}.txt"
        profile.write_text("".join(f"{name}: {step}\n" for name in LAYERS))
        digest = json.loads(evodb("import-profile", catalog, profile, *options, "--quiet", "--format", "json"))["assignment"]
        weights.append(exported(catalog, digest, temporary / f"{step}"))
    # Steps are equal numbers of weights in every layer, so any two may exchange them.
    space = Levels(evaluator, weights, [list(range(len(LAYERS)))], lambda rng: [tuple([8] * len(LAYERS))])
    return space, lambda found: [f"{name}: {level - 8}" for name, level in zip(LAYERS, found)], options


def drops_space(evaluator, count):
    def lines(found):
        names = ("none", "attn", "mlp", "attn+mlp")
        return [names[(block in found[0]) + 2 * (block in found[1])] for block in range(12)]

    return Drops(evaluator, count), lines, ()


def main():
    part, folder = sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else ".experiments")
    kind, target = part.split("-")
    catalog = folder / {"bits": "bits", "sparsity": part, "drops": "drops"}[kind]
    catalog = catalog.with_name(catalog.name + ".evodb")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    evaluator = Evaluator()
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        if kind == "bits":
            space, lines, options = bits_space(evaluator, catalog, float(target), temporary)
        elif kind == "sparsity":
            space, lines, options = sparsity_space(evaluator, catalog, int(target) / 100, temporary)
        else:
            space, lines, options = drops_space(evaluator, int(target))
        for seed in range(3):
            evaluator.tokens, begin = 0, time.perf_counter()
            found = search(space, evaluator, seed)
            seconds = time.perf_counter() - begin
            profile = temporary / f"found-{seed}.txt"
            profile.write_text("\n".join(lines(found)) + "\n")
            imported = json.loads(
                evodb("import-profile", catalog, profile, *options, "--quiet", "--format", "json"))
            line = {
                "part": part, "seed": seed, "assignment": imported["assignment"], "forward_tokens": evaluator.tokens,
                "seconds": round(seconds, 1)}
            for data in ("calibration", "validation"):
                evodb("evaluate", catalog, imported["assignment"], "--data", data, "--quiet")
            print(json.dumps(line), flush=True)
            with open(folder / "reference.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
