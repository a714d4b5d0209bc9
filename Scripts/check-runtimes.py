#!/usr/bin/env python3
"""Holds exports against the programs that read them: gguf, llama.cpp, compressed-tensors, transformers and GPTQModel.

    Scripts/check-runtimes.py .build/release/evodb [--part PART] [--level TEXT] [--python PYTHON] [MODEL_FOLDER|TOKENIZER_JSON …]

For every model folder (default: all families among the fixtures, and Examples/prose-10m), part `gguf`, several levels and all types:
 1. gguf.dequantize of every tensor gives the weights that evodb computes with, bit for bit (rounded where the export says so);
 2. llama.cpp gives evodb's logits on the same weights as F32;
 3. llama.cpp's KL divergence of the file itself from the dense model is evodb's (llama.cpp rounds activations to 8 bits).
For every kind of tokenizer, part `tokenizers`: 4. llama.cpp cuts 300 texts into evodb's tokens.
For every model folder, part `packed`, bit-widths by turns, symmetric and not:
 5. compressed-tensors' own functions unpack every layer to the weights that evodb computes with, bit for bit, and transformers'
    logits are evodb's: its default load where all layers are symmetric, else `dequantize=True`;
 6. GPTQModel's own functions unpack every layer of a GPTQ checkpoint to the same weights, bit for bit.

The packages come from PyPI, into an environment that is made in .build/check-runtimes (several GB, for PyTorch), or are those of
--python. GPTQModel has no package that installs without a compiler and a GPU's toolkit: its functions are taken, as they are, out
of its source package, which is downloaded beside the environment.
"""

import argparse
import ast
import ctypes
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import venv
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "Tests" / "Fixtures"
PACKAGES = ["gguf", "numpy", "xllamacpp", "torch", "transformers", "compressed-tensors", "accelerate", "safetensors"]
GPTQMODEL = "gptqmodel==7.7.0"
# Of the KL divergence, absolute and as a share: llama.cpp rounds activations to 8 bits, which moves the large divergences of random
# weights by a few percent. The weights are held bit for bit, and their logits in F32, before.
KL_TOLERANCE, KL_SHARE = 1e-3, 4e-2

# Levels: name, options of `evodb build` (nothing to build without), the assignment.
LEVELS = [
    ("dense", None, "dense"),
    ("rtn 3 bits", ["--method", "rtn", "--bits", "3", "--quantization-group-size", "32"], "uniform:3"),
    ("rtn 4 bits symmetric", ["--method", "rtn", "--bits", "4", "--symmetric", "--quantization-group-size", "32"], "uniform:4"),
    ("rtn 5 bits", ["--method", "rtn", "--bits", "5", "--quantization-group-size", "0"], "uniform:5"),
    ("rtn 8 bits", ["--method", "rtn", "--bits", "8", "--quantization-group-size", "32"], "uniform:8"),
    ("magnitude 50 %", ["--method", "magnitude", "--sparsity", "0.5"], "uniform:sparsity=0.5"),
    *(
        (f"kquant {name}", ["--method", "kquant", "--types", name, "--importance", "none"], f"uniform:{name}")
        for name in ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "IQ4_NL", "IQ4_XS"]
    ),
    ("a half dropped", None, "drop:0.mlp"),
    ("a block dropped", None, "drop:1"),
]
# Packed levels: name, whether symmetric, the bits that layers take by turns.
# What vLLM computes as one layer has one scheme, but for the first, which transformers alone runs.
PACKED_LEVELS = [
    ("symmetric, 2 to 8 bits", True, [2, 3, 4, 5, 6, 7, 8]),
    ("symmetric, 2, 3, 4 and 8 bits", True, [2, 3, 4, 8]),
    ("asymmetric, 3 bits", False, [3]),
    ("asymmetric, 8 bits", False, [8]),
    ("asymmetric, 2, 3, 4 and 8 bits", False, [2, 3, 4, 8]),
]


def environment(python):
    """The interpreter with the packages."""
    if python:
        return python
    place = ROOT / ".build" / "check-runtimes"
    interpreter = place / "bin" / "python"
    if not interpreter.exists():
        venv.create(place, with_pip=True)
    subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return str(interpreter)


def gptqmodel():
    """GPTQModel's functions that read packed words, out of its source package."""
    place = ROOT / ".build" / "check-runtimes-gptqmodel"
    if not list(place.glob("gptqmodel-*.tar.gz")):
        place.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation", "-d", place, GPTQMODEL]
        subprocess.run(download, check=True)
    with tarfile.open(next(place.glob("gptqmodel-*.tar.gz"))) as archive:
        name = next(name for name in archive.getnames() if name.endswith("gptqmodel/utils/model_dequant.py"))
        module = ast.parse(archive.extractfile(name).read())
    wanted = {
        "unpack_rows", "unpack_cols", "pack_cols", "_unpack_rows_3bit", "_unpack_cols_3bit", "_pack_cols_3bit",
        "_require_int32_words_for_3bit", "_shift_gptq_qzeros", "_correct_gptq_v1_qzeros",
    }
    module.body = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name in wanted
        or isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]
    functions = {"torch": torch, "PLANAR_BITS": ()}
    exec(compile(module, name, "exec"), functions)
    return functions


def run(evodb, *arguments, check=True):
    result = subprocess.run([evodb, *map(str, arguments)], capture_output=True, text=True)
    if check and result.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: exit code {result.returncode}: {result.stderr.strip()}")
    return result


# safetensors ----------------------------------------------------------------------------------------------------------------


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        raw = data[8 + size + start : 8 + size + end]
        if entry["dtype"] == "BF16":
            array = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            array = np.frombuffer(raw, {"F32": np.float32, "F16": np.float16}[entry["dtype"]]).astype(np.float32)
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def write_safetensors(path, arrays):
    header, offset, parts = {}, 0, []
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array).tobytes()
        kind = {"float32": "F32", "int32": "I32"}[str(array.dtype)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        parts.append(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


# llama.cpp ------------------------------------------------------------------------------------------------------------------


class Parameters(ctypes.Structure):
    # More room than any version's structure: what is behind its end is not looked at.
    _fields_ = [("words", ctypes.c_uint64 * 32)]


class Batch(ctypes.Structure):
    _fields_ = [
        ("n_tokens", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)), ("embd", ctypes.c_void_p),
        ("pos", ctypes.POINTER(ctypes.c_int32)), ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))), ("logits", ctypes.POINTER(ctypes.c_int8)),
    ]


class Llama:
    """llama.cpp's C functions in the library of xllamacpp."""

    def __init__(self):
        import xllamacpp

        library = next(pathlib.Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"))
        self.lib = ctypes.CDLL(str(library))
        pointer = ctypes.c_void_p
        for name, result, arguments in [
            ("llama_model_default_params", Parameters, []), ("llama_context_default_params", Parameters, []),
            ("llama_model_load_from_file", pointer, [ctypes.c_char_p, Parameters]),
            ("llama_init_from_model", pointer, [pointer, Parameters]), ("llama_model_free", None, [pointer]),
            ("llama_free", None, [pointer]), ("llama_model_get_vocab", pointer, [pointer]),
            ("llama_vocab_n_tokens", ctypes.c_int32, [pointer]),
            ("llama_batch_init", Batch, [ctypes.c_int32] * 3), ("llama_batch_free", None, [Batch]),
            ("llama_decode", ctypes.c_int32, [pointer, Batch]),
            ("llama_get_logits_ith", ctypes.POINTER(ctypes.c_float), [pointer, ctypes.c_int32]),
            (
                "llama_tokenize", ctypes.c_int32,
                [pointer, ctypes.c_char_p, ctypes.c_int32, ctypes.POINTER(ctypes.c_int32), ctypes.c_int32, ctypes.c_bool, ctypes.c_bool],
            ),
            ("llama_log_set", None, [pointer, pointer]), ("llama_backend_init", None, []),
        ]:
            function = getattr(self.lib, name)
            function.restype, function.argtypes = result, arguments
        self.messages = []
        self.callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, pointer)(
            lambda level, text, _: self.messages.append(text.decode(errors="replace"))
        )
        self.lib.llama_log_set(ctypes.cast(self.callback, pointer), None)
        self.lib.llama_backend_init()

    def context_parameters(self):
        """One thread, no flash attention, float32 keys and values."""
        parameters = self.lib.llama_context_default_params()
        view = (ctypes.c_int32 * 64).from_buffer(parameters)
        flash = next(
            (i for i in range(8, 40) if list(view[i - 3 : i + 1]) == [-1] * 4 and list(view[i + 1 : i + 3]) == [0, 0]), None
        )
        kinds = flash and next((i for i in range(flash + 8, 60) if list(view[i : i + 2]) == [1, 1]), None)
        if not kinds or view[0] != 512 or view[flash - 6] != view[flash - 5]:
            sys.exit("this xllamacpp lays out llama_context_params in a way that is not known here")
        view[0] = view[1] = view[2] = 512
        view[flash - 6] = view[flash - 5] = 1
        view[flash] = 0
        view[kinds] = view[kinds + 1] = 0
        return parameters

    def load(self, path):
        self.messages.clear()
        model = self.lib.llama_model_load_from_file(str(path).encode(), self.lib.llama_model_default_params())
        if not model:
            sys.exit(f"llama.cpp does not load {path}:\n{''.join(self.messages[-12:])}")
        return model

    def logits(self, path, ids):
        """[sequences, tokens, vocabulary]."""
        model = self.load(path)
        count = self.lib.llama_vocab_n_tokens(self.lib.llama_model_get_vocab(model))
        result = np.zeros((*ids.shape, count), np.float32)
        for row, sequence in enumerate(ids):
            context = self.lib.llama_init_from_model(model, self.context_parameters())
            batch = self.lib.llama_batch_init(len(sequence), 0, 1)
            batch.n_tokens = len(sequence)
            for place, token in enumerate(sequence):
                batch.token[place], batch.pos[place], batch.n_seq_id[place] = int(token), place, 1
                batch.seq_id[place][0], batch.logits[place] = 0, 1
            if self.lib.llama_decode(context, batch) != 0:
                sys.exit(f"llama.cpp does not decode with {path}")
            for place in range(len(sequence)):
                result[row, place] = np.ctypeslib.as_array(self.lib.llama_get_logits_ith(context, place), (count,))
            self.lib.llama_batch_free(batch)
            self.lib.llama_free(context)
        self.lib.llama_model_free(model)
        return result

    def tokens(self, path, texts):
        model = self.load(path)
        vocabulary = self.lib.llama_model_get_vocab(model)
        result = []
        for text in texts:
            raw = text.encode()
            room = (ctypes.c_int32 * (len(raw) + 8))()
            count = self.lib.llama_tokenize(vocabulary, raw, len(raw), room, len(room), False, True)
            result.append(list(room[:count]))
        self.lib.llama_model_free(model)
        return result


# GGUF -----------------------------------------------------------------------------------------------------------------------


def dequantized(tensor):
    """A tensor of a GGUF file as float32, outermost dimension first."""
    shape = tuple(int(size) for size in reversed(tensor.shape))
    return gguf.dequantize(tensor.data, tensor.tensor_type).reshape(shape).astype(np.float32)


def write_twin(reader, path):
    """The same model with every tensor as F32."""
    writer = gguf.GGUFWriter(str(path), reader.get_field("general.architecture").contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        writer.add_key_value(field.name, field.contents(), kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, dequantized(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "attn_qkv": "self_attn.qkv_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


def layer_name(block, stem, is_fused):
    return f"model.layers.{block}.{'mlp.gate_up_proj' if is_fused and stem == 'ffn_up' else NAMES[stem]}.weight"


def unpermuted(array, heads):
    """Rows of queries or keys in the order of transformers."""
    width = array.shape[0] // heads
    return array.reshape(heads, width // 2, 2, -1).swapaxes(1, 2).reshape(array.shape)


def as_stored(array, kind):
    """Rounded to a type of plain numbers."""
    if kind == gguf.GGMLQuantizationType.F16:
        return array.astype(np.float16).astype(np.float32)
    if kind == gguf.GGMLQuantizationType.BF16:
        words = array.view(np.uint32)
        return ((words + 0x7FFF + ((words >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return array


def compare_weights(reader, folder, is_llama, configuration):
    """1. How many layers are equal, and which are not."""
    expected = {}
    for path in folder.glob("*.safetensors"):
        expected.update(read_safetensors(path))
    heads = {"attn_q": configuration["num_attention_heads"]}
    heads["attn_k"] = configuration.get("num_key_value_heads") or heads["attn_q"]
    is_fused = any("gate_up_proj" in name for name in expected)
    equal, different = 0, []
    matrices = []
    for tensor in reader.tensors:
        parts = tensor.name.split(".")
        if parts[0] == "blk" and parts[-1] == "weight" and len(tensor.shape) > 1 and parts[2] in NAMES:
            matrices.append((int(parts[1]), parts[2], tensor, dequantized(tensor)))
    # The layers of a dropped half are zero here; there only the last one is. A dropped block that stays as zeros is not there at all.
    kept = sorted({block for block, _, _, found in matrices if found.any()})
    if len(kept) < configuration["num_hidden_layers"] and not any(f".layers.{len(kept)}." in name for name in expected):
        numbers = {block: number for number, block in enumerate(kept)}
    else:
        numbers = {block: block for block, *_ in matrices}
    for block, stem, tensor, found in matrices:
        if not found.any():
            equal += 1
            continue
        if is_llama and stem in heads:
            found = unpermuted(found, heads[stem])
        wanted = as_stored(expected[layer_name(numbers[block], stem, is_fused)], tensor.tensor_type)
        if np.array_equal(found.view(np.uint32), wanted.view(np.uint32)):
            equal += 1
        else:
            different.append(tensor.name)
    return equal, different


# Checks ---------------------------------------------------------------------------------------------------------------------


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def divergence(teacher, student):
    teacher, student = log_softmax(teacher), log_softmax(student)
    return float((np.exp(teacher) * (teacher - student)).sum(-1).mean())


def check_model(evodb, llama, folder, place, levels):
    configuration = json.loads((folder / "config.json").read_text())
    windows = [configuration.get("sliding_window")]
    if configuration["model_type"] in ("gemma2", "qwen2", "qwen3"):
        windows = []
    # A context has 256 tokens here: with long rotary factors the text must be one that needs them.
    rope = configuration.get("rope_scaling") or configuration.get("rope_parameters") or {}
    original = None
    if rope.get("rope_type", rope.get("type")) == "longrope":
        original = rope.get("original_max_position_embeddings") or configuration.get("original_max_position_embeddings")
    length = min([original + 16 if original else 24] + [size for size in windows if size])
    if original and length <= original:
        print(f"{folder.name}: not compared: its window of {length} tokens is none in llama.cpp, and longer texts need it", flush=True)
        return False
    ids = np.random.default_rng(0).integers(0, configuration["vocab_size"], (2, length), np.int32)
    is_llama = configuration["model_type"] in ("llama", "mistral")
    tolerance = 1e-3 if configuration["model_type"] == "gemma2" else 1e-5
    teacher, failed = None, False
    for level, build, assignment in levels:
        here = place / f"{folder.name}-{level.replace(' ', '-').replace('%', '')}"
        here.mkdir()
        catalog = here / "catalog.evodb"
        run(evodb, "init", catalog, "--quiet")
        run(evodb, "import", catalog, folder, "--quiet")
        options = []
        if build:
            run(evodb, "build", catalog, *build, "--quiet")
            options = ["--method", build[1]]
        file, packed = here / "model.gguf", run(
            evodb, "export", catalog, assignment, *options, "--to", "gguf", "-o", here / "model.gguf", "--format", "json", check=False
        )
        if packed.returncode == 78:
            print(f"{folder.name}: refused: {packed.stderr.strip()}", flush=True)
            return False
        if packed.returncode != 0:
            sys.exit(f"{folder.name}, {level}: {packed.stderr}")
        run(evodb, "export", catalog, assignment, *options, "--to", "hf", "--dtype", "float32", "-o", here / "hf", "--quiet")
        reader = gguf.GGUFReader(str(file))
        equal, different = compare_weights(reader, here / "hf", is_llama, configuration)
        write_twin(reader, here / "twin.gguf")
        exact = twin = llama.logits(here / "twin.gguf", ids)
        # What is rounded in the file is other weights than those in the folder, but need not be.
        if ", rounded:" in packed.stderr:
            run(evodb, "export", catalog, assignment, *options, "--to", "gguf", "--dtype", "float32", "-o", here / "exact.gguf", "--quiet")
            write_twin(gguf.GGUFReader(str(here / "exact.gguf")), here / "exact-twin.gguf")
            exact = llama.logits(here / "exact-twin.gguf", ids)
        write_safetensors(here / "expected.safetensors", {"input_ids": ids, "logits": exact})
        check = json.loads(
            run(evodb, "check", here / "hf", "--expected", here / "expected.safetensors", "--format", "json", check=False).stdout
        )
        distance = check["max_abs_difference"]
        scale = max(1.0, float(np.abs(twin).max()))
        if teacher is None:
            teacher = twin
        wanted, found = divergence(teacher, twin), divergence(teacher, llama.logits(file, ids))
        good = (
            not different and distance <= tolerance * scale and abs(found - wanted) <= max(KL_TOLERANCE, KL_SHARE * wanted)
        )
        failed = failed or not good
        types = {}
        for tensor in reader.tensors:
            if len(tensor.shape) > 1:
                types[tensor.tensor_type.name] = types.get(tensor.tensor_type.name, 0) + 1
        print(
            f"{folder.name} | {level} | {' '.join(f'{n} {t}' for t, n in sorted(types.items()))} | {equal} equal"
            + (f", different: {different[:3]}" if different else "")
            + f" | {distance:.1e} | {wanted:.6f} | {found:.6f} | {'ok' if good else 'FAILED'}",
            flush=True,
        )
        shutil.rmtree(here)
    return failed


def texts():
    """300 texts: prose of the example, and pieces of it with what splitters are about."""
    generator = random.Random(0)
    prose = (ROOT / "Examples" / "prose-10m" / "validation.txt").read_text()
    odd = ["  ", "\n\n", "\t", "don't", " 12345", "3.14159", "Straße", "naïve café", "日本語", "🙂", "…", "\r\n", "x=y+1;", "I'LL", "a  b   c", "ʼs"]
    result = []
    for index in range(300):
        start = generator.randrange(len(prose) - 400)
        text = prose[start : start + generator.randrange(20, 300)].lstrip()
        if index % 2:
            place = generator.randrange(1, len(text))
            text = text[:place] + "".join(generator.choices(odd, k=3)) + text[place:]
        result.append(text)
    return result


def differing_texts(evodb, catalog, here, found):
    """How many texts evodb cuts otherwise, and the first of them."""
    files = []
    for index, text in enumerate(texts()):
        files.append(here / f"{index:03}.txt")
        files[-1].write_bytes(text.encode())

    def ids(name, length, *files):
        run(evodb, "data", catalog, name, *files, "--documents", "separate", "--sequence-length", length, "--quiet")
        query = (
            "SELECT hex(s.token_ids) AS ids FROM data_set d JOIN sequence_list_item i ON i.sequence_list_id = d.sequence_list_id "
            f"JOIN sequence s ON s.id = i.sequence_id WHERE d.name = '{name}' ORDER BY i.position"
        )
        rows = json.loads(run(evodb, "query", catalog, query, "--format", "json").stdout)
        return [int(token) for row in rows for token in np.frombuffer(bytes.fromhex(row["ids"]), np.int32)]

    def pairs(tokens):
        return tokens[: len(tokens) // 2 * 2]

    # A data set has whole sequences only: of pairs, each text loses at most its last token.
    if ids("all", 2, *files) == [token for tokens in found for token in pairs(tokens)]:
        return 0, None
    different = [index for index in range(len(files)) if ids(f"text-{index}", 2, files[index]) != pairs(found[index])]
    return len(different), texts()[different[0]] if different else None


def write_llama(folder, vocabulary, hidden, intermediate, blocks):
    """A llama with random weights."""
    folder.mkdir()
    configuration = dict(
        architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=hidden, intermediate_size=intermediate,
        num_hidden_layers=blocks, num_attention_heads=2, num_key_value_heads=2, vocab_size=vocabulary, max_position_embeddings=512,
        rms_norm_eps=1e-5, hidden_act="silu", tie_word_embeddings=True, torch_dtype="float32", bos_token_id=0, eos_token_id=1,
    )
    shapes = {"model.embed_tokens": (vocabulary, hidden), "model.norm": (hidden,)}
    for block in range(blocks):
        prefix = f"model.layers.{block}."
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[prefix + name] = (hidden,)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"{prefix}self_attn.{name}"] = (hidden, hidden)
        for name in ("gate_proj", "up_proj"):
            shapes[f"{prefix}mlp.{name}"] = (intermediate, hidden)
        shapes[f"{prefix}mlp.down_proj"] = (hidden, intermediate)
    generator = np.random.default_rng(0)
    # Small, so that tolerances of other models' logits are right for its own.
    weights = {f"{name}.weight": generator.standard_normal(shape, np.float32) / 20 for name, shape in shapes.items()}
    write_safetensors(folder / "model.safetensors", weights)
    (folder / "config.json").write_text(json.dumps(configuration))
    return folder


def check_tokenizer(evodb, llama, path, here):
    """4. A tiny model with this tokenizer."""
    here.mkdir()
    tokenizer = json.loads(path.read_text())
    count = max([*tokenizer["model"]["vocab"].values(), *(token["id"] for token in tokenizer.get("added_tokens") or [])]) + 1
    model = write_llama(here / "model", vocabulary=count, hidden=32, intermediate=32, blocks=1)
    shutil.copy(path, model / "tokenizer.json")
    catalog = here / "catalog.evodb"
    run(evodb, "init", catalog, "--quiet")
    run(evodb, "import", catalog, model, "--quiet")
    export = run(evodb, "export", catalog, "dense", "--to", "gguf", "-o", here / "model.gguf", check=False)
    if export.returncode == 78:
        print(f"{path.stem} | refused: {export.stderr.strip()}", flush=True)
        return False
    found = llama.tokens(here / "model.gguf", texts())
    different, first = differing_texts(evodb, catalog, here, found)
    notes = [line.removeprefix("evodb: ") for line in export.stderr.splitlines() if line.startswith("evodb: ")]
    print(
        f"{path.stem} | {len(found)} texts | {different} different" + (f", the first {first!r}" if first else "")
        + (f" | {'; '.join(notes)}" if notes else ""),
        flush=True,
    )
    # What the export warns of may differ.
    return different > 0 and not notes


# Packed folders -------------------------------------------------------------------------------------------------------------


def tensors(folder):
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safetensors.safe_open(path, "pt") as file:
            found.update({name: file.get_tensor(name) for name in file.keys()})
    return found


def same_bits(left, right):
    left, right = left.to(torch.float32).contiguous(), right.to(torch.float32).contiguous()
    return left.shape == right.shape and torch.equal(left.view(torch.int32), right.view(torch.int32))


def check_gptq(folder, plain, functions):
    """6. Every layer as GPTQModel reads it."""
    configuration = json.loads((folder / "quantize_config.json").read_text())
    found, version = tensors(folder), configuration["checkpoint_format"]
    names = [name.removesuffix(".qweight") for name in found if name.endswith(".qweight")]
    for name in names:
        groups = found[name + ".g_idx"].to(torch.int64)
        bits = found[name + ".qweight"].shape[0] * 32 // len(groups)
        zeros = found[name + ".qzeros"]
        if version == "gptq":
            zeros = functions["_correct_gptq_v1_qzeros"](zeros, bits)
        zeros = functions["unpack_cols"](zeros, bits)[groups].T
        codes = functions["unpack_rows"](found[name + ".qweight"], bits).T
        weights = found[name + ".scales"].to(torch.float32)[groups].T * (codes - zeros).to(torch.float32)
        if not same_bits(weights, plain[name + ".weight"]):
            return f"{name} differs", False
    return f"{len(names)} equal ({version})", len(names) > 0


def check_unpacked(folder, plain):
    """5. compressed-tensors' own unpacking of the codes and zero points."""
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
        zero = torch.zeros_like(scale)
        if name + ".weight_zero_point" in found:
            zero = unpack_from_int32(
                found[name + ".weight_zero_point"], bits, torch.Size([shape[0], scale.shape[1]]), packed_dim=0
            ).to(torch.float32)
        width = shape[1] // scale.shape[1]
        weights = (values - zero.repeat_interleave(width, 1)) * scale.repeat_interleave(width, 1)
        if not same_bits(weights, plain[name + ".weight"]):
            return f"{name} differs", False
    return f"{len(names)} equal", len(names) > 0


def check_logits(evodb, folder, plain_folder, place):
    """5. transformers' logits of the packed folder against those that evodb computes from the weights in float32."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

    groups = list(json.loads((folder / "config.json").read_text())["quantization_config"]["config_groups"].values())
    options, tolerance = {}, 2e-4
    if not all(group["weights"]["symmetric"] for group in groups):
        if len(groups) > 1:
            return "not loaded", True
        options["quantization_config"] = transformers.CompressedTensorsConfig(dequantize=True)
        # This way products are rounded to the type of the scales, where the default load turns scales into the model's.
        if any(value.dtype == torch.float16 for name, value in tensors(folder).items() if name.endswith("_scale")):
            tolerance = 0.02
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **options)
    ids = torch.randint(0, model.config.vocab_size, (2, 24), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = model.eval()(ids).logits.to(torch.float32).numpy()
    write_safetensors(place, {"input_ids": ids.numpy().astype(np.int32), "logits": logits})
    check = run(
        evodb, "check", plain_folder, "--expected", place, "--tolerance", tolerance, "--format", "json", check=False
    )
    if not check.stdout.strip():
        return check.stderr.strip(), False
    difference = json.loads(check.stdout)["max_abs_difference"]
    return f"{difference:.1e}", check.returncode == 0


def fused(name):
    """What a layer is computed with in vLLM."""
    block, role = name.rsplit(".", 1)
    return f"{block} {'qkv' if role in ('q_proj', 'k_proj', 'v_proj') else 'gate_up' if role in ('gate_proj', 'up_proj') else role}"


def check_packed(evodb, functions, folder, place, levels):
    """5 and 6, for bit-widths that layers take by turns."""
    failed = False
    catalog = place / f"{folder.name}.evodb"
    run(evodb, "init", catalog, "--quiet")
    run(evodb, "import", catalog, folder, "--quiet")
    rows = json.loads(run(evodb, "query", catalog, "SELECT name FROM layer ORDER BY layer_index", "--format", "json").stdout)
    for level, is_symmetric, bits in levels:
        here = place / f"{folder.name}-packed"
        here.mkdir()
        mine = here / "catalog.evodb"
        shutil.copy(catalog, mine)
        build = ["--method", "rtn", "--bits", ",".join(map(str, bits)), "--quantization-group-size", "0"]
        run(evodb, "build", mine, *build, *(["--symmetric"] if is_symmetric else []), "--quiet")
        profile = here / "profile.txt"
        # Which 5 bits are not for: no GPTQ checkpoint has them.
        units = [row["name"] if is_symmetric and 5 in bits else fused(row["name"]) for row in rows]
        turns = {unit: index for index, unit in enumerate(dict.fromkeys(units))}
        profile.write_text("".join(f"{row['name']}: {bits[turns[unit] % len(bits)]}\n" for row, unit in zip(rows, units)))

        def export(name, *form):
            return run(evodb, "export", mine, profile, "--method", "rtn", "--to", *form, "-o", here / name, "--quiet", check=False)

        if (plain := export("plain", "hf", "--dtype", "float32")).returncode != 0:
            sys.exit(f"{folder.name}, {level}: {plain.stderr}")
        weights, cells = tensors(here / "plain"), []
        for name, *form in [("packed", "compressed-tensors"), ("wide", "compressed-tensors", "--dtype", "float32"), ("gptq", "gptq")]:
            result = export(name, *form)
            if result.returncode == 78:
                cells.append("refused: " + result.stderr.strip().removeprefix("evodb export: ").split(";")[0])
            elif result.returncode != 0:
                sys.exit(f"{folder.name}, {level}: {result.stderr}")
            elif name == "gptq":
                text, holds = check_gptq(here / name, weights, functions)
                cells.append(text if holds else f"FAILED: {text}")
            else:
                checks = [check_unpacked(here / name, weights), check_logits(evodb, here / name, here / "plain", here / "expected")]
                cells += [text if holds else f"FAILED: {text}" for text, holds in checks]
        failed = failed or any("FAILED" in cell for cell in cells)
        print(" | ".join([folder.name, level, *cells]), flush=True)
        shutil.rmtree(here)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evodb")
    parser.add_argument("inputs", nargs="*", type=pathlib.Path)
    parser.add_argument("--python", help="an interpreter that has the packages")
    parser.add_argument("--part", action="append", choices=["gguf", "tokenizers", "packed"], help="only this part; may be repeated")
    parser.add_argument("--level", action="append", help="only levels with this in their name; may be repeated")
    arguments = parser.parse_intermixed_args()
    if os.environ.get("EVODB_CHECK_RUNTIMES") != "inside":
        interpreter = environment(arguments.python)
        os.execve(interpreter, [interpreter, *sys.argv], {**os.environ, "EVODB_CHECK_RUNTIMES": "inside", "TQDM_DISABLE": "1"})
    global gguf, np, torch, safetensors
    import importlib.metadata

    import gguf
    import numpy as np
    import safetensors
    import torch

    # That an option replaces what config.json says is what is wanted.
    warnings.simplefilter("ignore")
    evodb = arguments.evodb if os.sep not in arguments.evodb else os.path.abspath(arguments.evodb)
    parts = arguments.part or ["gguf", "tokenizers", "packed"]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    print(f"{run(evodb, '--version').stdout.strip()}; {versions}, {GPTQMODEL.replace('==', ' ')}", flush=True)
    llama = Llama()
    inputs = arguments.inputs or [
        *sorted(path.parent for path in FIXTURES.glob("golden/models/*/config.json")),
        *sorted(path.parent for path in FIXTURES.glob("families/*/config.json")), ROOT / "Examples" / "prose-10m",
        *sorted(FIXTURES.glob("golden/tokenizers/*.json")), *sorted(FIXTURES.glob("tokenizers/**/*.json")),
        ROOT / "Examples" / "prose-10m" / "tokenizer.json",
    ]
    inputs = [path.resolve() for path in inputs if not path.name.endswith(".expected.json")]
    folders = [path for path in inputs if path.suffix != ".json"]

    def chosen(levels):
        return [level for level in levels if not arguments.level or any(part in level[0] for part in arguments.level)]

    failed = False
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        if "gguf" in parts:
            # The dense model is what the others' KL is measured from.
            levels = [LEVELS[0], *(level for level in chosen(LEVELS) if level is not LEVELS[0])]
            print("model | level | tensors | layers | largest difference of logits | KL on F32 weights | KL of the file |")
            for folder in folders:
                failed = check_model(evodb, llama, folder, place, levels) or failed
        if "tokenizers" in parts:
            for number, path in enumerate(path for path in inputs if path.suffix == ".json"):
                failed = check_tokenizer(evodb, llama, path, place / f"tokenizer-{number}") or failed
        if "packed" in parts:
            functions = gptqmodel()
            if not arguments.inputs:
                # The fixtures have sides that 32 does not divide, which no GPTQ checkpoint can have.
                folders.append(write_llama(place / "llama-of-32s", vocabulary=256, hidden=64, intermediate=128, blocks=3))
            print("model | levels | unpacked | transformers' logits | unpacked, float32 scales | logits | GPTQModel")
            for folder in folders:
                failed = check_packed(evodb, functions, folder, place, chosen(PACKED_LEVELS)) or failed
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
