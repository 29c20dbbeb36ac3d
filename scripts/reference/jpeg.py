"""TensorFlow's own pixels of JPEGs: a line "SHA-256  name" of the RGB bytes for each.

    python scripts/reference/jpeg.py testdata/demo/pictures/*.jpg > mmproj/testdata/tensorflow-jpeg.txt

Needs tensorflow-cpu.
"""
import hashlib
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

for path in sys.argv[1:]:
    pixels = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
    print(hashlib.sha256(pixels.numpy().tobytes()).hexdigest(), os.path.basename(path), sep="  ")
