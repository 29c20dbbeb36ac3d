"""Writes small image files of every kind that Pali reads, for the comparison with TensorFlow's
decoder (decode.py prints the hashes).

    python scripts/reference/pictures.py mmproj/imageproc/testdata/tensorflow

Needs NumPy, Pillow and libjpeg-turbo's cjpeg. The committed files were made with Pillow 13.0.0 and
cjpeg 2.1.5.
"""
import io
import os
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np
from PIL import Image

W, H = 35, 27


def drawing(high=255, channels=3, width=W, height=H):
    """Returns gradients, an edge and a little noise, int [height,width,channels] in 0..high."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / (5 + c) + y / (9 - c)) * 0.4 + 0.5 + 0.3 * (x + c > y) for c in range(channels)]
    noise = np.random.default_rng(1).normal(0, 0.03, (height, width, channels))
    return np.clip((np.stack(planes, -1) + noise) * high / 1.2, 0, high).astype(int)


def rgb():
    return Image.fromarray(drawing().astype(np.uint8))


def pillow(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def cjpeg(*options, scans=None):
    with tempfile.NamedTemporaryFile("w") as f:
        if scans:
            f.write(scans)
            f.flush()
            options += ("-scans", f.name)
        return subprocess.run(["cjpeg", *options], input=pillow(rgb(), "PPM"), capture_output=True, check=True).stdout


def segments(data):
    """Splits a JPEG before each marker segment; entropy-coded data stays with its scan's header."""
    parts, at = [data[:2]], 2
    while data[at + 1] != 0xD9:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xDA:
            while data[end] != 0xFF or data[end + 1] == 0 or data[end + 1] & 0xF8 == 0xD0:
                end += 1
        parts.append(data[at:end])
        at = end
    return parts + [data[at:]]


def first_scans(data, count):
    """Returns a progressive JPEG that ends after its first count scans, with the end marker."""
    parts = segments(data)
    scans = [i for i, part in enumerate(parts) if part[1] == 0xDA]
    return b"".join(parts[: scans[count]]) + b"\xff\xd9"


def adobe(data, change):
    """Returns a JPEG whose Adobe segment change has replaced; empty: removed."""
    return b"".join(change(p) if p[1] == 0xEE else p for p in segments(data))


def jpegs():
    yield "progressive-420", pillow(rgb(), "JPEG", quality=80, subsampling=2, progressive=True)
    yield "progressive-422", pillow(rgb(), "JPEG", quality=95, subsampling=1, progressive=True, restart_marker_blocks=2)
    yield "progressive-444", pillow(rgb(), "JPEG", quality=30, subsampling=0, progressive=True)
    yield "progressive-440", cjpeg("-progressive", "-quality", "85", "-sample", "1x2", "-restart", "3B")
    yield "progressive-411", cjpeg("-progressive", "-quality", "85", "-sample", "4x1")
    yield "progressive-grey", pillow(rgb().convert("L"), "JPEG", quality=85, progressive=True)
    yield "progressive-bits", cjpeg("-quality", "90", "-sample", "2x2", scans=(
        "0:0-0,0,1; 1:0-0,0,0; 2:0-0,0,2; 2:0-0,2,1; 2:0-0,1,0; 0:0-0,1,0; 0:1-9,0,3; 0:10-63,0,1;"
        " 0:1-9,3,2; 0:10-63,1,0; 0:1-9,2,1; 0:1-9,1,0;"
        "1:1-63,0,4; 1:1-63,4,3; 1:1-63,3,2; 1:1-63,2,1; 1:1-63,1,0; 2:1-1,0,0; 2:2-63,0,0;"))
    yield "progressive-cmyk", pillow(rgb().convert("CMYK"), "JPEG", quality=85, progressive=True)
    whole = cjpeg("-progressive", "-quality", "85", "-sample", "2x2")
    yield "incomplete-dc", first_scans(whole, 1)  # libjpeg smooths over the missing coefficients
    yield "incomplete-ac", first_scans(whole, 5)
    scans = "0:0-63,0,0; 1:0-63,0,0; 2:0-63,0,0;"
    yield "scans-apart", cjpeg("-quality", "85", "-sample", "2x2", "-restart", "4B", scans=scans)
    yield "scans-mixed", cjpeg("-quality", "85", "-sample", "2x1", scans="0,2:0-63,0,0; 1:0-63,0,0;")
    yield "factors", cjpeg("-quality", "85", "-sample", "2x2,1x2,2x1")
    yield "rgb", cjpeg("-quality", "85", "-rgb")
    cmyk = pillow(rgb().convert("CMYK"), "JPEG", quality=85)
    yield "cmyk", cmyk
    yield "cmyk-unmarked", adobe(cmyk, lambda part: b"")
    yield "ycck", adobe(cmyk, lambda part: part[:15] + b"\x02")
    # Coefficients that overflow the 16-bit registers of libjpeg-turbo's transform.
    parts = segments(cjpeg("-quality", "95"))
    yield "overflow", b"".join(p[:5] + bytes(255 - v for v in p[5:]) if p[1] == 0xDB else p for p in parts)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(colour, depth, interlaced=0, extra=b""):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    samples = drawing((1 << depth) - 1, channels, 15, 11)
    rows = b""
    for x, y, dx, dy in PASSES if interlaced else [(0, 0, 1, 1)]:
        for row in samples[y::dy, x::dx]:
            bits = "".join(format(int(v), f"0{depth}b") for v in row.reshape(-1))
            bits += "0" * (-len(bits) % 8)
            rows += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    header = struct.pack(">IIBBBBB", 15, 11, depth, colour, 0, 0, interlaced)
    if colour == 3:
        extra = chunk(b"PLTE", bytes(range(3 << depth))) + extra
    data = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + data + chunk(b"IEND", b"")


def pngs():
    kinds = ("grey-1", 0, 1), ("grey-4", 0, 4), ("rgb-16", 2, 16), ("grey-alpha-8", 4, 8), ("rgb-alpha-16", 6, 16)
    for name, colour, depth in kinds:
        yield name, png(colour, depth)
        yield name + "-interlaced", png(colour, depth, 1)
    yield "grey-16-transparent", png(0, 16, 0, chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"tRNS", b"\x80\x00"))
    yield "palette-2", png(3, 2, 1, chunk(b"tRNS", b"\x00\x80"))
    yield "palette-4", png(3, 4, 0, chunk(b"tRNS", bytes(range(0, 256, 16))))


def others():
    few = rgb().quantize(16)
    yield "transparent.gif", pillow(few, "GIF", transparency=3, interlace=1)
    yield "animated.gif", pillow(few, "GIF", save_all=True, append_images=[few.transpose(Image.ROTATE_180)], disposal=2)
    yield "rgb.bmp", pillow(rgb().resize((7, 5)), "BMP")
    yield "alpha.bmp", pillow(rgb().resize((7, 5)).convert("RGBA"), "BMP")
    seen = rgb()
    seen.putalpha(rgb().convert("L"))
    yield "lossy.webp", pillow(rgb(), "WEBP", quality=70)
    yield "lossless.webp", pillow(rgb(), "WEBP", lossless=True)
    yield "lossy-alpha.webp", pillow(seen, "WEBP", quality=40, exact=True)
    yield "lossless-alpha.webp", pillow(seen, "WEBP", lossless=True, exact=True)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    named = [(name + ".jpg", data) for name, data in jpegs()]
    named += [(name + ".png", data) for name, data in pngs()]
    for name, data in named + list(others()):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
