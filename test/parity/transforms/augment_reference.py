"""Makes fixtures/augment.json: torchvision's random transforms on uint8 tensors, on known uniform numbers.

    python augment_reference.py

Needs torch and torchvision. The image is made up here; the test makes the same one.
"""

import base64
import json
from pathlib import Path

import numpy as np
import torch
from known_draws import Uniforms, drawing_from
from known_draws import functional as F
from known_draws import torchvision
from known_draws import transforms as T

HEIGHT, WIDTH = 19, 27
# The size of a slice; of its results every SPARSE-th byte is kept.
LARGE_HEIGHT, LARGE_WIDTH, SPARSE = 301, 257, 211


def picture(channels, height=HEIGHT, width=WIDTH):
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    return torch.from_numpy(((x * x * 3 + y * 29 + x * y + c * 71) % 256).astype(np.uint8)).permute(2, 0, 1)


def params(uniforms, get):
    with drawing_from(uniforms):
        return get()


def rotation(image, uniforms, degrees, interpolation="nearest", expand=False, center=None, fill=0):
    mode = T.InterpolationMode(interpolation)
    one = T.RandomRotation(degrees, mode, expand, center, fill)
    angle = params(uniforms, lambda: one.get_params(one.degrees))
    fills = [float(f) for f in fill] if isinstance(fill, list) else [float(fill)]
    return F.rotate(image, angle, mode, expand, center, (fills * 3)[: image.shape[0]])


def jitter(image, uniforms, brightness=0, contrast=0):
    one = T.ColorJitter(brightness, contrast)
    contrast_first = one.brightness is not None and one.contrast is not None and uniforms.next() < 0.5
    randperm = torch.randperm
    torch.randperm = lambda _: torch.tensor([1, 0, 2, 3] if contrast_first else [0, 1, 2, 3])
    try:
        order, b, c, _, _ = params(uniforms, lambda: one.get_params(one.brightness, one.contrast, None, None))
    finally:
        torch.randperm = randperm
    for each in order:
        if each == 0 and b is not None:
            image = F.adjust_brightness(image, b)
        if each == 1 and c is not None:
            image = F.adjust_contrast(image, c)
    return image


def blur(image, uniforms, kernelSize, sigma):
    one = T.GaussianBlur(kernelSize, sigma)
    drawn = params(uniforms, lambda: one.get_params(*one.sigma))
    return F.gaussian_blur(image, one.kernel_size, [drawn, drawn])


def erasing(image, uniforms, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0):
    """On (x / 255 - 0.5) / 0.25; the box and its values."""
    if uniforms.next() >= p:
        return None
    values = [float(v) for v in value] if isinstance(value, list) else [float(value)]
    top, left, height, width, v = params(uniforms, lambda: T.RandomErasing.get_params(image, scale, ratio, values))
    before = (image / 255 - 0.5) / 0.25
    if height == HEIGHT and width == WIDTH:
        return None
    after = F.erase(before, top, left, height, width, v.float())
    assert (after != before).any() or height * width == 0
    return [top, left, height, width, *after[:, top, left].tolist()]


CASES = {
    "randomRotation": [
        {"degrees": 10},
        {"degrees": 180},
        {"degrees": [90, 90]},
        {"degrees": [-33, -33]},
        {"degrees": 45, "interpolation": "bilinear"},
        {"degrees": [180, 180], "interpolation": "bilinear"},
        {"degrees": 60, "interpolation": "bilinear", "fill": [10, 200, 90]},
        {"degrees": 60, "fill": 128},
        {"degrees": 30, "center": [3, 5]},
        {"degrees": 30, "expand": True, "interpolation": "bilinear", "fill": 7},
        {"degrees": [90, 90], "expand": True},
        {"degrees": 120, "expand": True, "center": [1, 30]},
    ],
    "colorJitter": [
        {"brightness": 0.5},
        {"brightness": [1.5, 2.5]},
        {"contrast": 0.8},
        {"contrast": [1.2, 3]},
        {"brightness": 2, "contrast": 0.9},
        {"brightness": 0.3, "contrast": 0.3},
        {"brightness": 0.6, "contrast": [0, 2]},
        {"brightness": [0, 0]},
        {"contrast": [0, 0]},
    ],
    "gaussianBlur": [
        {"kernelSize": 3, "sigma": (0.1, 2)},
        {"kernelSize": 9, "sigma": (0.1, 2)},
        {"kernelSize": [5, 11], "sigma": (1, 3)},
        {"kernelSize": [37, 37], "sigma": 6.0},
        {"kernelSize": [1, 3], "sigma": 0.2},
    ],
}
MAKERS = {"randomRotation": rotation, "colorJitter": jitter, "gaussianBlur": blur}
rng = np.random.default_rng(7)


def pixel_case(kind, options, image, every):
    uniforms = Uniforms(rng)
    out = MAKERS[kind](image, uniforms, **options)
    kept = out.permute(1, 2, 0).contiguous().numpy().reshape(-1)[::every]
    return {
        "kind": kind,
        "options": options,
        "channels": out.shape[0],
        "uniforms": uniforms.used,
        "height": out.shape[1],
        "width": out.shape[2],
        "bytes": base64.b64encode(kept.tobytes()).decode(),
    }


def pixel_cases():
    for kind, options in CASES.items():
        for each in options:
            for channels in (3, 1):
                yield pixel_case(kind, each, picture(channels), 1)


def large_cases():
    for kind, options in CASES.items():
        for each in options:
            yield pixel_case(kind, each, picture(3, LARGE_HEIGHT, LARGE_WIDTH), SPARSE)


def erasing_cases():
    wide, certain = {"p": 1, "scale": [0.3, 0.9], "ratio": [0.5, 2]}, {"p": 1, "scale": [0.9, 1], "ratio": [2, 3]}
    for each in [{"p": 0.5}, {"p": 0.9, "value": [1.5, -2, 0.25]}, wide, certain] * 6:
        uniforms = Uniforms(rng)
        yield {"options": each, "box": erasing(picture(3), uniforms, **each), "uniforms": uniforms.used}


def draws(count=500):
    """torchvision's own draws, for the distribution."""
    torch.manual_seed(0)
    image = torch.zeros(3, 60, 80)
    boxes = [T.RandomErasing.get_params(image, (0.02, 0.33), (0.3, 3.3), [0.0])[:4] for _ in range(count)]
    rounded = lambda get: [round(float(get()), 4) for _ in range(count)]
    return {
        "angle": rounded(lambda: T.RandomRotation.get_params([-30.0, 10.0])),
        "contrast": rounded(lambda: T.ColorJitter.get_params(None, [0.5, 1.7], None, None)[2]),
        "sigma": rounded(lambda: T.GaussianBlur.get_params(0.1, 2.0)),
        "boxes": [list(map(int, box)) for box in boxes],
    }


data = {
    "madeBy": f"augment_reference.py with torchvision {torchvision.__version__}",
    "height": HEIGHT,
    "width": WIDTH,
    "pixels": list(pixel_cases()),
    "erasings": list(erasing_cases()),
    "draws": draws(),
    "large": {
        "height": LARGE_HEIGHT,
        "width": LARGE_WIDTH,
        "sparse": SPARSE,
        "pixels": list(large_cases()),
    },
}
(Path(__file__).parent / "fixtures" / "augment.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")
