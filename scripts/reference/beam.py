"""The answers of big_vision's beam search, given logits from a table: for the tests of the beam
search.

    python beam.py --big-vision DIR OUT.json [--seed 0]

Needs jax, einops, absl-py and a checkout of google-research/big_vision. The steps of the search are
the authors' own functions (trainers/proj/paligemma/predict_fns.py); only the model is a table: the
logits depend on the last two tokens. "tables" are [V,V,V] by the second-to-last token, the last one
and the next one; the first logits are those that follow 0, 0; token 1 ends an answer.
"""

import argparse
import json
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np

V, EOS = 8, 1


def search(p, table, beams, max_tokens):
    """The loop of _beam_decode, with a table as the model."""
    state, logits, cache = None, table[0, 0][None, None], {"last": jnp.zeros((1, 1))}
    for n in range(max_tokens):
        tokens, state, cache = p._beam_sample_output(
            state, logits, cache, max_decode_len=max_tokens, beam_size=beams, eos_token=EOS)
        if bool(p._beam_early_stop(state, jnp.ones((1,), bool), eos_token=EOS)) or n + 1 >= max_tokens:
            break
        logits = table[cache["last"].astype(int)[:, 0], tokens[:, 0]][:, None]
        cache = {"last": tokens.astype(jnp.float32)}
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
    # It imports many packages, none of which the search needs.
    sys.modules["big_vision.utils"] = types.ModuleType("big_vision.utils")
    from big_vision.trainers.proj.paligemma import predict_fns
    jax.config.update("jax_default_matmul_precision", "highest")
    r, tables, cases = np.random.default_rng(a.seed), [], []
    for sharp, ending in [(1, 0), (2, -2), (3, -12), (4, -12), (5, -20), (6, -20)]:
        table = np.round(r.normal(size=(V, V, V)) * sharp, 3).astype(np.float32)
        table[:, :, EOS] += np.float32(ending)
        table[:, 6, EOS] += np.float32(-1.5 * ending)  # an answer ends after 6
        tables.append(np.round(table, 3).tolist())
        table = jnp.asarray(np.round(table, 3))
        for beams in (2, 3, 5):
            for most in (1, 2, 3, 5, 8, 12):
                tokens, score = search(predict_fns, table, beams, most)
                cases.append({"table": len(tables) - 1, "beams": beams, "most": most, "tokens": tokens, "score": score})
    with open(a.out, "w") as f:
        rounded = [[[[round(v, 3) for v in x] for x in y] for y in z] for z in tables]
        text = json.dumps({"tables": rounded, "cases": cases}, separators=(",", ":"))
        f.write(text.replace('{"table"', '\n{"table"') + "\n")


if __name__ == "__main__":
    main()
