/**
 * Pictures in and out for reports: SVG to PNG, overlays, montages with
 * captions. Beside data/decode the one user of sharp.
 */
import sharp from 'sharp';
import { z } from 'zod';
import type { Pixels } from '../data/types';
import { CovidCtError, messageOf } from '../errors';
import { faultless, isObject, listFault, textSchema } from '../options/atoms';
import { pixelsFault, pixelsSchema } from '../data/schemas';
import { checkArgument, checkOptions } from '../options/check';
import { captionedMontageSchema } from './options';
import type { CaptionedMontageOptions } from './options';
import { FONT_FAMILY } from './chart-style';
import { escapeXml } from './escape';
import { blendHeat } from './heat';
import type { HeatInput } from './heat';

export type { HeatInput, Region } from './heat';

const GAP = 6;
const CAPTION_LINE = 18;
const CAPTION_SIZE = 13;

/** A picture of a montage and what stands under it. */
export interface Tile {
  readonly pixels: Pixels;
  /** One line, or several with line breaks between; of what is too long for the tile the middle is cut. */
  readonly caption?: string;
}

const svgOptionsSchema = z.strictObject({ width: z.int().min(1).max(16_384) });

const tilesSchema = faultless<readonly Tile[]>((value) =>
  listFault(value, 'tiles', (tile) => {
    if (!isObject(tile)) return { path: [], message: 'expected a tile: { pixels, caption }' };
    if (tile['caption'] !== undefined && typeof tile['caption'] !== 'string')
      return { path: ['caption'], message: 'expected a text' };
    const fault = pixelsFault(tile['pixels']);
    return fault === null ? null : { path: ['pixels', ...fault.path], message: fault.message };
  }),
);

async function drawing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof CovidCtError
      ? error
      : new CovidCtError('ERR_BAD_IMAGE', `${what} failed: ${messageOf(error)}`, { cause: error });
  }
}

function raw({ data, width, height }: Pixels): sharp.Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/**
 * A PNG file of the pixels.
 *
 * @throws InvalidOptionError when width, height and bytes do not fit together
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { encodeImage } from 'covidct-torch/report';
 *
 * const gray = { data: new Uint8Array(64 * 64 * 3).fill(128), width: 64, height: 64 };
 * await writeFile('gray.png', await encodeImage(gray));
 * ```
 */
export async function encodeImage(pixels: Pixels): Promise<Uint8Array> {
  checkArgument(pixelsSchema, pixels, 'encodeImage', 'pixels');
  return drawing('encoding a PNG', () => raw(pixels).png({ compressionLevel: 9, adaptiveFiltering: true }).toBuffer());
}

/**
 * An SVG drawn as PNG, at the resolution that the width asks for. Letters come from the machine's fonts: see
 * {@link textIsDrawn}.
 *
 * @param options
 *   - `width`: in pixels
 * @returns the PNG file and its size
 * @throws CovidCtError ERR_BAD_IMAGE when the SVG is not valid
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { lossCurve, svgToPng } from 'covidct-torch/report';
 *
 * const { png, width, height } = await svgToPng(lossCurve([]).svg, { width: 800 });
 * await writeFile('loss.png', png);
 * console.log(width, height);
 * ```
 */
export async function svgToPng(
  svg: string,
  options: { readonly width: number },
): Promise<{ png: Uint8Array; width: number; height: number }> {
  checkArgument(textSchema, svg, 'svgToPng', 'svg');
  const { width: wanted } = checkOptions(svgOptionsSchema, options, 'svgToPng');
  return drawing('drawing an SVG', async () => {
    const bytes = Buffer.from(svg, 'utf8');
    const { width: natural } = await sharp(bytes).metadata();
    const density = Math.min(2400, Math.max(1, (72 * wanted) / natural));
    const { data, info } = await sharp(bytes, { density })
      .resize({ width: wanted })
      .flatten({ background: '#ffffff' })
      .png({ compressionLevel: 9 })
      .toBuffer({ resolveWithObject: true });
    return { png: data, width: info.width, height: info.height };
  });
}

let textDrawn: Promise<boolean> | null = null;

/**
 * Whether letters appear in pictures on this machine. Without any font installed (as in small containers) they do not,
 * and PNG charts and captions stay without words; SVG files and the HTML report are not touched by that. The remedy is
 * a font package, e.g. `fonts-dejavu-core`.
 *
 * @example
 * ```ts
 * import { textIsDrawn } from 'covidct-torch/report';
 *
 * if (!(await textIsDrawn())) console.log('install a font package, e.g. fonts-dejavu-core');
 * ```
 */
export function textIsDrawn(): Promise<boolean> {
  textDrawn ??= drawing('looking for a font', async () => {
    const draw = (text: string): Promise<Buffer> =>
      sharp(
        Buffer.from(
          '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"><text x="4" ' +
            `y="30" font-family="${FONT_FAMILY}" font-size="26">${text}</text></svg>`,
        ),
      )
        .raw()
        .toBuffer();
    // Two texts: where every letter is missing, both show nothing or the same empty boxes.
    const [one, other] = await Promise.all([draw('Hgx'), draw('ilW')]);
    return !one.equals(other);
  });
  return textDrawn;
}

/**
 * The image with its Grad-CAM map over it, in the image's own size. The map is divided by its maximum (a map of zeros
 * leaves the image as it is), resized bilinearly into `region` and blended in proportion to its heat.
 *
 * @returns RGB, uint8
 * @throws CovidCtError ERR_BAD_BATCH when lengths do not fit or a value is not finite or negative; InvalidOptionError
 */
export function heatOverlay(input: HeatInput): Promise<Pixels> {
  return Promise.resolve().then(() => blendHeat(input));
}

function fit(text: string, width: number): string {
  // Without measuring: letters of a sans-serif font are a little over half as wide as high, on average.
  const letters = Math.floor(width / (CAPTION_SIZE * 0.56));
  const all = [...text];
  if (all.length <= letters) return text;
  // File names differ at their end, so the middle goes.
  const tail = Math.floor((letters - 1) / 2);
  return `${all.slice(0, letters - 1 - tail).join('')}…${all.slice(-tail).join('')}`;
}

function captionSvg(lines: readonly string[], width: number, height: number): Buffer {
  const texts = lines.map(
    (line, index) =>
      `<text x="${width / 2}" y="${(index + 1) * CAPTION_LINE - 4}" ` +
      `text-anchor="middle">${escapeXml(fit(line, width))}</text>`,
  );
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
      `font-family="${FONT_FAMILY}" font-size="${CAPTION_SIZE}" fill="#1d232b">${texts.join('')}</svg>`,
  );
}

/**
 * Lays pictures out row by row on white, each fitted whole into a square tile on black, with its caption below.
 *
 * @param options
 *   - `columns`: tiles in a row, default 5; fewer when there are fewer tiles
 *   - `tileSize`: side of a tile in pixels, default 224
 * @returns RGB, uint8
 * @throws CovidCtError ERR_BAD_IMAGE when there is no tile; InvalidOptionError
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { decodeImage } from 'covidct-torch';
 * import { encodeImage, montage } from 'covidct-torch/report';
 *
 * const tiles = await Promise.all(['a.png', 'b.png'].map(async (file) => ({ pixels: await decodeImage(file), caption:
 * file }))); await writeFile('both.png', await encodeImage(await montage(tiles, { columns: 2, tileSize: 160 })));
 * ```
 */
export async function montage(tiles: readonly Tile[], options: CaptionedMontageOptions = {}): Promise<Pixels> {
  checkArgument(tilesSchema, tiles, 'montage', 'tiles');
  const { columns, tileSize } = checkOptions(captionedMontageSchema, options, 'montage');
  return drawing('laying out a montage', async () => {
    if (tiles.length === 0) throw new CovidCtError('ERR_BAD_IMAGE', 'montage: at least one tile is needed, got none');
    const captions = tiles.map(({ caption }) =>
      caption === undefined || caption === '' ? [] : caption.split(/\r?\n/),
    );
    const captionHeight = Math.max(...captions.map((lines) => lines.length)) * CAPTION_LINE;
    const across = Math.min(columns, tiles.length);
    const down = Math.ceil(tiles.length / across);
    const parts: sharp.OverlayOptions[] = [];
    for (const [index, { pixels }] of tiles.entries()) {
      const left = GAP + (index % across) * (tileSize + GAP);
      const top = GAP + Math.floor(index / across) * (tileSize + captionHeight + GAP);
      const fitted = await raw(pixels)
        .resize({ width: tileSize, height: tileSize, fit: 'contain', background: '#000000' })
        .png({ compressionLevel: 0 })
        .toBuffer();
      parts.push({ input: fitted, left, top });
      if (captions[index]!.length > 0)
        parts.push({ input: captionSvg(captions[index]!, tileSize, captionHeight), left, top: top + tileSize });
    }
    const { data, info } = await sharp({
      create: {
        width: across * (tileSize + GAP) + GAP,
        height: down * (tileSize + captionHeight + GAP) + GAP,
        channels: 3,
        background: '#ffffff',
      },
    })
      .composite(parts)
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width: info.width, height: info.height };
  });
}
