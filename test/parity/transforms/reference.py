"""Makes the reference numbers of the transforms with torchvision on PIL images.

    python reference.py fixture   writes the small files of fixtures/
    python reference.py serve     answers the questions of compare-real.cjs on its standard input

Needs torch, torchvision, numpy and Pillow. All images of the fixture are made up here.
"""

import base64
import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms

from known_draws import Uniforms, drawing_from
from known_draws import functional as F
from known_draws import torchvision
from known_draws import transforms as T

FIXTURES = Path(__file__).parent / "fixtures"


def apply(image, case):
    """The transform of a case, on a PIL image, up to but without ToTensor."""
    size, before = case["size"], case["before"]
    if case["kind"] == "decode":
        return image
    if case["kind"] == "eval":
        return T.Resize((size, size))(image)
    if case["kind"] == "aspect":
        return T.Compose([T.Resize(before), T.CenterCrop(size)])(image)
    top, left, height, width = case["box"]
    image = F.resized_crop(T.Resize(before)(image), top, left, height, width, [size, size])
    return F.hflip(image) if case["flip"] else image


def serve():
    for line in sys.stdin:
        case = json.loads(line)
        pixels = np.asarray(apply(Image.open(case["path"]).convert("RGB"), case), dtype=np.uint8)
        sys.stdout.buffer.write(struct.pack("<II", *pixels.shape[:2]) + pixels.tobytes())
        sys.stdout.buffer.flush()


def made_up_images():
    """Smooth shapes with some noise and hard edges, in the modes a data set may hold."""
    rng = np.random.default_rng(20)

    def field(height, width, phase):
        y, x = np.mgrid[0:height, 0:width]
        values = 128 + 90 * np.sin(x / 9 + phase) * np.cos(y / 13 - phase) + rng.integers(-12, 13, (height, width))
        values[(x - width * 0.6) ** 2 + (y - height * 0.4) ** 2 < (min(height, width) / 5) ** 2] = 250
        values[:, : width // 12] = 0
        return np.clip(values, 0, 255).astype(np.uint8)

    def rgb(height, width):
        return np.stack([field(height, width, phase) for phase in (0, 1, 2)], -1)

    yield "wide", Image.fromarray(rgb(70, 110)), {}
    yield "tall", Image.fromarray(rgb(170, 61)), {}
    yield "tiny", Image.fromarray(rgb(23, 31)), {}
    yield "even-gray-alpha", Image.fromarray(np.dstack([field(80, 73, 0.5), field(80, 73, 2)]), "LA"), {}
    yield "square-alpha", Image.fromarray(np.dstack([rgb(64, 64), field(64, 64, 2)]), "RGBA"), {}


def image_cases():
    size, before = 56, 64
    for name, image, options in made_up_images():
        image.save(FIXTURES / f"{name}.png", **options)
        width, height = T.Resize(before)(image).size
        boxes = [
            (0, 0, height, width, False),
            (3, 2, height - 9, width - 5, True),
            (height // 4, width // 5, height // 2, width // 2, False),
        ]
        cases = [{"kind": "eval"}, {"kind": "aspect"}] + [
            {"kind": "train", "box": box[:4], "flip": box[4]} for box in boxes
        ]
        for number, case in enumerate(cases):
            case.update(image=f"{name}.png", size=size, before=before, output=f"{name}.{number}.out.png")
            apply(Image.open(FIXTURES / case["image"]).convert("RGB"), case).save(FIXTURES / case["output"])
            yield case


def odd_files():
    """One small file of each kind that a data set may hold, and the bytes PIL's convert("RGB") makes of it."""
    rng = np.random.default_rng(4)
    height, width = 18, 25
    y, x = np.mgrid[0:height, 0:width]
    gray = ((x * 9 + y * 5) % 256).astype(np.uint8)
    noise = rng.integers(0, 256, (height, width)).astype(np.uint8)
    color = Image.fromarray(np.stack([gray, gray[::-1], 255 - gray // 2], -1))
    turned = Image.Exif()
    turned[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    palette = color.quantize(16)
    files = {
        "gray.png": (Image.fromarray(noise), {}),
        "one-bit.png": (Image.fromarray(noise > 128), {}),
        "gray-alpha.png": (Image.fromarray(np.dstack([gray, noise]), "LA"), {}),
        "rgb-alpha.png": (Image.fromarray(np.dstack([np.asarray(color), noise]), "RGBA"), {}),
        "palette.png": (palette, {}),
        "palette-alpha.png": (palette, {"transparency": 3}),
        "color-key.png": (color, {"transparency": (0, 85, 255)}),
        "profile.png": (color, {"icc_profile": profile}),
        "exif.png": (color, {"exif": turned}),
        "rgb.jpg": (color, {"quality": 90}),
        "rgb-444.jpg": (color, {"quality": 85, "subsampling": 0}),
        "gray.jpg": (Image.fromarray(gray), {"quality": 90}),
        "progressive.jpg": (color, {"quality": 80, "progressive": True}),
        "exif.jpg": (color, {"quality": 90, "exif": turned}),
        "profile.jpg": (color, {"quality": 90, "icc_profile": profile}),
        "cmyk.jpg": (color.convert("CMYK"), {"quality": 95}),
        "rgb.webp": (color, {"lossless": True}),
        "rgb-alpha.webp": (
            Image.fromarray(np.dstack([np.asarray(color), noise]), "RGBA"),
            {"lossless": True, "exact": True},
        ),
        "rgb.tif": (color, {"compression": "tiff_lzw"}),
        "rgb.gif": (palette, {}),
        "moving.gif": (
            palette,
            {
                "save_all": True,
                "append_images": [Image.fromarray(255 - np.asarray(color)).quantize(16)],
                "duration": 50,
            },
        ),
    }
    for name, (image, options) in files.items():
        image.save(FIXTURES / name, **options)
        pixels = np.asarray(Image.open(FIXTURES / name).convert("RGB"))
        yield {
            "file": name,
            "height": pixels.shape[0],
            "width": pixels.shape[1],
            "rgb": base64.b64encode(pixels.tobytes()).decode(),
        }
    # Of 16-bit gray PIL keeps what is above 255 at 255; here the high byte is the reference.
    deep = (noise.astype(np.uint16) << 8) | gray
    for name in ("gray-16.png", "gray-16.tif"):
        Image.fromarray(deep).save(FIXTURES / name)
        yield {
            "file": name,
            "height": height,
            "width": width,
            "rgb": base64.b64encode(np.repeat(noise[..., None], 3, -1).tobytes()).decode(),
        }
    Image.fromarray(noise.astype(np.float32)).save(FIXTURES / "float.tif")
    jpeg = (FIXTURES / "rgb.jpg").read_bytes()
    (FIXTURES / "truncated.jpg").write_bytes(jpeg[: len(jpeg) * 2 // 3])
    (FIXTURES / "jpeg-inside.png").write_bytes(jpeg)
    png = (FIXTURES / "rgb-alpha.png").read_bytes()
    (FIXTURES / "truncated.png").write_bytes(png[: len(png) * 2 // 3])


def resized_sizes():
    rng = np.random.default_rng(1)
    for _ in range(150):
        height, width = (int(v) for v in rng.integers(1, 900, 2))
        size = int(rng.integers(1, 300))
        if max(height, width) / min(height, width) > 40:
            continue
        out = T.Resize(size)(Image.new("L", (width, height))).size
        yield [height, width, size, out[1], out[0]]


def center_crops():
    """Where CenterCrop takes its box from, read off an image whose pixels hold their own place; outside is 0."""
    rng = np.random.default_rng(2)
    for _ in range(150):
        height, width, crop_height, crop_width = (int(v) for v in rng.integers(1, 40, 4))
        places = Image.fromarray((1 + np.arange(height * width)).reshape(height, width).astype(np.int32))
        out = np.asarray(T.CenterCrop((crop_height, crop_width))(places))
        row, column = np.argwhere(out > 0)[0]
        top, left = divmod(int(out[row, column]) - 1, width)
        yield [height, width, crop_height, crop_width, int(top - row), int(left - column)]


def crop_boxes():
    """get_params on known uniform numbers: the arithmetic alone."""
    rng = np.random.default_rng(3)
    for number in range(200):
        height, width = (int(v) for v in rng.integers(20, 700, 2))
        scale, ratio = ([0.5, 1.0], [3 / 4, 4 / 3]) if number % 2 == 0 else ([0.08, 1.0], [0.9, 1.2])
        uniforms = Uniforms(rng)
        with drawing_from(uniforms):
            box = T.RandomResizedCrop.get_params(Image.new("L", (width, height)), scale, ratio)
        size = {"height": height, "width": width}
        yield {**size, "scale": scale, "ratio": ratio, "uniforms": uniforms.used, "box": list(box)}


def drawn_boxes(count=600):
    """torchvision's own draws, for the distribution."""
    torch.manual_seed(0)
    for height, width in ((256, 256), (256, 340), (256, 700)):
        image = Image.new("L", (width, height))
        boxes = np.array([T.RandomResizedCrop.get_params(image, [0.5, 1.0], [3 / 4, 4 / 3]) for _ in range(count)])
        yield {
            "height": height,
            "width": width,
            "top": boxes[:, 0].tolist(),
            "left": boxes[:, 1].tolist(),
            "boxHeight": boxes[:, 2].tolist(),
            "boxWidth": boxes[:, 3].tolist(),
        }


def fixture():
    FIXTURES.mkdir(exist_ok=True)
    data = {
        "madeBy": f"reference.py with torchvision {torchvision.__version__}",
        "images": list(image_cases()),
        "files": list(odd_files()),
        "resizedSizes": list(resized_sizes()),
        "centerCrops": list(center_crops()),
        "cropBoxes": list(crop_boxes()),
        "drawnBoxes": list(drawn_boxes()),
    }
    (FIXTURES / "reference.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")


{"fixture": fixture, "serve": serve}[sys.argv[1]]()
