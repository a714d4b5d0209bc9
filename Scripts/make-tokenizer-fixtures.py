"""Makes Tests/Fixtures/tokenizers with Hugging Face tokenizers (0.23.3).

Each NAME.json is golden/tokenizers/sentencepiece-bpe.json with its first 200 merges and other settings, or, in published/,
a vocabulary trained on the example model's text with the parts that published models have; NAME.expected.json holds what
Tokenizers makes of some texts.

usage: make-tokenizer-fixtures.py [FOLDER COUNT [SEED]]

With a FOLDER it writes there, with COUNT random texts more for each tokenizer.
"""

import copy
import json
import pathlib
import random
import sys

from tokenizers import Tokenizer
from tokenizers.trainers import BpeTrainer

ROOT = pathlib.Path(__file__).parent.parent
FIXTURES = ROOT / "Tests/Fixtures"
FOLDER = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FIXTURES / "tokenizers"
RANDOM_TEXTS = int(sys.argv[2]) if len(sys.argv) > 2 else 0
SEED = sys.argv[3] if len(sys.argv) > 3 else ""
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


def write(path, file, texts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(file, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    expected = []
    for text in texts:
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        expected.append(
            dict(text=text, ids=tokenizer.encode(text).ids, ids_no_special=plain,
                 decoded=tokenizer.decode(plain, skip_special_tokens=False)))
    path.with_suffix(".expected.json").write_text(
        "[" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in expected) + "]\n", encoding="utf-8")


# Parts of published tokenizers (docs/tokenizers.md says which models have which).

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?" + UPPER + "*" + LOWER + r"+|[^\r\n\p{L}\p{N}]?" + UPPER + "+" + LOWER + r"*|\p{N}|" + REST)
O200K = (
    r"[^\r\n\p{L}\p{N}]?" + UPPER + "*" + LOWER + "+" + ENDINGS + r"|[^\r\n\p{L}\p{N}]?" + UPPER + "+" + LOWER + "*" + ENDINGS
    + r"|\p{N}{1,3}|" + REST)
NOT_HAN_UPPER, NOT_HAN_LOWER = UPPER[:-1] + r"&&[^\p{Han}]]", LOWER[:-1] + r"&&[^\p{Han}]]"
KIMI = (
    r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?" + NOT_HAN_UPPER + "*" + NOT_HAN_LOWER + "+" + ENDINGS + r"|[^\r\n\p{L}\p{N}]?"
    + NOT_HAN_UPPER + "+" + NOT_HAN_LOWER + "*" + ENDINGS + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK3 = (
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
    "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")
DEEPSEEK_RANGES = """
41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376-377 37B-37D 37F 386 388-38A 38C 38E-3A1
3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77
1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE
1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124
2126 2128 212A-212D 212F-2134 2139 213C-213F 2145-2149 214E 2183-2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2-2CF3
A640-A66D A680-A69B A722-A76F A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A
10400-1044F 104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943
"""
DEEPSEEK_LETTERS = "\\s?[%s]+" % "".join(
    "-".join(chr(int(end, 16)) for end in ends.split("-")) for ends in DEEPSEEK_RANGES.split())
CJK, CJK3 = "[一-龥ࠀ-一가-퟿]+", "[一-龥぀-ゟ゠-ヿ]+"
AFMOE_CJK = "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+"
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"


def one(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def split(regex, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}


def literal(text, behavior):
    return {"type": "Split", "pattern": {"String": text}, "behavior": behavior, "invert": False}


def byte_level(add_prefix_space=False, use_regex=False):
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": True, "use_regex": use_regex}


def digits(individual):
    return {"type": "Digits", "individual_digits": individual}


def punctuation(behavior):
    return {"type": "Punctuation", "behavior": behavior}


def replace(content, **pattern):
    return {"type": "Replace", "pattern": pattern, "content": content}


NFC, NFD, NFKC, NFKD = ({"type": name} for name in ["NFC", "NFD", "NFKC", "NFKD"])
BYTES = dict(decoder=byte_level(True, True))
TRUNCATION = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
PADDING = {
    "strategy": {"Fixed": 16}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "!"}
WORDS = {"unk_token": "<unk>"}

# name: (parts, model settings)
PUBLISHED = {
    "gpt2": (dict(pre_tokenizer=byte_level(use_regex=True), **BYTES), {}),
    "gpt2-prefix-space": (
        dict(pre_tokenizer=byte_level(True, True), **BYTES,
             post_processor={"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": True,
                             "add_prefix_space": True}), {}),
    "gpt-neox": (
        dict(normalizer=NFC, pre_tokenizer=byte_level(use_regex=True), truncation=TRUNCATION, padding=PADDING, decoder=None), {}),
    "smollm": (dict(pre_tokenizer=one(digits(True), byte_level(use_regex=True)), **BYTES), {}),
    "command-r": (dict(normalizer=NFC, pre_tokenizer=one(digits(True), byte_level(use_regex=True)), **BYTES), {}),
    "falcon": (
        dict(pre_tokenizer=one(
            punctuation("Contiguous"), byte_level(use_regex=True), digits(False), split("[0-9][0-9][0-9]")), **BYTES), {}),
    "llama3": (dict(pre_tokenizer=one(split(LLAMA3), byte_level()), **BYTES), dict(ignore_merges=True)),
    "cl100k": (dict(pre_tokenizer=one(split(CL100K, "Removed", True), byte_level()), **BYTES), {}),
    "o200k": (dict(pre_tokenizer=one(split(O200K), byte_level()), **BYTES), dict(ignore_merges=True)),
    "tekken": (dict(pre_tokenizer=one(split(TEKKEN), byte_level()), **BYTES), dict(ignore_merges=True)),
    "kimi": (dict(pre_tokenizer=one(split(KIMI), byte_level()), **BYTES), {}),
    "deepseek-coder": (
        dict(pre_tokenizer=one(
            split("[\r\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"), split(CJK), digits(True), byte_level()), **BYTES), {}),
    "deepseek-llm": (
        dict(pre_tokenizer=one(
            split("[\r\n]"), split(DEEPSEEK_LETTERS), split("\\s?[!-/:-~！-／：-～‘-‟　-。]+"), split("\\s+$"), split(CJK),
            digits(True), byte_level()), **BYTES), {}),
    "deepseek-v3": (
        dict(pre_tokenizer=one(split(r"\p{N}{1,3}"), split(CJK3), split(DEEPSEEK3), byte_level()), **BYTES), {}),
    "afmoe": (
        dict(pre_tokenizer=one(
            split(r"(?<=\d)(?=(?:\d{3})+(?!\d))"), split(AFMOE_CJK), split(DEEPSEEK3), byte_level()), **BYTES), {}),
    "minicpm": (
        dict(pre_tokenizer=one(
            split(r"\d{1,3}(?=(?:\d{3})*\b)"), split(LLAMA3.replace("{1,3}", "+")), byte_level(use_regex=False)), **BYTES), {}),
    "laguna": (
        dict(pre_tokenizer=one(
            split(r"(?:\r?\n)+(?!\r?\n)", "MergedWithNext"),
            split(r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"),
            byte_level()), **BYTES), {}),
    "zeta": (
        dict(pre_tokenizer=one(
            split("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+"
                  "|\\s+(?!\\S)|\\s+"), byte_level()), **BYTES), {}),
    "superbpe": (
        dict(pre_tokenizer=one(split(r"\p{N}+"), split(r"(?=(\d{3})+(?!\d))"), byte_level()), **BYTES), {}),
    "bloom": (dict(pre_tokenizer=one(split(BLOOM), byte_level()), **BYTES), {}),
    "chameleon": (
        dict(pre_tokenizer=one(
            split("<sentinel:[0-9]+>"), split("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"), split("([\\t\\n]|    |  )"),
            punctuation("Isolated"), digits(True), byte_level(use_regex=True)), **BYTES), {}),
    "byte-level-normalizer": (
        dict(normalizer={"type": "Sequence", "normalizers": [NFD, {"type": "ByteLevel"}]},
             pre_tokenizer=literal("Ġ", "MergedWithNext"), **BYTES), {}),
    "byte-level-fallback": (dict(pre_tokenizer=byte_level(use_regex=True), **BYTES), dict(byte_fallback=True)),
    "metaspace-digits": (
        dict(pre_tokenizer=one(
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}, digits(True)),
            decoder={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}), WORDS),
    "digits-metaspace": (
        dict(normalizer={"type": "Sequence", "normalizers": [replace("", Regex="^[xyz]+"), replace("-", String="ab")]},
             pre_tokenizer=one(
                 digits(False), {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": False}),
             decoder={"type": "Sequence", "decoders": [replace(" ", String="_"), {"type": "Strip", "content": " ", "start": 1,
                                                                                  "stop": 0}]}), WORDS),
    "openai-gpt": (
        dict(normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                         "lowercase": True},
             pre_tokenizer={"type": "BertPreTokenizer"}, decoder={"type": "BPEDecoder", "suffix": "</w>"}),
        dict(end_of_word_suffix="</w>", **WORDS)),
    "subword-prefix": (
        dict(normalizer={"type": "Sequence", "normalizers": [NFKD, {"type": "StripAccents"}, {"type": "Lowercase"}]},
             pre_tokenizer={"type": "Whitespace"}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": True},
             post_processor={"type": "BertProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]}),
        dict(continuing_subword_prefix="##", fuse_unk=True, **WORDS)),
    "nfkc-lines": (
        dict(normalizer={"type": "Sequence", "normalizers": [
            {"type": "Nmt"}, NFKC, replace(" ", Regex=r"\s{2,}"), {"type": "Strip", "strip_left": True, "strip_right": True}]},
             pre_tokenizer=one({"type": "WhitespaceSplit"}, {"type": "CharDelimiterSplit", "delimiter": "e"}), decoder=None),
        WORDS),
    "behaviours": (
        dict(pre_tokenizer=one(
            split("[aeiou]+", "MergedWithNext"), split("n|t", "MergedWithPrevious"), split("[b-d]", "Contiguous"),
            split("[^z ]+", "Removed", True), punctuation("MergedWithNext"), {"type": "FixedLength", "length": 7}),
             decoder={"type": "Sequence", "decoders": [{"type": "Fuse"}]}), WORDS),
}

# Vocabularies with gaps and no token for unknown text: (parts, model settings, removed tokens).
GAPS = {
    # As SmolLM's, which has no token for these control characters.
    "gaps-bytes": (
        dict(pre_tokenizer=one(digits(True), byte_level(use_regex=True)), **BYTES), {},
        [spelling for spelling in "ĂăĄąĆćĈĉċČĎďĐđĒēĔĕĖėĘęĚěĜĝĞğ"] + ["¢"]),
    "gaps-whole-words": (
        dict(pre_tokenizer=one(split(LLAMA3), byte_level()), **BYTES), dict(ignore_merges=True), ["Ċ", "z", "Ã"]),
    # One word is the whole text: what stands before a character that is left out meets what stands behind it.
    "gaps-scalars": (
        dict(normalizer={"type": "Sequence", "normalizers": [replace("▁", String=" ")]},
             decoder={"type": "Sequence", "decoders": [replace(" ", String="▁"), {"type": "Fuse"}]}), {}, ["x", "é"]),
    "gaps-fallback": (
        dict(normalizer={"type": "Sequence", "normalizers": [replace("▁", String=" ")]},
             decoder={"type": "Sequence", "decoders": [replace(" ", String="▁"), {"type": "Fuse"}]}), dict(byte_fallback=True),
        ["x", "é"]),
    "gaps-suffix": (
        dict(pre_tokenizer={"type": "WhitespaceSplit"}, decoder={"type": "BPEDecoder", "suffix": "</w>"}),
        dict(end_of_word_suffix="</w>"), ["x", "é", "n</w>"]),
}


def trained(parts, model):
    """A tokenizer with 160 merges of the example's text, its special tokens in front."""
    is_byte_level = "ByteLevel" in json.dumps(parts.get("pre_tokenizer")) + json.dumps(parts.get("normalizer"))
    file = dict(
        version="1.0", truncation=None, padding=None, added_tokens=[], normalizer=None, pre_tokenizer=None, post_processor=None,
        decoder=None) | parts
    bare = file | dict(
        truncation=None, padding=None, post_processor=None,
        model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=model.get("continuing_subword_prefix"),
                   end_of_word_suffix=model.get("end_of_word_suffix"), fuse_unk=False, byte_fallback=False,
                   ignore_merges=False, vocab={}, merges=[]))
    tokenizer = Tokenizer.from_str(json.dumps(bare))
    alphabet = byte_alphabet() if is_byte_level else []
    text = (ROOT / "Examples/prose-10m/calibration.txt").read_text(encoding="utf-8")[:60000]
    if parts.get("normalizer") is None or not is_byte_level:
        text += " 0 1 2 3 4 5 6 7 8 9 10 20 25 100 123 1000 2024 é è ä 日本 " * 3
    trainer = BpeTrainer(
        vocab_size=(256 if is_byte_level else 110) + 163, special_tokens=["<s>", "</s>", "<unk>"], initial_alphabet=alphabet,
        limit_alphabet=256 if is_byte_level else 100, show_progress=False,
        **{key: model[key] for key in ["continuing_subword_prefix", "end_of_word_suffix"] if key in model})
    tokenizer.train_from_iterator([text], trainer)
    result = json.loads(tokenizer.to_str()) | {key: file[key] for key in ["truncation", "padding", "post_processor"]}
    result["model"] |= model
    return result


def byte_alphabet():
    from tokenizers.pre_tokenizers import ByteLevel
    return sorted(ByteLevel.alphabet())


PUBLISHED_TEXTS = [
    "", " ", "Hello, world! It's the SAME word's again; we'LL do'nt.", "  two  spaces   \n\n  and\tthree \r\n end  ",
    "x 12345 1234567, a99! ²³½ ١٢٣ 1,000.50", "<s>begin</s> end<unk>", "naïve café “½” E\u0301 \u00e9 \u1112\u1161\u11ab ﬁ Ⅷ ①",
    "日本語テスト、中文。한국어 ไทย العربية हिन्दी", "🙂👩\u200d👧 \U0001F1E9\U0001F1EA \x00\x7f\ufeff\u2028\u3000\x85\x0b",
    "def f(x):\n    return x_1+2**3 # $a|b^c~`{}[]\\<sentinel:12>IMGIMGABZ", "ſ 'ſ İıI ǅ ŉ ß ẞ \u212a", "xyzabab ab", "   \n",
    "CamelCaseHTTPServer iPhone's", "a(b|c.d,e f)g — …。", "\U00010041\u0301 \u0897\U0001e4d0\U00013460 \u088f",
]
PIECES = [
    "the ", " of", "word", "Word's", " ", "  ", "   ", "\n", "\r\n", "\t", "1", "23", "4567", "é", "E\u0301", "日", "本語", "한", "ก", "ع",
    "ा", "½", "²", "Ⅷ", "①", "ﬁ", "🙂", "\u200d", "\u3000", "\u00a0", "\u2028", "\x85", "\x0b", "\x00", "!", "?", ".", ",", "'s", "'LL", "'",
    "ſ", "İ", "K", "_", "-", "/", "$", "|", "(", ")", "[", "]", "{", "~", "^", "+", "=", "<s>", "</s>", "<unk>", "##", "</w>", "▁", "Ġ",
    "ab", "xyz", "e", "n", "t", "b", "ß", "ǅ", "\u0345", "\U00010041", "\U0001d400", "“", "。", "、", "\u0301", "\u0323", "a",
    "<L>", "<R>", "<nl>", "<|end|>", "<n m>", "sw n", "in", "z", "A", "HTTP", "IMGIMG", "<sentinel:", ">", ":", ";", "\\", "`", "#",
]
GAP_TEXTS = [
    "th\x07e the\x00re", "\x01\x02\x03", "a\x1fb the\x1b the", "thxe xthe thex", "\x0f", "the \x0bthe\x0b the", "an日d 日 the日re",
    "é the é\u0301n thén", "\x07" * 9 + "the" + "\x07" * 9, "zz the z\nthe\n\n the", "the\u00a2the ¢", "x", "xxx the", "ixn anx xan",
]
SCALARS = [chr(value) for value in range(0x110000) if not 0xD800 <= value < 0xE000]


def ragged_text(generator):
    def piece():
        # Any scalar at all now and then; most of them are unassigned.
        kind = generator.random()
        if kind < 0.03:
            return generator.choice(SCALARS)
        if kind < 0.08:
            return chr(generator.randrange(0x20, 0x3000))
        return generator.choice(PIECES)

    return "".join(piece() for _ in range(generator.randint(1, 30)))


for name, (tokens, removed, extra, model, parts) in VARIANTS.items():
    file = copy.deepcopy(BASE) | parts
    file["added_tokens"] += tokens
    file["model"] |= model
    for token in removed:
        del file["model"]["vocab"][token]
    file["model"]["vocab"] |= extra
    generator = random.Random(name)
    texts = TEXTS + [random_text(generator) for _ in range(20)]
    generator = random.Random(name + SEED)
    texts += [ragged_text(generator) for _ in range(RANDOM_TEXTS)]
    write(FOLDER / f"{name}.json", file, texts)

for name, (parts, model) in PUBLISHED.items():
    generator = random.Random(name + SEED)
    texts = PUBLISHED_TEXTS + [ragged_text(generator) for _ in range(8 + RANDOM_TEXTS)]
    write(FOLDER / f"published/{name}.json", trained(parts, model), texts)

for name, (parts, model, removed) in GAPS.items():
    generator = random.Random(name + SEED)
    file = trained(parts, model)
    vocabulary = file["model"]["vocab"]
    # With every merge that needs one of them.
    gone = set(removed)
    kept = []
    for left, right in file["model"]["merges"]:
        if left in gone or right in gone:
            gone.add(left + right)
        else:
            kept.append([left, right])
    file["model"]["merges"] = kept
    tokens = [token for token in vocabulary if token not in gone]
    if model.get("byte_fallback"):
        # Only some bytes have one: é falls back, 日 does not.
        tokens += ["<0xC3>", "<0xA9>", "<0x78>"]
    file["model"]["vocab"] = {token: position for position, token in enumerate(tokens)}
    texts = GAP_TEXTS + PUBLISHED_TEXTS + [ragged_text(generator) for _ in range(12 + RANDOM_TEXTS)]
    write(FOLDER / f"published/{name}.json", file, texts)
