"""Calibration and GPTQ as a straightforward PyTorch program does them, for `evodb-bench` to stand beside.

Usage: pytorch_gptq.py INPUT.json, where the input has
  model            folder of the checkpoint
  layers           names of the compressible layers, without `.weight`
  sequences        lists of token ids
  bits             levels that every layer is quantized at
  group_size       inputs that share a scale
  upstream_bits    level of the earlier blocks while a block is calibrated
  blocks           optional: stop after so many blocks, and scale the time up to all of them
  threads          optional

Written from the paper (GPTQ, arXiv 2210.17323, algorithm 1): block by block, Hessians 2/N sum x xT of the block's layers
over all sequences, one at a time; then for every layer the upper Cholesky factor of the inverse, once, and for every level
a pass over the columns in blocks of 128; then the block, quantized at `upstream_bits`, moves the activations on. Layers that
are given the same input share its Hessian. Everything is float32. Loading the model is not timed.

Prints one JSON object with seconds: in all, of the Hessians, of the factors and of the passes.
"""

import json
import os
import re
import sys
import time

import torch
import transformers
from transformers import AutoModelForCausalLM

BLOCK_SIZE = 128
DAMPING = 0.01


class Stop(Exception):
    """Ends a forward pass once the first block's inputs are known."""


def ranges(weights, bits):
    """Scale and zero point of each row of a group, asymmetric with zero in the range."""
    low = weights.amin(1).clamp(max=0)
    high = weights.amax(1).clamp(min=0)
    scale = ((high - low) / (2**bits - 1)).clamp(min=1e-9)
    return scale, torch.round(-low / scale)


def inverse_factor(hessian):
    """The upper Cholesky factor of the inverse of the damped Hessian, and the dead inputs."""
    hessian = hessian.clone()
    dead = hessian.diagonal() == 0
    hessian.diagonal()[dead] = 1
    hessian.diagonal().add_(DAMPING * hessian.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    return torch.linalg.cholesky(inverse, upper=True), dead


def gptq(weight, factor, dead, bits, group_size):
    """The weight [out, in] as its codes stand for it."""
    weight = weight.clone()
    weight[:, dead] = 0
    result = torch.zeros_like(weight)
    columns = weight.shape[1]
    for start in range(0, columns, BLOCK_SIZE):
        end = min(start + BLOCK_SIZE, columns)
        block = weight[:, start:end].clone()
        errors = torch.zeros_like(block)
        part = factor[start:end, start:end]
        for i in range(end - start):
            column = start + i
            if column % group_size == 0:
                # What lies behind the block has not been corrected by it yet, as in the authors' program.
                group = weight[:, column : column + group_size].clone()
                inside = min(end, column + group_size) - column
                group[:, :inside] = block[:, i : i + inside]
                scale, zero = ranges(group, bits)
            w = block[:, i]
            codes = (torch.round(w / scale) + zero).clamp(0, 2**bits - 1)
            rounded = (codes - zero) * scale
            result[:, column] = rounded
            error = (w - rounded) / part[i, i]
            block[:, i:] -= error.unsqueeze(1) * part[i, i:].unsqueeze(0)
            errors[:, i] = error
        weight[:, end:] -= errors @ factor[start:end, end:]
    return result


def first_inputs(model, block, sequences):
    """The first block's arguments for each sequence."""
    calls = []

    def keep(_, arguments, options):
        calls.append((arguments[0] if arguments else options["hidden_states"], options))
        raise Stop

    handle = block.register_forward_pre_hook(keep, with_kwargs=True)
    for ids in sequences:
        try:
            model(ids, use_cache=False)
        except Stop:
            pass
    handle.remove()
    return [(x, {name: value for name, value in options.items() if name != "hidden_states"}) for x, options in calls]


def run_block(block, call):
    output = block(call[0], **call[1])
    return output[0] if isinstance(output, tuple) else output


class Hessians:
    """2/N sum x xT of the inputs of some modules; those with the same input share one."""

    def __init__(self, modules, count):
        self.count = count
        self.sums = {}
        self.shared = {}
        self.latest = (None, None)
        self.handles = [module.register_forward_pre_hook(self.hook(name)) for name, module in modules.items()]

    def hook(self, name):
        def add(_, arguments):
            x = arguments[0]
            if self.latest[0] is x:
                self.shared[name] = self.latest[1]
                return
            self.latest = (x, name)
            self.shared[name] = name
            rows = x.reshape(-1, x.shape[-1])
            if name not in self.sums:
                self.sums[name] = torch.zeros(x.shape[-1], x.shape[-1])
            self.sums[name].addmm_(rows.t(), rows, alpha=2 / self.count)

        return add

    def remove(self):
        for handle in self.handles:
            handle.remove()


@torch.inference_mode()
def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    torch.set_num_threads(request.get("threads") or len(os.sched_getaffinity(0)))
    model = AutoModelForCausalLM.from_pretrained(request["model"], dtype=torch.float32).eval()
    sequences = [torch.tensor([ids]) for ids in request["sequences"]]
    by_block = {}
    for name in request["layers"]:
        prefix = re.match(r"^(.*?\.\d+)\.", name).group(1)
        by_block.setdefault(prefix, []).append(name)
    block_count = len(by_block)
    measured = min(request.get("blocks") or block_count, block_count)
    seconds = {"hessians": 0.0, "factors": 0.0, "passes": 0.0}

    start = time.perf_counter()
    calls = first_inputs(model, model.get_submodule(next(iter(by_block))), sequences)
    embedding_seconds = time.perf_counter() - start
    for prefix, names in list(by_block.items())[:measured]:
        block = model.get_submodule(prefix)
        modules = {name: model.get_submodule(name) for name in names}
        begin = time.perf_counter()
        hessians = Hessians(modules, len(calls))
        for call in calls:
            run_block(block, call)
        hessians.remove()
        seconds["hessians"] += time.perf_counter() - begin
        factors = {}
        upstream = {}
        for name, module in modules.items():
            begin = time.perf_counter()
            owner = hessians.shared[name]
            if owner not in factors:
                factors[owner] = inverse_factor(hessians.sums[owner])
            factor, dead = factors[owner]
            middle = time.perf_counter()
            seconds["factors"] += middle - begin
            for bits in request["bits"]:
                quantized = gptq(module.weight, factor, dead, bits, request["group_size"])
                if bits == request["upstream_bits"]:
                    upstream[name] = quantized
            seconds["passes"] += time.perf_counter() - middle
        for name, quantized in upstream.items():
            modules[name].weight.copy_(quantized)
        begin = time.perf_counter()
        calls = [(run_block(block, call), call[1]) for call in calls]
        seconds["hessians"] += time.perf_counter() - begin
    scale = block_count / measured
    result = {
        "seconds": embedding_seconds + scale * sum(seconds.values()),
        **{f"{name}_seconds": scale * value for name, value in seconds.items()},
        "measured_blocks": measured,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
