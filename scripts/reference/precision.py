"""Average precisions of boxes by pycocotools.

    python precision.py OUT.json

OUT.json is a list of sets, each {"questions": [{"truth": [{"label", "loc"}], "answer": [{"label",
"loc", "score"}]}], "ap50", "map"}: a question is an image, loc is y0, x0, y1, x1. The boxes are
random, of a few labels, with misses, duplicates, equal scores and empty answers. Needs numpy and
pycocotools.
"""

import contextlib
import io
import json
import random
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def box(rng):
    y, x = rng.randint(0, 900), rng.randint(0, 900)
    return [y, x, rng.randint(y + 1, 1023), rng.randint(x + 1, 1023)]


def near(rng, b):
    """Returns a box near b."""
    spread = rng.choice([0, 10, 40, 150])
    y0, x0, y1, x1 = (min(1023, max(0, v + rng.randint(-spread, spread))) for v in b)
    return [min(y0, y1), min(x0, x1), max(y0, y1), max(x0, x1)]


def questions(rng, n, labels):
    out = []
    for _ in range(n):
        truth = [{"label": rng.choice(labels), "loc": box(rng)} for _ in range(rng.randint(0, 4))]
        answer = []
        for t in truth:
            for _ in range(rng.choice([0, 1, 1, 1, 2])):
                label = rng.choice(labels) if rng.random() < 0.1 else t["label"]
                loc, score = near(rng, t["loc"]), rng.choice([0.5, 0.25, rng.random(), rng.random()])
                answer.append({"label": label, "loc": loc, "score": score})
        for _ in range(rng.choice([0, 0, 1])):
            answer.append({"label": rng.choice(labels), "loc": box(rng), "score": rng.random()})
        rng.shuffle(answer)
        out.append({"truth": truth, "answer": answer})
    return out


def precision(rows):
    labels = sorted({o["label"] for r in rows for o in r["truth"] + r["answer"]})
    flat = lambda loc: [loc[1], loc[0], loc[3] - loc[1], loc[2] - loc[0]]
    truth, answer = COCO(), []
    annotations = []
    for i, r in enumerate(rows):
        for o in r["truth"]:
            b = flat(o["loc"])
            annotations.append({
                "id": len(annotations) + 1,
                "image_id": i,
                "category_id": labels.index(o["label"]),
                "bbox": b,
                "area": b[2] * b[3],
                "iscrowd": 0,
            })
        for o in r["answer"]:
            found = {"image_id": i, "category_id": labels.index(o["label"]), "bbox": flat(o["loc"])}
            answer.append(found | {"score": o["score"]})
    with contextlib.redirect_stdout(io.StringIO()):
        truth.dataset = {
            "info": {},
            "images": [{"id": i} for i in range(len(rows))],
            "annotations": annotations,
            "categories": [{"id": i} for i in range(len(labels))],
        }
        truth.createIndex()
        e = COCOeval(truth, truth.loadRes(answer), "bbox")
        e.evaluate()
        e.accumulate()
        e.summarize()
    return {"questions": rows, "map": float(e.stats[0]), "ap50": float(e.stats[1])}


rng = random.Random(3)
sizes = ((1, "a"), (5, "a"), (20, "ab"), (20, "abcde"), (60, "abc"), (60, "abcdefgh"))
sets = [precision(questions(rng, n, list(labels))) for n, labels in sizes]
with open(sys.argv[1], "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(s) for s in sets) + "\n]\n")
print([(s["map"], s["ap50"]) for s in sets])
