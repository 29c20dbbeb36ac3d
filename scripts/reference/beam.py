"""What big_vision's beam search answers, given logits from a table: for the tests of runner/beam.go.

    python beam.py --big-vision DIR OUT.json [--seed 0]

Needs jax, einops, absl-py and a checkout of google-research/big_vision. The steps of the search are the authors' own functions
(trainers/proj/paligemma/predict_fns.py); only the model is a table: the logits behind a token depend on it and on the one before it. "tables" are
[V,V,V] by the token before, the last one and the next one, and the first logits are those behind 0, 0; the end is token 1.
"""

import argparse
import json
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np

V, EOS = 8, 1


def search(p, table, beams, most):
    """The loop of _beam_decode, with a table for a model."""
    state, logits, cache = None, table[0, 0][None, None], {"last": jnp.zeros((1, 1))}
    for n in range(most):
        tokens, state, cache = p._beam_sample_output(state, logits, cache, max_decode_len=most, beam_size=beams, eos_token=EOS)
        if bool(p._beam_early_stop(state, jnp.ones((1,), bool), eos_token=EOS)) or n + 1 >= most:
            break
        logits, cache = table[cache["last"].astype(int)[:, 0], tokens[:, 0]][:, None], {"last": tokens.astype(jnp.float32)}
    best = np.asarray(p._beam_make_output(state))[0].tolist()
    score = float(p._compute_score(state[0], state[1], EOS)[0, 0])
    return best[:best.index(EOS) + 1], score


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--big-vision", required=True)
    ap.add_argument("--seed", type=int, default=0)
    a = ap.parse_args()
    sys.path.insert(0, a.big_vision)
    sys.modules["big_vision.utils"] = types.ModuleType("big_vision.utils")  # imports much, of which the search needs nothing
    from big_vision.trainers.proj.paligemma import predict_fns
    jax.config.update("jax_default_matmul_precision", "highest")
    r, tables, cases = np.random.default_rng(a.seed), [], []
    for sharp, ending in [(1, 0), (2, -2), (3, -12), (4, -12), (5, -20), (6, -20)]:
        table = np.round(r.normal(size=(V, V, V)) * sharp, 3).astype(np.float32)
        table[:, :, EOS] += np.float32(ending)
        table[:, 6, EOS] += np.float32(-1.5 * ending)  # an answer ends behind 6
        tables.append(np.round(table, 3).tolist())
        table = jnp.asarray(np.round(table, 3))
        for beams in (2, 3, 5):
            for most in (1, 2, 3, 5, 8, 12):
                tokens, score = search(predict_fns, table, beams, most)
                cases.append({"table": len(tables) - 1, "beams": beams, "most": most, "tokens": tokens, "score": score})
    with open(a.out, "w") as f:
        text = json.dumps({"tables": [[[[round(v, 3) for v in x] for x in y] for y in z] for z in tables], "cases": cases}, separators=(",", ":"))
        f.write(text.replace('{"table"', '\n{"table"') + "\n")


if __name__ == "__main__":
    main()
