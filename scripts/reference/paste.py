"""Masks pasted into boxes as big_vision's evaluator does it: resized by PIL, BILINEAR, inside where
above 0 (run in evaluators/proj/paligemma/transfers/segmentation.py).

    python paste.py --big-vision DIR CHECKPOINT.npz MASKS.npz OUT.npz

CHECKPOINT.npz is a mask checkpoint, MASKS.npz the output of `reference.py masks` for it. OUT.npz
has, for paste i, mask i32 [1], loc i32 [4] (y0, x0, y1, x1), size i32 [2] (height, width), and
bits, u8 as i32 [n] (np.packbits of the pasted mask [height,width]). The evaluator does not return
pasted masks, only their IoU with the truth: with 20 random truths each paste must have the IoUs
that the evaluator's own loop reports. Needs the packages of reference.py, and Pillow.
"""

import argparse
import os
import sys
import types

import numpy as np
import PIL.Image

LOC0, SEG0 = 1000, 3000  # any token ids


def evaluator(checkpoint):
    """Makes the evaluator without its input pipeline, its tokenizer and its other hosts."""
    names = ("big_vision.evaluators.common", "big_vision.pp.tokenizer")
    sys.modules |= {name: types.ModuleType(name) for name in names}
    import big_vision.evaluators.proj.paligemma.transfers.segmentation as seg
    sys.modules[names[0]].process_sum = lambda x: x
    seg.u.get_local_slice_from_fsarray = np.asarray
    e = object.__new__(seg.Evaluator)
    e.loc0, e.seg0, e.steps, e.det_ious = np.array([LOC0]), np.array([SEG0]), 1, ()
    e.reconstruct_masks = seg.get_reconstruct_masks(os.path.abspath(checkpoint))
    return e


def iou(e, loc, codes, truth):
    """Returns the evaluator's IoU of one pasted mask with the truth."""
    batch = {
        "_mask": np.ones(1, bool),
        "objects/mask": truth[None, :, :, None],
        "objects/bbox": np.array([[0, 0, 1, 1]]),
    }
    e.get_data_iter = lambda: [batch]
    e.decode = lambda *_: np.r_[LOC0 + loc, SEG0 + codes][None]
    return dict(e.run(None))["miou"]


ap = argparse.ArgumentParser()
ap.add_argument("--big-vision", required=True)
for name in ("checkpoint", "masks", "out"):
    ap.add_argument(name)
a = ap.parse_args()
sys.path.insert(0, a.big_vision)
e = evaluator(a.checkpoint)
codes, masks = (np.load(a.masks)[name] for name in ("codes", "masks"))
rng, other = np.random.default_rng(5), np.random.default_rng(6)
out = {}
for i in range(40):
    h, w = (int(v) for v in rng.integers(1, 300, 2))
    y, x = np.sort(rng.integers(0, 1024, 2)), np.sort(rng.integers(0, 1024, 2))
    if i < 4:
        y, x = np.array([0, 1023]), np.array([0, 1023])
    loc = np.array([y[0], x[0], y[1], x[1]])
    m = int(rng.integers(len(masks)))
    y1, x1, y2, x2 = map(int, loc / 1023 * [h, w, h, w])
    whole = np.zeros((h, w), bool)
    if x2 > x1 and y2 > y1:
        small = np.asarray(PIL.Image.fromarray(masks[m]).resize([x2 - x1, y2 - y1], resample=PIL.Image.BILINEAR))
        whole[y1:y2, x1:x2] = small > 0.0
    for _ in range(20):
        truth = (other.random((h, w)) < other.random()) | (np.indices((h, w)).sum(0) == 0)  # not empty
        assert iou(e, loc, codes[m], truth) == (truth & whole).sum() / (truth | whole).sum(), f"paste {i}"
    out |= {
        f"{i}/mask": np.array([m], np.int32),
        f"{i}/loc": loc.astype(np.int32),
        f"{i}/size": np.array([h, w], np.int32),
        f"{i}/bits": np.packbits(whole).astype(np.int32),
    }
np.savez_compressed(a.out, **out)
print(PIL.__version__)
