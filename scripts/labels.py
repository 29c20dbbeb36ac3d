"""Reads the files of `pali label` with the libraries that people use, and compares the formats.

    pip install pycocotools supervision opencv-python-headless labelme pandas
    python scripts/labels.py IMAGES OUT [QUESTIONS.jsonl]

IMAGES is the folder of the labelled images, OUT the folder that was written, in all formats. With
questions and their true answers, also prints the average precision of the boxes by pycocotools,
over the pairs of an image and a label that the questions ask for.
"""

import collections
import json
import pathlib
import re
import sys

import numpy as np
import pandas
import supervision as sv
from labelme._label_file import LabelFile
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def read(out):
    """Returns the COCO file, and its annotations by file name."""
    coco = COCO(str(out / "coco.json"))
    by_name = collections.OrderedDict((i["file_name"], []) for i in coco.dataset["images"])
    for a in coco.dataset["annotations"]:
        by_name[coco.imgs[a["image_id"]]["file_name"]].append(a)
    return coco, by_name


def corners(a):
    x, y, w, h = a["bbox"]
    return np.array([x, y, x + w, y + h])


def compare(what, dataset, coco, by_name, bound):
    """Labels must be equal, and corners differ by at most bound pixels."""
    furthest, boxes = 0, 0
    for path, _, found in dataset:
        want = by_name[pathlib.Path(path).name]
        assert len(found) == len(want), (what, path, len(found), len(want))
        for xyxy, class_id, a in zip(found.xyxy, found.class_id, want):
            assert dataset.classes[class_id] == coco.cats[a["category_id"]]["name"], (what, path)
            furthest = max(furthest, np.abs(xyxy - corners(a)).max())
        boxes += len(want)
    assert len(dataset) == len(by_name) and furthest <= bound, (what, len(dataset), furthest)
    print(f"{what}: {len(dataset)} images, {boxes} boxes, corners within {furthest:.4f} pixels")


def yolo(folder):
    """Opens a YOLO data set with supervision."""
    parts = (str(folder / name) for name in ("images", "labels", "data.yaml"))
    return sv.DetectionDataset.from_yolo(*parts)


def masks(out, coco, by_name):
    """Compares pycocotools' masks with the areas, the PNGs, and the masks that supervision draws
    from YOLO."""
    drawn = 0
    for name, annotations in by_name.items():
        values = np.array(Image.open((out / "masks" / name).with_suffix(".png")))
        inside = np.zeros(values.shape, bool)
        for a in annotations:
            if not a["segmentation"]:
                continue
            mask = coco.annToMask(a).astype(bool)
            assert mask.sum() == a["area"], (name, mask.sum(), a["area"])
            assert set(np.unique(values[mask])) <= {b["category_id"] for b in annotations}, name
            inside |= mask
            drawn += 1
        assert ((values > 0) == inside).all(), name
    print(f"masks: {drawn}, equal in coco.json (pycocotools) and in masks (Pillow), to the pixel")
    folder = out / "yolo-seg"
    overlaps = []
    for path, _, found in yolo(folder):
        want = [a for a in by_name[pathlib.Path(path).name] if a["segmentation"]]
        assert len(found) == len(want), path
        for k, a in enumerate(want):
            mask = coco.annToMask(a).astype(bool)
            overlaps.append((mask & found.mask[k]).sum() / (mask | found.mask[k]).sum())
    if overlaps:
        mean = np.mean(overlaps)
        print(f"yolo-seg, supervision: {len(overlaps)} masks, mean IoU {mean:.3f} (its masks include the outline)")


def others(out, coco, by_name):
    """Reads LabelMe's files, the CSV and the JSONL."""
    shapes = 0
    for name, annotations in by_name.items():
        f = LabelFile(str((out / "labelme" / name).with_suffix(".json")))
        assert [s["label"] for s in f.shapes] == [coco.cats[a["category_id"]]["name"] for a in annotations], name
        shapes += len(f.shapes)
    print(f"labelme: {len(by_name)} files, {shapes} shapes")
    table = pandas.read_csv(out / "labels.csv", keep_default_na=False)
    rows = pandas.read_json(out / "labels.jsonl", lines=True, dtype=False)
    objects = sum(len(a) for a in by_name.values())
    assert (table.label != "").sum() == objects and list(rows.columns) == ["image", "prefix", "suffix"]
    print(f"pandas: {len(table)} rows of CSV with {objects} objects, {len(rows)} rows of JSONL")


def precision(coco, by_name, questions):
    """Prints the average precision over the pairs that the questions ask for."""
    ids, names = {}, {i["file_name"]: i for i in coco.dataset["images"]}
    for c in coco.dataset["categories"]:
        ids[c["name"]] = c["id"]
    true, asked = [], set()
    for line in open(questions, encoding="utf-8"):
        q = json.loads(line)
        task, _, labels = q["prefix"].partition(" ")
        if task not in ("detect", "segment"):
            continue
        for label in labels.split(" ; "):
            if label not in ids or (q["image"], label) in asked:
                continue
            asked.add((q["image"], label))
            for locs, found in re.findall(r"((?:<loc\d{4}>){4})(?:<seg\d{3}>)* ([^;]+)", q["suffix"]):
                if found.strip() != label:
                    continue
                i = names[q["image"]]
                y0, x0, y1, x1 = (int(v) / 1023 for v in re.findall(r"\d{4}", locs))
                box = [x0 * i["width"], y0 * i["height"], (x1 - x0) * i["width"], (y1 - y0) * i["height"]]
                true.append({
                    "id": len(true) + 1,
                    "image_id": i["id"],
                    "category_id": ids[label],
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                })
    results = [
        {k: a[k] for k in ("image_id", "category_id", "bbox", "score")}
        for name, annotations in by_name.items()
        for a in annotations
        if (name, coco.cats[a["category_id"]]["name"]) in asked
    ]
    truth = COCO()
    truth.dataset = {k: coco.dataset[k] for k in ("images", "categories")} | {"annotations": true}
    truth.createIndex()
    e = COCOeval(truth, truth.loadRes(results), "bbox")
    e.evaluate()
    e.accumulate()
    e.summarize()
    ap, ap50 = e.stats[:2]
    print(f"pycocotools: {len(true)} true boxes, {len(results)} found, AP {ap:.3f}, AP at IoU 0.5 {ap50:.3f}")


def main():
    images, out = sys.argv[1], pathlib.Path(sys.argv[2])
    coco, by_name = read(out)
    from_coco = sv.DetectionDataset.from_coco(images, str(out / "coco.json"))
    compare("coco, supervision", from_coco, coco, by_name, 0.001)
    compare("yolo, supervision", yolo(out / "yolo"), coco, by_name, 0.01)
    from_voc = sv.DetectionDataset.from_pascal_voc(images, str(out / "voc"))
    compare("voc, supervision", from_voc, coco, by_name, 0.5)
    masks(out, coco, by_name)
    others(out, coco, by_name)
    if len(sys.argv) > 3:
        precision(coco, by_name, sys.argv[3])


main()
