"""Makes Tests/Fixtures/tokenizers with Hugging Face tokenizers (0.23.3).

Each NAME.json is golden/tokenizers/sentencepiece-bpe.json with its first 200 merges and other settings; NAME.expected.json
holds what Tokenizers makes of some texts.
"""

import copy
import json
import pathlib
import random

from tokenizers import Tokenizer

FIXTURES = pathlib.Path(__file__).parent.parent / "Tests/Fixtures"
FOLDER = FIXTURES / "tokenizers"
BASE = json.loads((FIXTURES / "golden/tokenizers/sentencepiece-bpe.json").read_text(encoding="utf-8"))


def prune(file, merge_count):
    model = file["model"]
    merged = {left + right for left, right in model["merges"]}
    model["merges"] = model["merges"][:merge_count]
    kept = {left + right for left, right in model["merges"]}
    tokens = [token for token in model["vocab"] if token not in merged or token in kept]
    model["vocab"] = {token: position for position, token in enumerate(tokens)}


prune(BASE, 200)
SIZE = len(BASE["model"]["vocab"])


def added(position, content, **settings):
    token = dict(id=SIZE + position, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    return token | settings


def metaspace(**settings):
    return {"type": "Metaspace", "replacement": "▁"} | settings


def sequence(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


PHI3 = [added(position, content, rstrip=True) for position, content in enumerate(["<|user|>", "<|end|>"])]
MIXED = [
    added(0, "<L>", lstrip=True),
    added(1, "<R>", rstrip=True),
    added(2, "word", single_word=True, special=False),
    added(3, "<n m>", normalized=True, special=False),
    added(4, "sw n", normalized=True, single_word=True, special=False),
    added(5, "<nl>", normalized=True, lstrip=True, rstrip=True),
]
PREPEND = {"type": "Prepend", "prepend": "▁"}
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
SPLIT = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
WHOLE = {"▁zqx": SIZE, "xyzzy": SIZE + 1}

# name: (added tokens, removed tokens, tokens beside the merges, model settings, other parts)
VARIANTS = {
    "phi3": (PHI3, [], {}, {}, {}),
    "added-tokens": (MIXED, [], {}, {}, {}),
    "metaspace-first": (PHI3, [], {}, {}, dict(normalizer=None, pre_tokenizer=metaspace(prepend_scheme="first", split=False))),
    "metaspace-first-split": (
        MIXED, [], {}, {},
        dict(normalizer=None, pre_tokenizer=metaspace(prepend_scheme="first", split=True),
             decoder=metaspace(prepend_scheme="first"))),
    "metaspace-always": (MIXED, [], {}, {}, dict(normalizer=None, pre_tokenizer=metaspace(prepend_scheme="always", split=False))),
    "metaspace-never": (
        PHI3, [], {}, {},
        dict(normalizer=None, pre_tokenizer=metaspace(prepend_scheme="never"), decoder=metaspace(prepend_scheme="never"))),
    "metaspace-legacy": (
        PHI3, [], {}, {},
        dict(normalizer=None, pre_tokenizer=metaspace(add_prefix_space=True, str_rep="▁"),
             decoder=metaspace(add_prefix_space=True))),
    "gemma": ([], [], {}, {}, dict(normalizer=REPLACE, pre_tokenizer=SPLIT)),
    "nfc": (MIXED, [], {}, {}, dict(normalizer=sequence({"type": "NFC"}, PREPEND, REPLACE))),
    "ignore-merges": (
        [], [], WHOLE, dict(ignore_merges=True),
        dict(normalizer=None, pre_tokenizer=metaspace(prepend_scheme="always"))),
    "unknown-fused": ([], [], {}, dict(byte_fallback=False), {}),
    "unknown-single": ([], ["<0xC3>", "<0x81>", "<0x09>"], {}, dict(fuse_unk=False), {}),
}

TEXTS = [
    "", " ", "   ", "a", " a", "a ", "  two  spaces   and three ", "Hello, world! It's the same word again.", "zqx xyzzy the zqx",
    "<|user|>  Who?<|end|>\n<|user|>no", " <|user|>", "a <L> <R>  b<L><R>", "word words sword word-word _word word", "a <n m>b",
    "<n▁m> the sw n, sw ns", "x <nl>  <nl> y", "<s>begin</s> end", "<s>", "<unk>▁<0x41>", "tab\tnew\nline\r\n", "a▁b ▁c▁▁d",
    "naïve café “½”", "e\u0301 \u00e9 \u00c1\u00c1 e\u0323\u0301", "日本語 🙂👩\u200d👧 \u1112\u1161\u11ab", "\t\t\u00e9\t\u00c1x\u00c1",
    "\u0171\u135f\u08d3", "\U00010041\u0301", "\x00\x7f\ufeff\u2028\u3000", "a" * 40, "1,000,000 12345",
]


def random_text(random):
    pieces = ["the ", " of", "word", " ", "  ", "▁", "<L>", "<R>", "<nl>", "<|end|>", "<s>", "é", "日", "\n", "in", "z", "E\u0301"]
    return "".join(random.choice(pieces) for _ in range(random.randint(1, 12)))


for name, (tokens, removed, extra, model, parts) in VARIANTS.items():
    file = copy.deepcopy(BASE) | parts
    file["added_tokens"] += tokens
    file["model"] |= model
    for token in removed:
        del file["model"]["vocab"][token]
    file["model"]["vocab"] |= extra
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(file, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    tokenizer = Tokenizer.from_file(str(path))
    generator = random.Random(name)
    expected = []
    for text in TEXTS + [random_text(generator) for _ in range(20)]:
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        expected.append(
            dict(text=text, ids=tokenizer.encode(text).ids, ids_no_special=plain,
                 decoded=tokenizer.decode(plain, skip_special_tokens=False)))
    (FOLDER / f"{name}.expected.json").write_text(
        "[" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in expected) + "]\n", encoding="utf-8")
