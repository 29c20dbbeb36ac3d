"""Prints a line "SHA-256  path" for each image file: the hash of its RGB bytes as TensorFlow, and
so big_vision, decodes them.

    python scripts/reference/decode.py testdata/demo/pictures/*.jpg mmproj/imageproc/testdata/tensorflow/* \\
        > mmproj/imageproc/testdata/tensorflow.txt

Needs tensorflow-cpu 2.20 or later, for WebP. The committed hashes are those of 2.21.0.
"""
import hashlib
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

for path in sys.argv[1:]:
    # TensorFlow decodes a WebP with alpha only with its alpha channel, which is dropped below.
    channels = 0 if path.endswith("alpha.webp") else 3
    pixels = tf.io.decode_image(tf.io.read_file(path), channels=channels, expand_animations=False).numpy()
    print(hashlib.sha256(pixels[..., :3].tobytes()).hexdigest(), path, sep="  ")
