"""Makes files of every image format that is read, and the bytes that Pillow's convert("RGB") makes of them.

    python reference.py    writes reference.json: the files, and beside each its pixels

Needs numpy and Pillow. All images are made up here; the files are built from the numbers below, so that a run gives the
same ones with the same Pillow.
"""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageCms

HEIGHT, WIDTH = 18, 25
rng = np.random.default_rng(8)
y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
GRAY = ((x * 9 + y * 5) % 256).astype(np.uint8)
NOISE = rng.integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
COLOR = np.stack([GRAY, GRAY[::-1], 255 - GRAY // 2], -1)
SMOOTH = np.stack([np.clip(40 + 5 * x + 3 * y, 0, 255)] * 3, -1).astype(np.uint8)
IMAGE = Image.fromarray(COLOR)
PALETTE = IMAGE.quantize(16)
DEEP = (NOISE.astype(np.uint16) << 8) | GRAY


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def with_orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def raw_png(bits, color, rows, *, more=(), interlace=0, width=WIDTH, height=HEIGHT):
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace)
    body = b"".join(b"\0" + bytes(row) for row in rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + b"".join(chunk(*each) for each in more)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )


def packed(values, bits):
    """Samples of fewer than 8 bits, rows padded to bytes."""
    for row in values:
        text = "".join(format(int(v), f"0{bits}b") for v in row)
        yield int(text.ljust((len(text) + 7) // 8 * 8, "0"), 2).to_bytes((len(text) + 7) // 8, "big")


def adam7(values, bytes_each):
    """The seven passes of an interlaced PNG, each row with its filter byte."""
    out = b""
    for top, left, down, across in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        part = values[top::down, left::across]
        if part.size:
            out += b"".join(b"\0" + row.tobytes() for row in part)
    return out


def interlaced_png():
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(adam7(COLOR, 3)))
        + chunk(b"IEND", b"")
    )


def png_files():
    table = b"".join(bytes(((37 * i) % 256, (91 * i) % 256, 255 - i)) for i in range(256))
    for bits in (1, 2, 4):
        values = NOISE >> (8 - bits)
        yield f"gray-{bits}", raw_png(bits, 0, packed(values, bits))
        yield f"palette-{bits}", raw_png(bits, 3, packed(values, bits), more=[(b"PLTE", table[: 3 << bits])])
        yield f"palette-{bits}-trns", raw_png(
            bits, 3, packed(values, bits), more=[(b"PLTE", table[: 3 << bits]), (b"tRNS", bytes([0, 128]))]
        )
        yield f"gray-{bits}-trns", raw_png(bits, 0, packed(values, bits), more=[(b"tRNS", b"\0\1")])
    yield "gray-8", saved(Image.fromarray(NOISE), "PNG")
    yield "gray-8-trns", raw_png(8, 0, NOISE, more=[(b"tRNS", b"\0" + bytes([int(NOISE[0, 0])]))])
    yield "gray-alpha-8", saved(Image.fromarray(np.dstack([GRAY, NOISE]), "LA"), "PNG")
    yield "rgb-8", saved(IMAGE, "PNG")
    yield "rgb-8-trns", saved(IMAGE, "PNG", transparency=(0, 85, 255))
    yield "rgba-8", saved(Image.fromarray(np.dstack([COLOR, NOISE]), "RGBA"), "PNG")
    yield "palette-8", raw_png(8, 3, NOISE, more=[(b"PLTE", table)])
    yield "palette-8-trns", raw_png(8, 3, NOISE, more=[(b"PLTE", table), (b"tRNS", bytes(range(200)))])
    yield "rgb-8-interlaced", interlaced_png()
    yield "rgb-8-icc", saved(
        IMAGE, "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    )
    yield "rgb-8-exif-turned", saved(IMAGE, "PNG", exif=with_orientation(6))
    yield "rgb-8-gamma", raw_png(8, 2, COLOR.reshape(HEIGHT, -1), more=[(b"gAMA", struct.pack(">I", 30000))])


def jpeg_files():
    for sampling in (0, 1, 2):
        yield f"rgb-sampling-{sampling}", saved(IMAGE, "JPEG", quality=88, subsampling=sampling)
    yield "progressive", saved(IMAGE, "JPEG", quality=80, progressive=True)
    yield "gray", saved(Image.fromarray(GRAY), "JPEG", quality=90)
    yield "cmyk", saved(IMAGE.convert("CMYK"), "JPEG", quality=95)
    for turn in (3, 6):
        yield f"exif-turned-{turn}", saved(IMAGE, "JPEG", quality=90, exif=with_orientation(turn))
    yield "icc", saved(
        IMAGE, "JPEG", quality=90, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    )
    yield "rgb-stored", saved(IMAGE, "JPEG", quality=90, keep_rgb=True)
    yield "restart-markers", saved(IMAGE, "JPEG", quality=90, restart_marker_rows=1)
    yield "slice", saved(Image.fromarray(SMOOTH), "JPEG", quality=75)


def webp_files():
    alpha = Image.fromarray(np.dstack([COLOR, NOISE]), "RGBA")
    yield "lossless", saved(IMAGE, "WEBP", lossless=True)
    yield "lossless-alpha", saved(alpha, "WEBP", lossless=True, exact=True)
    yield "lossy", saved(IMAGE, "WEBP", quality=80)
    yield "lossy-alpha", saved(alpha, "WEBP", quality=80)
    yield "exif-turned", saved(IMAGE, "WEBP", lossless=True, exif=with_orientation(6))
    yield "moving", saved(
        IMAGE, "WEBP", lossless=True, save_all=True, append_images=[Image.fromarray(255 - COLOR)], duration=50
    )


def lzw(indices, bits):
    """GIF's compression without compression: a clear code before the table grows."""
    clear, width = 1 << bits, bits + 1
    codes = []
    for i, index in enumerate(indices):
        if i % ((1 << bits) - 2) == 0:
            codes.append(clear)
        codes.append(int(index))
    codes.append(clear + 1)
    value = sum(code << (i * width) for i, code in enumerate(codes))
    data = value.to_bytes((len(codes) * width + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    return bytes([bits]) + blocks + b"\0"


def raw_gif(screen, frame, indices, *, table=None, local=None, transparent=None, background=0, interlaced=False):
    """A GIF of one frame of 16 colors: sizes are (width, height), `frame` begins with left and top."""
    out = b"GIF89a" + struct.pack("<HHBBB", *screen, (0x80 | 3) if table else 0, background, 0) + (table or b"")
    if transparent is not None:
        out += b"!\xf9\x04" + struct.pack("<BHB", 1, 0, transparent) + b"\0"
    out += (
        b"!\xfe\x05hello\0"
        + b","
        + struct.pack("<HHHHB", *frame, (0x83 if local else 0) | (0x40 if interlaced else 0))
        + (local or b"")
    )
    rows = np.asarray(indices)
    if interlaced:
        rows = np.concatenate([rows[0::8], rows[4::8], rows[2::4], rows[1::2]])
    return out + lzw(rows.flatten(), 4) + b";"


def gif_files():
    table = bytes((53 * i + 40) % 256 for i in range(48))
    other = bytes((29 * i + 7) % 256 for i in range(48))
    indices = NOISE >> 4
    whole, part = (0, 0, WIDTH, HEIGHT), (4, 3, 12, 9)
    yield "plain", raw_gif((WIDTH, HEIGHT), whole, indices, table=table)
    yield "saved", saved(PALETTE, "GIF")
    yield "gray", saved(Image.fromarray(GRAY), "GIF")
    yield "transparent", raw_gif((WIDTH, HEIGHT), whole, indices, table=table, transparent=5)
    yield "transparent-local", raw_gif((WIDTH, HEIGHT), whole, indices, table=table, local=other, transparent=5)
    yield "local-alone", raw_gif((WIDTH, HEIGHT), whole, indices, local=other)
    yield "offset", raw_gif((WIDTH, HEIGHT), part, indices[:9, :12], table=table, background=7)
    yield "offset-transparent", raw_gif(
        (WIDTH, HEIGHT), part, indices[:9, :12], table=table, transparent=5, background=7
    )
    yield "offset-local", raw_gif((WIDTH, HEIGHT), part, indices[:9, :12], table=table, local=other, transparent=3)
    yield "interlaced", raw_gif((WIDTH, HEIGHT), whole, indices, table=table, interlaced=True, transparent=2)
    yield "moving", saved(
        PALETTE, "GIF", save_all=True, append_images=[Image.fromarray(255 - COLOR).quantize(16)], duration=50
    )


def tiff_files():
    for turn in range(1, 9):
        yield f"orientation-{turn}", saved(IMAGE, "TIFF", tiffinfo={0x0112: turn})
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "zstd"):
        yield f"rgb-{compression}", saved(IMAGE, "TIFF", compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield f"one-bit-{compression}", saved(Image.fromarray(NOISE > 128), "TIFF", compression=compression)
    yield "one-bit", saved(Image.fromarray(NOISE > 128), "TIFF")
    yield "gray", saved(Image.fromarray(NOISE), "TIFF")
    yield "gray-alpha", saved(Image.fromarray(np.dstack([GRAY, NOISE]), "LA"), "TIFF")
    yield "rgba", saved(Image.fromarray(np.dstack([COLOR, NOISE]), "RGBA"), "TIFF")
    yield "palette", saved(PALETTE, "TIFF")
    yield "cmyk", saved(IMAGE.convert("CMYK"), "TIFF")
    yield "jpeg", saved(IMAGE, "TIFF", compression="jpeg", quality=90)
    yield "ycbcr", saved(IMAGE.convert("YCbCr"), "TIFF", compression="jpeg", quality=90)
    yield "big", saved(IMAGE, "TIFF", big_tiff=True)
    yield "strips", saved(IMAGE, "TIFF", strip_size=200)
    yield "pages", saved(IMAGE, "TIFF", save_all=True, append_images=[Image.fromarray(255 - COLOR)])
    yield "white-is-zero", saved(Image.fromarray(NOISE), "TIFF", tiffinfo={262: 0})
    yield "lab", saved(Image.fromarray(COLOR, "LAB"), "TIFF")


def avif_files():
    for sampling in ("4:4:4", "4:2:2", "4:2:0", "4:0:0"):
        yield f"rgb-{sampling.replace(':', '')}", saved(IMAGE, "AVIF", quality=80, subsampling=sampling)
    yield "slice-420", saved(Image.fromarray(SMOOTH), "AVIF", quality=75, subsampling="4:2:0")
    yield "slice-noise-420", saved(Image.fromarray(np.stack([NOISE] * 3, -1)), "AVIF", quality=75, subsampling="4:2:0")
    yield "slice-444", saved(Image.fromarray(SMOOTH), "AVIF", quality=75, subsampling="4:4:4")
    yield "finest", saved(IMAGE, "AVIF", quality=100, subsampling="4:4:4")
    yield "limited-range", saved(IMAGE, "AVIF", quality=90, subsampling="4:4:4", range="limited")
    yield "alpha", saved(Image.fromarray(np.dstack([COLOR, NOISE]), "RGBA"), "AVIF", quality=80, subsampling="4:4:4")
    for turn in range(2, 9):
        yield f"turned-{turn}", saved(IMAGE, "AVIF", quality=80, subsampling="4:4:4", exif=with_orientation(turn))
    yield "moving", saved(
        IMAGE,
        "AVIF",
        quality=80,
        subsampling="4:4:4",
        save_all=True,
        append_images=[Image.fromarray(255 - COLOR)],
        duration=50,
    )


def bmp(
    bits,
    rows,
    *,
    compression=0,
    table=b"",
    masks=b"",
    down=False,
    header=40,
    width=WIDTH,
    height=HEIGHT,
    stated=None,
    colors=0,
):
    """rows: bytes of each line, in the order of the file."""
    body = b"".join(row + b"\0" * (-len(row) % 4) for row in rows) if compression in (0, 3) else b"".join(rows)
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack(
            "<IiiHHIIiiII",
            header,
            width,
            -height if down else height,
            1,
            bits,
            compression,
            len(body),
            2835,
            2835,
            colors,
            0,
        )
        info = (info + masks).ljust(header, b"\0") if header > 40 else info + masks
    offset = 14 + len(info) + len(table)
    return (
        b"BM"
        + struct.pack("<IHHI", offset + len(body), 0, 0, offset if stated is None else stated)
        + info
        + table
        + body
    )


def bmp_files():
    table = b"".join(bytes(((37 * i) % 256, (91 * i) % 256, 255 - i, 0)) for i in range(256))
    up = NOISE[::-1]
    for bits in (1, 4, 8):
        yield f"palette-{bits}", bmp(bits, packed(up >> (8 - bits), bits), table=table[: 4 << bits])
    yield "palette-8-short", bmp(8, packed(up >> 4, 8), table=table[:64], colors=16)
    yield "os2-palette", bmp(8, packed(up, 8), header=12, table=b"".join(table[i : i + 3] for i in range(0, 1024, 4)))
    yield "os2-rgb", bmp(24, [row.tobytes() for row in COLOR[::-1, :, ::-1]], header=12)
    yield "gray-8", saved(Image.fromarray(NOISE), "BMP")
    yield "one-bit", saved(Image.fromarray(NOISE > 128), "BMP")
    yield "rgb-24", saved(IMAGE, "BMP")
    yield "rgb-24-down", bmp(24, [row.tobytes() for row in COLOR[:, :, ::-1]], down=True)
    yield "rgba-32", saved(Image.fromarray(np.dstack([COLOR, NOISE]), "RGBA"), "BMP")
    four = np.dstack([COLOR[:, :, ::-1], NOISE])[::-1]
    yield "rgb-32", bmp(32, [row.tobytes() for row in four])
    deep = (DEEP & 0x7FFF)[::-1].astype("<u2")
    yield "rgb-16", bmp(16, [row.tobytes() for row in deep])
    for name, masks in (("565", (0xF800, 0x7E0, 0x1F)), ("555", (0x7C00, 0x3E0, 0x1F))):
        yield f"rgb-16-{name}", bmp(
            16, [row.tobytes() for row in DEEP[::-1].astype("<u2")], compression=3, masks=struct.pack("<III", *masks)
        )
    for name, masks in (
        ("bgrx", (0xFF0000, 0xFF00, 0xFF, 0)),
        ("xbgr", (0xFF000000, 0xFF0000, 0xFF00, 0)),
        ("rgba", (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
        ("none", (0, 0, 0, 0)),
    ):
        yield f"rgb-32-{name}-v4", bmp(
            32, [row.tobytes() for row in four], compression=3, header=108, masks=struct.pack("<IIII", *masks)
        )
    yield "no-offset", bmp(8, packed(up, 8), table=table, stated=54)
    run8 = [b"".join(bytes([1, int(v)]) for v in row) + b"\0\0" for row in up[:-1]] + [
        b"\0" + bytes([WIDTH]) + up[-1].tobytes() + b"\0" * (WIDTH % 2) + b"\0\1"
    ]
    yield "rle8", bmp(8, run8, compression=1, table=table)
    run4 = [b"".join(bytes([n, int(row[0])]) for n in (10, 15)) + b"\0\0" for row in up]
    yield "rle4", bmp(4, run4, compression=2, table=table[:64])
    yield "rle8-jump", bmp(
        8, [b"\5\7\0\2\3\2" + bytes([WIDTH - 8, 9]) + b"\0\0"] + run8[3:], compression=1, table=table
    )


def pnm_files():
    bits = [row for row in packed(NOISE > 128, 1)]
    size = f"{WIDTH} {HEIGHT}\n".encode()
    yield "p1", b"P1\n# drawn\n" + size + b"\n".join("".join(str(int(v)) for v in row).encode() for row in NOISE > 128)
    yield "p2", b"P2\n" + size + b"255\n" + b"\n".join(" ".join(map(str, row)).encode() for row in NOISE) + b"\n"
    yield "p2-15", b"P2\n" + size + b"15\n" + b"\n".join(
        " ".join(map(str, row)).encode() + b" # a row" for row in NOISE >> 4
    ) + b"\n"
    yield "p3", b"P3 " + size + b"255\n" + b"\n".join(
        " ".join(map(str, row.flatten())).encode() for row in COLOR
    ) + b"\n"
    yield "p4", b"P4\n" + size + b"".join(bits)
    yield "p5", saved(Image.fromarray(NOISE), "PPM")
    yield "p5-100", b"P5\n" + size + b"100\n" + (NOISE // 3).astype(np.uint8).tobytes()
    yield "p6", b"P6\n# one\n" + size + b"# two\n255\n" + COLOR.tobytes()
    yield "p6-7", b"P6 " + size + b"7 " + (COLOR >> 5).tobytes()


def text(data):
    return base64.b64encode(data).decode()


def measured(kind, name, data):
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    return {
        "format": kind,
        "name": f"{kind}: {name}",
        "bytes": text(data),
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "rgb": text(zlib.compress(pixels.tobytes(), 9)),
    }


def main():
    kinds = {
        "png": png_files,
        "jpeg": jpeg_files,
        "webp": webp_files,
        "gif": gif_files,
        "tiff": tiff_files,
        "avif": avif_files,
        "bmp": bmp_files,
        "pnm": pnm_files,
    }
    files = [measured(kind, name, data) for kind, make in kinds.items() for name, data in make()]
    text_of_all = json.dumps({"pillow": PIL.__version__, "files": files}, indent=0, separators=(",", ":"))
    (Path(__file__).parent / "reference.json").write_text(text_of_all + "\n")


main()
