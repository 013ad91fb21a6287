/** Images in memory: a Blob or File, and pixels that the application has decoded. */
import { types } from 'node:util';
import type { DecodeOptions } from './options';
import { raceAbort } from '../abort';
import { decodeWithin } from './decode';
import { Refusal } from './refusal';
import type { Pixels, PixelSource } from '../types';

/** Decoded pixels, 8 bits, row-major. */
export interface RawPixels {
  /** height × width × channels bytes. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  /** 1 (gray), 3 (RGB) or 4 (RGB and alpha, which is dropped); inferred from the number of bytes by default. */
  readonly channels?: 1 | 3 | 4;
}

/** An encoded file as a Blob; messages use the name of a File. */
export class BlobSource implements PixelSource {
  readonly name: string;
  readonly resize = null;
  /** Bytes that it holds in memory. */
  readonly bytes: number;
  readonly #blob: Blob;

  constructor(blob: Blob) {
    this.#blob = blob;
    this.bytes = blob.size;
    const { name } = blob as { name?: unknown };
    this.name = typeof name === 'string' && name !== '' ? name : `(Blob of ${blob.size} bytes)`;
  }

  async readPixels(signal?: AbortSignal, options: DecodeOptions = {}): Promise<Pixels> {
    const { maxFileBytes } = options;
    if (maxFileBytes !== undefined && this.#blob.size > maxFileBytes)
      throw new Refusal(`it has ${this.#blob.size} bytes, more than maxFileBytes ${maxFileBytes}`);
    const bytes = await raceAbort(
      this.#blob.arrayBuffer().catch((error: unknown) => {
        throw new Refusal('it cannot be read', { cause: error });
      }),
      signal,
    );
    return decodeWithin(new Uint8Array(bytes), { ...options, signal });
  }
}

/** Whether an object has the properties of raw pixels. */
export function isRawPixels(value: object): value is RawPixels {
  return 'data' in value && 'width' in value && 'height' in value;
}

/** Raw pixels as a source. */
export class RawSource implements PixelSource {
  readonly name: string;
  readonly resize = null;
  /** Bytes that it holds in memory. */
  readonly bytes: number;
  readonly #pixels: Required<RawPixels>;

  /** @param refuse throws, with what was expected */
  constructor({ data, width, height, channels }: RawPixels, refuse: (message: string) => never) {
    for (const [key, side] of [
      ['width', width],
      ['height', height],
    ] as const) {
      if (!Number.isSafeInteger(side) || side < 1) refuse(`${key}: expected a whole number of pixels, at least 1`);
    }
    if (!types.isUint8Array(data) && !types.isUint8ClampedArray(data))
      refuse('data: expected 8 bits a sample in a Uint8Array, Uint8ClampedArray or Buffer');
    const area = width * height;
    const count = channels ?? ([1, 3, 4] as const).find((each) => data.length === area * each);
    if ((count !== 1 && count !== 3 && count !== 4) || data.length !== area * count) {
      refuse(
        `data: expected height x width x channels bytes with 1, 3 or 4 channels; got ${data.length} bytes ` +
          `for ${height} x ${width}${channels === undefined ? '' : ` x ${String(channels)}`}`,
      );
    }
    this.#pixels = { data, width, height, channels: count };
    this.bytes = data.byteLength;
    this.name = `(pixels, ${width} x ${height})`;
  }

  readPixels(_signal?: AbortSignal, { maxPixels }: DecodeOptions = {}): Promise<Pixels> {
    const { data, width, height, channels } = this.#pixels;
    if (maxPixels !== undefined && width * height > maxPixels)
      return Promise.reject(new Refusal(`it has ${width} x ${height} pixels, more than maxPixels ${maxPixels}`));
    return Promise.resolve({
      data: channels === 3 ? new Uint8Array(data.buffer, data.byteOffset, data.length) : toRgb(data, channels),
      width,
      height,
    });
  }
}

function toRgb(data: Uint8Array | Uint8ClampedArray, channels: 1 | 4): Uint8Array {
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let from = 0, to = 0; from < data.length; from += channels, to += 3) {
    rgb[to] = data[from]!;
    rgb[to + 1] = data[channels === 1 ? from : from + 1]!;
    rgb[to + 2] = data[channels === 1 ? from : from + 2]!;
  }
  return rgb;
}
