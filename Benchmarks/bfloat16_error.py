"""KL of a model in transformers' bfloat16 from the same model in float32, for `evodb-bench` to stand beside.

Usage: bfloat16_error.py INPUT.json, where the input has
  model      folder of the checkpoint
  sequences  lists of token ids

Logits are compared in float64. Prints one JSON object with the mean over all predicted positions, in nats.
"""

import json
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM


@torch.inference_mode()
def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    exact, rounded = (
        AutoModelForCausalLM.from_pretrained(request["model"], dtype=dtype).eval()
        for dtype in (torch.float32, torch.bfloat16)
    )
    total = 0.0
    count = 0
    for ids in request["sequences"]:
        ids = torch.tensor([ids])
        p, q = (
            model(ids, use_cache=False).logits[0, :-1].double().log_softmax(-1) for model in (exact, rounded)
        )
        total += (p.exp() * (p - q)).sum().item()
        count += p.shape[0]
    print(
        json.dumps({"kl": total / count, "torch": torch.__version__, "transformers": transformers.__version__})
    )


if __name__ == "__main__":
    main()
