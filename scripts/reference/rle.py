"""Bitmaps and their compressed run lengths by pycocotools.

    python rle.py OUT.json

A case is {"rows": ["..#", ...], "counts": ..., "area": ...}. Needs numpy and pycocotools.
"""

import json
import sys

import numpy as np
from pycocotools import mask

rng, out = np.random.default_rng(3), []
for i in range(40):
    h, w = (int(v) for v in rng.integers(1, 40, 2))
    m = np.zeros((h, w), np.uint8)
    for _ in range(int(rng.integers(0, 5))):
        y, x = rng.integers(0, h), rng.integers(0, w)
        m[y:y + rng.integers(1, h + 1), x:x + rng.integers(1, w + 1)] ^= 1
    if i % 4 == 3:
        m ^= (rng.random((h, w)) < 0.2).astype(np.uint8)
    r = mask.encode(np.asfortranarray(m))
    rows = ["".join(".#"[v] for v in row) for row in m]
    out.append({"rows": rows, "counts": r["counts"].decode(), "area": int(mask.area(r))})
m = np.zeros((300, 200), np.uint8)  # counts of several 5-bit groups
m[17:250, 3:190] = 1
counts = mask.encode(np.asfortranarray(m))["counts"].decode()
out.append({"rows": ["".join(".#"[v] for v in row) for row in m], "counts": counts, "area": int(m.sum())})
json.dump(out, open(sys.argv[1], "w"))
