#!/usr/bin/env python3
"""Makes Tests/Fixtures/families: tiny random models with what the golden ones lack, and logits of transformers.

Needs torch, safetensors and transformers 5. `expected.safetensors` comes from a model loaded with dtype=float32;
`expected-cast.safetensors` from the same model cast to the type of its weights as a whole and back, which rounds its
buffers as well (docs/decisions/0003). `golden-loaded/NAME.safetensors` has the logits of a golden model loaded with
dtype=float32.
"""
import json
import pathlib

import torch
import transformers
from safetensors.torch import load_file, save_file

fixtures = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Fixtures"
common = dict(vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0)
# Clearly different for every one of the 4 frequencies of a head.
short = [1.0 + 0.1 * i for i in range(4)]
long = [1.5 + 0.5 * i for i in range(4)]
models = {
    "llama-linear-biases": (transformers.LlamaConfig(
        **common, attention_bias=True, mlp_bias=True,
        rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 1000.0}), torch.float32),
    "qwen3-windows": (transformers.Qwen3Config(
        **common, head_dim=12, attention_bias=True, use_sliding_window=True, sliding_window=9, max_window_layers=1,
        tie_word_embeddings=True), torch.bfloat16),
    "phi3-short-window": (transformers.Phi3Config(
        **common, sliding_window=20, original_max_position_embeddings=80,
        rope_parameters={"rope_type": "longrope", "short_factor": short, "long_factor": long, "rope_theta": 10000.0}),
        torch.bfloat16),
    "gemma2-biases": (transformers.Gemma2Config(
        **{**common, "hidden_size": 40}, head_dim=8, attention_bias=True, query_pre_attn_scalar=24, sliding_window=11,
        attn_logit_softcapping=2.0, final_logit_softcapping=None), torch.float16),
}


def logits(model, ids):
    with torch.no_grad():
        return model(ids).logits.contiguous()


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()


def old_spelling(folder):
    """Rewrites config.json as transformers before 5 wrote it."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    rope.pop("partial_rotary_factor", None)
    rope.pop("original_max_position_embeddings", None)
    kind = rope.pop("rope_type")
    config["rope_scaling"] = None if kind == "default" else {"type": kind, **rope}
    config["torch_dtype"] = config.pop("dtype")
    config.pop("layer_types", None)
    file.write_text(json.dumps(config, indent=2) + "\n")


for number, (name, (config, dtype)) in enumerate(models.items()):
    torch.manual_seed(number)
    folder = fixtures / "families" / name
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            norm = "norm" in key
            base = 1.0 if norm and config.model_type != "gemma2" else 0.0
            parameter.copy_(base + torch.randn_like(parameter) * (0.2 if norm else 0.3))
    model.to(dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if name in ("qwen3-windows", "phi3-short-window"):
        old_spelling(folder)
    # 70 tokens are more than one strip of queries.
    ids = torch.randint(0, config.vocab_size, (1, 70))
    loaded = load(folder)
    save_file({"input_ids": ids.int(), "logits": logits(loaded, ids)}, folder / "expected.safetensors")
    if dtype != torch.float32:
        cast = loaded.to(dtype).float()
        save_file({"input_ids": ids.int(), "logits": logits(cast, ids)}, folder / "expected-cast.safetensors")

target = fixtures / "families" / "golden-loaded"
target.mkdir(parents=True, exist_ok=True)
for folder in sorted((fixtures / "golden" / "models").iterdir()):
    ids = load_file(folder / "expected.safetensors")["input_ids"]
    save_file({"input_ids": ids, "logits": logits(load(folder), ids.long())}, target / f"{folder.name}.safetensors")
