"""KL fitness as a straightforward PyTorch search computes it, for `evodb-bench` to stand beside.

Usage: reference_fitness.py INPUT.json, where the input has
  model       folder of the checkpoint
  layers      names of the compressible layers, without `.weight`
  sequences   lists of token ids
  candidates  for every candidate the bits of every layer

Does what EvoPress's evolutionary search does: one model stays in memory; for every candidate the weights of the layers
whose level differs from what is loaded are copied in, then every sequence goes through the model alone, and KL is taken
against logits of the dense model, which are computed beforehand and not timed. Weights are plainly rounded to their
levels beforehand (not timed either): the speed does not depend on which values they have. The rate is that of the median
candidate.

Prints one JSON object with tokens per second in float32 and bfloat16.
"""

import json
import math
import os
import statistics
import sys
import time

import torch
import torch.nn.functional as F
import transformers
from transformers import AutoModelForCausalLM

GROUP_SIZE = 128
# At most this long per type; a candidate that has begun is finished.
SECONDS = 20


def rounded(weight, bits):
    """Asymmetric round-to-nearest in groups of inputs."""
    groups = weight.float().reshape(weight.shape[0], -1, math.gcd(GROUP_SIZE, weight.shape[1]))
    low = groups.amin(-1, keepdim=True).clamp(max=0)
    high = groups.amax(-1, keepdim=True).clamp(min=0)
    scale = ((high - low) / (2**bits - 1)).clamp(min=1e-9)
    zero = torch.round(-low / scale)
    codes = (torch.round(groups / scale) + zero).clamp(0, 2**bits - 1)
    return ((codes - zero) * scale).reshape(weight.shape)


def kl(student, teacher):
    """Mean KL(teacher || student) over the predicted positions."""
    student = student[0, :-1].float().log_softmax(-1)
    teacher = teacher[0, :-1].float().log_softmax(-1)
    return F.kl_div(student, teacher, log_target=True, reduction="batchmean").item()


@torch.inference_mode()
def tokens_per_second(request, dtype):
    model = AutoModelForCausalLM.from_pretrained(request["model"], dtype=dtype).eval()
    modules = [model.get_submodule(name) for name in request["layers"]]
    dense = [module.weight.detach().clone() for module in modules]
    levels = sorted({bits for candidate in request["candidates"] for bits in candidate})
    stored = [{bits: rounded(weight, bits).to(dtype) for bits in levels} for weight in dense]
    sequences = [torch.tensor([ids]) for ids in request["sequences"]]
    teachers = [model(ids, use_cache=False).logits for ids in sequences]
    loaded = [None] * len(modules)

    def fitness(candidate):
        for index, bits in enumerate(candidate):
            if loaded[index] != bits:
                modules[index].weight.copy_(stored[index][bits])
                loaded[index] = bits
        total = 0.0
        for ids, teacher in zip(sequences, teachers):
            total += kl(model(ids, use_cache=False).logits, teacher)
        return total / len(sequences)

    tokens = sum(ids.shape[1] for ids in sequences)
    times = []
    deadline = time.perf_counter() + SECONDS
    for candidate in request["candidates"]:
        start = time.perf_counter()
        fitness(candidate)
        end = time.perf_counter()
        times.append(end - start)
        if end > deadline:
            break
    return tokens / statistics.median(times)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    result = {
        "float32_tokens_per_second": tokens_per_second(request, torch.float32),
        "bfloat16_tokens_per_second": tokens_per_second(request, torch.bfloat16),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": threads,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
