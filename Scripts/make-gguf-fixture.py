#!/usr/bin/env python3
"""Writes Tests/Fixtures/gguf/values.gguf: metadata of every type, and tensors of a few.

Needs: pip install gguf==0.19.0
"""

from pathlib import Path

import gguf
import numpy as np

path = Path(__file__).resolve().parent.parent / "Tests/Fixtures/gguf/values.gguf"
path.parent.mkdir(exist_ok=True)
writer = gguf.GGUFWriter(path, "llama")
writer.add_custom_alignment(64)
writer.add_uint8("a.uint8", 200)
writer.add_int8("a.int8", -5)
writer.add_uint16("a.uint16", 65535)
writer.add_int16("a.int16", -3)
writer.add_uint32("a.uint32", 1 << 31)
writer.add_int32("a.int32", -7)
writer.add_float32("a.float32", 1.5)
writer.add_bool("a.true", True)
writer.add_bool("a.false", False)
writer.add_string("a.string", "h\u00e9llo")
writer.add_uint64("a.uint64", 1 << 63)
writer.add_int64("a.int64", -9)
writer.add_float64("a.float64", 1e300)
writer.add_array("a.strings", ["a", "", "\u00fc"])
writer.add_array("a.integers", [1, 2, 3])
writer.add_array("a.floats", [1.0, 2.5])
writer.add_array("a.bools", [True, False])
writer.add_tensor("plain", np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5)
writer.add_tensor("half", (np.arange(12, dtype=np.float16) / 4).reshape(2, 2, 3))
writer.add_tensor("vector", np.arange(5, dtype=np.float32))
blocks = gguf.quants.quantize(
    (np.arange(64, dtype=np.float32) - 32).reshape(2, 32), gguf.GGMLQuantizationType.Q8_0)
writer.add_tensor("blocks", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
writer.add_tensor("bytes", np.arange(5, dtype=np.int8))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
