"""Scores of texts by big_vision's own evaluators: ANLS (vqa.py), relaxed accuracy (chartqa.py) and
VQA accuracy (vqav2.py).

    python metrics.py --big-vision DIR OUT.jsonl

OUT.jsonl has a line for each answer: {"truths", "answer", "anls", "relaxed"}, and "vqa" with ten
truths. The scores come from the evaluators' own run(), on one question at a time; their imports of
JAX, which do not affect the scores, are stubs. Needs numpy and editdistance.
"""

import argparse
import importlib.util
import json
import os
import random
import sys
import types

import numpy as np


def load(folder, name):
    """Loads an evaluator's module, with stubs for its imports."""
    for stub in ("big_vision", "big_vision.evaluators", "big_vision.evaluators.common", "big_vision.pp",
                 "big_vision.pp.tokenizer", "big_vision.utils"):
        sys.modules.setdefault(stub, types.ModuleType(stub))
    common, utils = sys.modules["big_vision.evaluators.common"], sys.modules["big_vision.utils"]
    common.process_sum, common.multiprocess_write_json = lambda x: x, lambda path, rows: None
    utils.get_local_slice_from_fsarray = lambda x: x
    sys.modules["big_vision"].evaluators = sys.modules["big_vision.evaluators"]
    sys.modules["big_vision.evaluators"].common = common
    sys.modules["big_vision"].pp = sys.modules["big_vision.pp"]
    sys.modules["big_vision.pp"].tokenizer = sys.modules["big_vision.pp.tokenizer"]
    sys.modules["big_vision"].utils = utils
    path = os.path.join(folder, "big_vision/evaluators/proj/paligemma/transfers", name + ".py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def score(module, text, **batch):
    """Returns the metrics of the module's evaluator for one question."""
    e = module.Evaluator.__new__(module.Evaluator)
    batch |= {"_mask": [1], "question_id": [np.int64(0)], "answer_type": ["other"]}
    e.steps, e.get_data_iter = 1, lambda: iter([batch])
    e.decode, e.outfile, e.out_question_key, e.out_answer_key = lambda state, b: [text], "", "q", "a"
    e.tok = types.SimpleNamespace(to_str=lambda tokens, stop_at_eos: tokens)
    e.postproc = str.lower  # as in the configurations of DocVQA and ChartQA
    return dict(e.run(None))


def cases(words):
    """Yields truths and answers: edge cases of each definition, every word that VQA replaces, and
    random changes."""
    for truths, answers in (
        (["Hello"], ["hello", "HELLO", "help", "hell", "he", "", "hello world", "olleh"]),
        ([""], ["", "a"]),
        (["naïve café", "naive cafe"], ["naïve cafe", "NAÏVE CAFÉ", "nave"]),
        (["12"], ["12", "12.6", "12.7", "11.4", "11.3", "12.0", " 12 ", "1_2", "twelve", "12%", "-12", "+12", "1.2e1",
                  "12.", "0x0c"]),
        (["0"], ["0", "0.0", "0.01", "-0", "00"]),
        (["25%"], ["25%", "0.25", "25", "26%", "26.3%", "25 %", "25%%", "%"]),
        (["1e400"], ["inf", "1e400", "1"]),
        (["inf"], ["inf", "infinity", "-inf", "1"]),
        (["nan"], ["nan", "1"]),
        ([".5"], [".5", "0.5", "0.52", "._5", "5e-1", "5e-", "e1", "."]),
        (["yes"] * 10, ["yes", "Yes", "yes ", "no", "y,es", "yes\n"]),
        (["2"] * 3 + ["two"] * 3 + ["3"] * 4, ["2", "two", "Two.", "3", "three", "4"]),
        (["a red car"] * 2 + ["red car"] * 1 + ["the red-car"] * 1 + ["car"] * 6,
         ["red car", "the red car", "a car", "cars", "red-car", "red- car"]),
        (["1,000"] * 5 + ["1000"] * 4 + ["1 000"], ["1,000", "1000", "1,000!", "1, 000"]),
        (["3.5 ft."] * 4 + ["3.5"] * 6, ["3.5", "3.5 ft", "3.5.", ".5", "3. 5"]),
        (["what's up?"] * 5 + ["whats up"] * 5, ["whats up", "what's up", "What's up ?", "up"]),
        (["left/right"] * 5 + ["left right"] * 5,
         ["left right", "left/right", "left / right", "leftright", "(left) [right]"]),
        (["x"] * 9 + ["y"], ["x", "y", "z"]),
        (["x"] * 8 + ["y"] * 2, ["x", "y"]),
        (["tab\there"] * 9 + ["other"], ["tab here", "tab\there"]),
    ):
        for a in answers:
            yield truths, a
    for w in words:
        yield [w] * 5 + ["x"] * 5, w
        yield [words[w]] * 5 + ["x"] * 5, w.upper()
    rng = random.Random(7)
    letters = "abc ABC.,;:-'/\"!?0159()%"
    for _ in range(400):
        base = "".join(rng.choice(letters) for _ in range(rng.randint(1, 12)))
        def change(s):
            for _ in range(rng.randint(0, 3)):
                at = rng.randint(0, len(s))
                s = s[:at] + rng.choice(["", rng.choice(letters)]) + s[at + rng.randint(0, 1):]
            return s
        yield [change(base) for _ in range(rng.choice([1, 2, 10]))], change(base)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--big-vision", required=True)
    a = ap.parse_args()
    vqa, chartqa, vqav2 = (load(a.big_vision, n) for n in ("vqa", "chartqa", "vqav2"))
    with open(a.out, "w") as f:
        for truths, answer in cases(vqav2.REPLACEMENTS):
            row = {
                "truths": truths,
                "answer": answer,
                "anls": float(score(vqa, answer, answers=[np.array(truths)])["anls"]),
                "relaxed": float(max(score(chartqa, answer, answer=[t])["relaxed_acc"] for t in truths)),
            }
            if len(truths) == 10:
                row["vqa"] = float(score(vqav2, answer, answers=[np.array(truths)])["acc"])
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
