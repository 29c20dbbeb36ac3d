"""TensorFlow's own pixels of picture files: for each a line "SHA-256  path" of the RGB bytes, as big_vision decodes them.

    python scripts/reference/decode.py testdata/demo/pictures/*.jpg mmproj/imageproc/testdata/tensorflow/* > mmproj/imageproc/testdata/tensorflow.txt

Needs tensorflow-cpu 2.20 or later, which knows WebP. The committed sums are of 2.21.0.
"""
import hashlib
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

for path in sys.argv[1:]:
    # TensorFlow wants alpha asked for in a WebP that has it; it is dropped as in the other kinds.
    channels = 0 if path.endswith("alpha.webp") else 3
    pixels = tf.io.decode_image(tf.io.read_file(path), channels=channels, expand_animations=False).numpy()
    print(hashlib.sha256(pixels[..., :3].tobytes()).hexdigest(), path, sep="  ")
