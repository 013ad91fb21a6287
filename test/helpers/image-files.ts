/** Image files built byte by byte, honest or not. */
import { crc32, deflateSync } from 'node:zlib';

function chunk(name: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(name, 4, 'latin1');
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, data.length + 8)), data.length + 8);
  return out;
}

/** A PNG of one channel. `rows`: how many of them there are, all of them by default; `samples`: their values, or 0. */
export function rawPng({
  width,
  height,
  bits = 8,
  rows = height,
  samples,
}: {
  width: number;
  height: number;
  bits?: 8 | 16;
  rows?: number;
  samples?: ArrayLike<number>;
}): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = bits;
  const stride = 1 + width * (bits / 8);
  const body = Buffer.alloc(stride * rows);
  for (let i = 0; samples !== undefined && i < samples.length; i += 1) {
    const at = Math.floor(i / width) * stride + 1 + (i % width) * (bits / 8);
    if (bits === 16) body.writeUInt16BE(samples[i]!, at);
    else body[at] = samples[i]!;
  }
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(body, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** An uncompressed gray TIFF of 16 bits. `format`: 1 unsigned, 2 signed. */
export function rawTiff16({
  width,
  height,
  samples,
  format = 1,
}: {
  width: number;
  height: number;
  samples: ArrayLike<number>;
  format?: 1 | 2;
}): Buffer {
  const entries = [
    [256, 3, width],
    [257, 3, height],
    [258, 3, 16],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 8],
    [277, 3, 1],
    [278, 3, height],
    [279, 4, width * height * 2],
    [339, 3, format],
  ];
  const directory = 8 + width * height * 2;
  const out = Buffer.alloc(directory + 6 + entries.length * 12);
  out.write('II*\0', 'latin1');
  out.writeUInt32LE(directory, 4);
  for (let i = 0; i < samples.length; i += 1) out.writeUInt16LE(samples[i]! & 0xffff, 8 + 2 * i);
  out.writeUInt16LE(entries.length, directory);
  entries.forEach(([tag, type, value], i) => {
    const at = directory + 2 + 12 * i;
    out.writeUInt16LE(tag!, at);
    out.writeUInt16LE(type!, at + 2);
    out.writeUInt32LE(1, at + 4);
    out.writeUInt32LE(value!, at + 8);
  });
  return out;
}

/** A raw PGM of 16 bits. */
export function rawPgm16({
  width,
  height,
  samples,
  maxval = 65_535,
}: {
  width: number;
  height: number;
  samples: ArrayLike<number>;
  maxval?: number;
}): Buffer {
  const body = Buffer.alloc(width * height * 2);
  for (let i = 0; i < samples.length; i += 1) body.writeUInt16BE(samples[i]!, 2 * i);
  return Buffer.concat([Buffer.from(`P5\n${width} ${height}\n${maxval}\n`), body]);
}
