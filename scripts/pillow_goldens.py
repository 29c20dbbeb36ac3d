"""Images and their pixels by Pillow: the goldens of the image processor's tests.

    python scripts/pillow_goldens.py testdata/reference/cases/scene0.png testdata/reference/cases/words.png \\
        mmproj/imageproc/testdata/pillow

writes into the last folder
    decode-NAME.EXT       small images of every kind that Pillow writes
    decode-NAME.EXT.png   the RGB pixels that Pillow (libjpeg-turbo, libwebp, ...) decodes from it, on white
    white.txt             SHA-256 of the RGB pixels, on white, of the transparent files in ../tensorflow
    bicubic-SIDE-NAME     NAME.png resized to SIDE x SIDE, columns first, then rows. Pillow up to version
                          12 always uses this order; 13 begins with the rows for some sizes, so the two
                          passes are separate calls here
    exif-N.jpg            an image stored in orientation N; each is upright.png when displayed

Needs Pillow with libwebp. The committed files were made with Pillow 13.0.0, libjpeg-turbo 3.2.0,
libwebp 1.6.0.
"""

import hashlib
import io
import os
import sys

from PIL import Image


TRANSPARENT = (
    "grey-alpha-8.png", "grey-alpha-8-interlaced.png", "palette-2.png", "palette-4.png", "rgb-alpha-16.png",
    "rgb-alpha-16-interlaced.png", "lossless-alpha.webp", "lossy-alpha.webp", "transparent.gif",
)


def on_white(image):
    """The RGB pixels of an image on a white page, rounded to the nearest."""
    image = image.convert("RGBA")
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page


def save_sums(folder, names):
    with open(os.path.join(folder, "white.txt"), "w") as sums:
        for name in names:
            pixels = on_white(Image.open(os.path.join(folder, "..", "tensorflow", name))).tobytes()
            sums.write(f"{hashlib.sha256(pixels).hexdigest()}  {name}\n")


def save_decoded(folder, name, image, **options):
    path = os.path.join(folder, "decode-" + name)
    image.save(path, **options)
    on_white(Image.open(path)).save(path + ".png", optimize=True)


def save_relabelled(folder, name, image, subsampling, have, want):
    """Saves a JPEG with other sampling factors in its header than its blocks have: the image is
    jumbled, and of a kind that Pillow reads but does not write."""
    data = io.BytesIO()
    image.save(data, "JPEG", subsampling=subsampling, quality=90)
    old, new = bytes([0, 64, 0, 64, 3, 1, have]), bytes([0, 64, 0, 64, 3, 1, want])
    assert data.getvalue().count(old) == 1
    path = os.path.join(folder, "decode-" + name)
    with open(path, "wb") as f:
        f.write(data.getvalue().replace(old, new))
    Image.open(path).convert("RGB").save(path + ".png", optimize=True)


def bicubic(image, side):
    return image.resize((side, image.height), Image.BICUBIC).resize((side, side), Image.BICUBIC)


def main(scene, words, folder):
    os.makedirs(folder, exist_ok=True)
    scene, words = Image.open(scene).convert("RGB"), Image.open(words).convert("RGB")

    small = scene.resize((61, 47), Image.LANCZOS)
    for name, mode in (("444", 0), ("422", 1), ("420", 2)):
        save_decoded(folder, f"{name}.jpg", small, subsampling=mode, quality=90)
    save_decoded(folder, "rgb.jpg", small, keep_rgb=True)
    square = scene.resize((64, 64), Image.LANCZOS)
    save_relabelled(folder, "440.jpg", square, 1, 0x21, 0x12)
    save_relabelled(folder, "411.jpg", square, 2, 0x22, 0x41)
    save_decoded(folder, "narrow-420.jpg", small.resize((4, 7)), subsampling=2, quality=90)
    save_decoded(folder, "progressive.jpg", small, subsampling=2, quality=80, progressive=True)
    save_decoded(folder, "grey.jpg", small.convert("L"))
    save_decoded(folder, "cmyk.jpg", small.convert("CMYK"))
    see_through = small.copy()
    see_through.putalpha(small.convert("L"))
    save_decoded(folder, "lossy.webp", small, quality=80)
    save_decoded(folder, "narrow.webp", small.resize((1, 3)), quality=80)
    save_decoded(folder, "lossless.webp", small, lossless=True)
    save_decoded(folder, "alpha-lossy.webp", see_through, quality=80)
    save_decoded(folder, "alpha-lossless.webp", see_through, lossless=True, exact=True)
    save_decoded(folder, "palette.gif", small.quantize(32))
    save_decoded(folder, "palette.bmp", small.quantize(32))
    save_decoded(folder, "rgb.bmp", small)

    save_sums(folder, TRANSPARENT)

    tiny = scene.resize((31, 23), Image.LANCZOS)
    large = scene.resize((190, 120), Image.LANCZOS)
    for name, image in (("scene.png", large), ("words.png", words.crop((0, 0, 90, 170))), ("tiny.png", tiny)):
        image.save(os.path.join(folder, name), optimize=True)
        for side in (24, 56):
            bicubic(image, side).save(os.path.join(folder, f"bicubic-{side}-{name}"), optimize=True)

    back = {1: None, 2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM,
            5: Image.TRANSPOSE, 6: Image.ROTATE_90, 7: Image.TRANSVERSE, 8: Image.ROTATE_270}
    quarters = Image.new("RGB", (48, 32), (200, 30, 30))  # blocks of 16 pixels, nearly exact in JPEG
    quarters.paste((30, 30, 200), (0, 0, 16, 16))
    quarters.paste((30, 200, 30), (32, 16, 48, 32))
    quarters.save(os.path.join(folder, "upright.png"))
    for orientation, how in back.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = quarters if how is None else quarters.transpose(how)
        stored.save(os.path.join(folder, f"exif-{orientation}.jpg"), quality=95, subsampling=0, exif=exif)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
