#!/usr/bin/env python3
"""Makes a Hugging Face folder of a GGUF file of SmolLM2, for experiments on a model of 135 million parameters.

usage: smollm2-folder.py FILE.gguf FOLDER      (needs gguf, numpy, safetensors and tokenizers)

Weights are dequantized and stored as float16: the folder holds the quantized model, not the one that was trained. The
rows of the query and key layers go back from llama.cpp's order, which interleaves the two halves of every head, to
that of transformers; the embedding is the output layer, too. The tokenizer is byte-level BPE after single digits, as
llama.cpp's "smollm" says. Files of other models are refused.
"""

import json
import pathlib
import sys

import gguf
import numpy
import safetensors.numpy
import tokenizers

NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL = 3  # llama.cpp's type of tokens that no text makes


def config(field):
    """The configuration; `field` gives the values of the file's keys."""
    heads, width = field("llama.attention.head_count"), field("llama.embedding_length")
    if field("llama.rope.dimension_count") * heads != width:
        sys.exit("smollm2-folder.py: only heads that share the width evenly and rotate as a whole are known")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": width,
        "intermediate_size": field("llama.feed_forward_length"),
        "num_hidden_layers": field("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": field("llama.attention.head_count_kv"),
        "vocab_size": field("llama.vocab_size"),
        "max_position_embeddings": field("llama.context_length"),
        "rms_norm_eps": float(f"{field('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": field("llama.rope.freq_base"),
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": field("tokenizer.ggml.bos_token_id"),
        "eos_token_id": field("tokenizer.ggml.eos_token_id"),
        "torch_dtype": "float16",
    }


def in_halves(weights, heads):
    """Rows of a rotated layer in transformers' order: of every head first the even ones, then the odd ones."""
    rows, columns = weights.shape
    return weights.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def tensors(reader, settings):
    heads = {"attn_q": settings["num_attention_heads"], "attn_k": settings["num_key_value_heads"]}
    result = {}
    for tensor in reader.tensors:
        weights = gguf.dequantize(tensor.data, tensor.tensor_type)
        parts = tensor.name.split(".")
        if parts[0] == "blk":
            if parts[2] in heads:
                weights = in_halves(weights, heads[parts[2]])
            name = f"model.layers.{parts[1]}.{NAMES[parts[2]]}.weight"
        else:
            name = {"token_embd": "model.embed_tokens.weight", "output_norm": "model.norm.weight"}[parts[0]]
        half = weights.astype(numpy.float16)
        if not numpy.isfinite(half).all():
            sys.exit(f"smollm2-folder.py: {tensor.name} does not fit into float16")
        result[name] = half
    return result


def tokenizer(field):
    tokens = field("tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges")]
    result = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    result.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Digits(individual_digits=True),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
    ])
    result.decoder = tokenizers.decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, field("tokenizer.ggml.token_type")) if kind == CONTROL]
    result.add_special_tokens([tokenizers.AddedToken(token, special=True, normalized=False) for token in control])
    return result


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    reader = gguf.GGUFReader(sys.argv[1])

    def field(name):
        return reader.fields[name].contents()

    kind = field("general.architecture"), field("tokenizer.ggml.model"), field("tokenizer.ggml.pre")
    if kind != ("llama", "gpt2", "smollm"):
        sys.exit(f"smollm2-folder.py: not a file of SmolLM2, but {'/'.join(kind)}")
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    settings = config(field)
    (folder / "config.json").write_text(json.dumps(settings, indent=1) + "\n")
    safetensors.numpy.save_file(tensors(reader, settings), folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer(field).save(str(folder / "tokenizer.json"))


main()
