#!/usr/bin/env python3
"""Blocks and types of llama.cpp's own library, for the tests of package quant:

    blocks.py libggml-base.so > quant/testdata/blocks.txt
    blocks.py libllama.so MODEL-F32.gguf > quant/testdata/types-ARCHITECTURE.txt

The first prints the SHA-256 of the blocks that ggml_quantize_chunk makes of the same rows as
quant/reference_test.go, for each type, without weights and with them. The second prints the type
that llama_model_quantize chooses for each matrix of a model, for each file type. Any build of
llama.cpp without fused multiply-add will do, such as that of the npm package
@node-llama-cpp/linux-x64; its folder must be in LD_LIBRARY_PATH. Needs NumPy.
"""
import ctypes
import hashlib
import os
import struct
import sys
import tempfile

import numpy as np

# Name and number of a type, elements and bytes of its blocks: ggml.h, ggml-common.h.
BLOCKS = [("Q8_0", 8, 32, 34), ("Q6_K", 14, 256, 210), ("Q5_K", 13, 256, 176), ("Q5_1", 7, 32, 24),
          ("Q5_0", 6, 32, 22), ("Q4_K", 12, 256, 144), ("Q4_1", 3, 32, 20), ("Q4_0", 2, 32, 18),
          ("IQ4_NL", 20, 32, 18), ("IQ4_XS", 23, 256, 136), ("Q3_K", 11, 256, 110)]
# enum llama_ftype (llama.h).
FILES = [("q8_0", 7), ("q6_k", 18), ("q5_k_m", 17), ("q5_k_s", 16), ("q5_1", 9), ("q5_0", 8), ("q4_k_m", 15),
         ("q4_k_s", 14), ("q4_1", 3), ("q4_0", 2), ("iq4_nl", 25), ("iq4_xs", 30), ("q3_k_m", 12)]
TYPES = {0: "F32", 1: "F16"} | {number: name for name, number, _, _ in BLOCKS}
ROWS, COLS = 64, 1024


def draws(n):
    """Returns n values of a linear congruential generator, 24 bits each."""
    state, out = 1, np.empty(n, np.int64)
    for i in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out[i] = state >> 40
    return out


def rows():
    """Returns rows like a model's, f32 [ROWS,COLS]: sums of four draws, around 0, the second half
    rounded to 16-bit floats; and a weight for each column, f32 [COLS]."""
    d = draws(ROWS * COLS * 4 + COLS)
    x = ((d[:-COLS].reshape(ROWS, COLS, 4).sum(2) - 2**25) * 2.0**-30).astype(np.float32)
    x[ROWS // 2:] = x[ROWS // 2:].astype(np.float16)
    return x, (d[-COLS:] * 2.0**-24).astype(np.float32)


def blocks(library):
    x, weights = rows()
    f = library.ggml_quantize_chunk
    f.restype = ctypes.c_size_t
    for name, number, elements, size in BLOCKS:
        for kind, w in (("plain", None), ("weighted", weights.ctypes.data_as(ctypes.c_void_p))):
            out = np.zeros(x.size // elements * size, np.uint8)
            f(ctypes.c_int(number), x.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
              ctypes.c_int64(0), ctypes.c_int64(ROWS), ctypes.c_int64(COLS), w)
            print(name, kind, hashlib.sha256(out.tobytes()).hexdigest())


class Params(ctypes.Structure):
    """The first fields of llama_model_quantize_params, and room for the others."""
    _fields_ = [("nthread", ctypes.c_int32), ("ftype", ctypes.c_int32), ("output", ctypes.c_int32),
                ("embedding", ctypes.c_int32), ("rest", ctypes.c_char * 1024)]


def types(library, model):
    library.llama_backend_init()
    library.llama_model_quantize_default_params.restype = Params
    columns = []
    for name, number in FILES:
        p = library.llama_model_quantize_default_params()
        p.ftype, p.nthread = number, 2
        with tempfile.NamedTemporaryFile(suffix=".gguf") as out:
            if library.llama_model_quantize(model.encode(), out.name.encode(), ctypes.byref(p)) != 0:
                sys.exit(f"{name}: llama_model_quantize failed")
            columns.append(tensors(out.name))
    print("tensor", *(name for name, _ in FILES))
    for tensor in sorted(columns[0]):
        if columns[0][tensor] != "F32":
            print(tensor, *(c[tensor] for c in columns))


def tensors(path):
    """Returns the types of a GGUF file's tensors, by name."""
    with open(path, "rb") as f:
        text = lambda: f.read(struct.unpack("<Q", f.read(8))[0]).decode("utf-8", "replace")
        sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

        def value(kind):
            if kind == 8:
                text()
            elif kind == 9:
                of, n = struct.unpack("<IQ", f.read(12))
                for _ in range(n if of in (8, 9) else 0):
                    value(of)
                f.seek(0 if of in (8, 9) else sizes[of] * n, os.SEEK_CUR)
            else:
                f.seek(sizes[kind], os.SEEK_CUR)

        _, _, count, keys = struct.unpack("<4sIqq", f.read(24))
        for _ in range(keys):
            text()
            value(struct.unpack("<I", f.read(4))[0])
        found = {}
        for _ in range(count):
            name = text()
            f.seek(8 * struct.unpack("<I", f.read(4))[0], os.SEEK_CUR)
            found[name] = TYPES[struct.unpack("<IQ", f.read(12))[0]]
    return found


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    library = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
    if len(sys.argv) == 2:
        blocks(library)
    else:
        types(library, sys.argv[2])


if __name__ == "__main__":
    main()
