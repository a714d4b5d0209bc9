#!/usr/bin/env python3
"""Times ggml's own quantization of one matrix, on one thread.

usage: ggml_quantize.py INPUT.json      {"rows": …, "columns": …, "types": ["Q4_K", …], "weights": […], "importance": […]}

Prints the best seconds of five runs with and without importances, by type. ggml's functions are those in the library of the package
xllamacpp.
"""

import ctypes
import importlib.metadata
import json
import pathlib
import sys
import time

import gguf
import numpy as np
import xllamacpp

request = json.loads(pathlib.Path(sys.argv[1]).read_text())
rows, columns = request["rows"], request["columns"]
weights = np.array(request["weights"], dtype=np.float32)
importance = np.array(request["importance"], dtype=np.float32)
library = ctypes.CDLL(str(next(pathlib.Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"))))
pointer = ctypes.c_void_p
quantize = library.ggml_quantize_chunk
quantize.restype = ctypes.c_size_t
quantize.argtypes = [ctypes.c_int, pointer, pointer] + [ctypes.c_int64] * 3 + [pointer]
target = np.zeros(weights.nbytes, dtype=np.uint8)
result = {"version": importlib.metadata.version("xllamacpp"), "plain": {}, "weighted": {}}
for name in request["types"]:
    kind = int(gguf.GGMLQuantizationType[name])
    for key, given in (("plain", None), ("weighted", importance.ctypes.data)):
        best = float("inf")
        for _ in range(5):
            begin = time.perf_counter()
            written = quantize(kind, weights.ctypes.data, target.ctypes.data, 0, rows, columns, given)
            best = min(best, time.perf_counter() - begin)
        assert written > 0
        result[key][name] = best
print(json.dumps(result))
