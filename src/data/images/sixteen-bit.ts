/** Converts 16-bit samples to 8 bits, and refuses images that would become black unintentionally. */
import { setImmediate } from 'node:timers/promises';
import type { SixteenBit } from './options';
import { Refusal } from './refusal';

/** Samples that are processed before the event loop gets a turn: a few milliseconds. */
const SLICE = 4_000_000;

/** Calls `work` for one slice after another and yields to the event loop in between. */
export async function inSlices(length: number, work: (from: number, to: number) => void, slice = SLICE): Promise<void> {
  for (let from = 0; from < length; from += slice) {
    if (from > 0) await setImmediate();
    work(from, Math.min(length, from + slice));
  }
}

/** Suggests a range, e.g. `{ low: 0, high: 4095 }` for a maximum below 4096. */
function likelyRange(most: number): SixteenBit {
  return { low: 0, high: 2 ** Math.max(1, Math.ceil(Math.log2(most + 1))) - 1 };
}

async function checkBitsInUse(samples: Uint16Array, white: number): Promise<void> {
  let [least, most] = [white, 0];
  await inSlices(samples.length, (from, to) => {
    for (let i = from; i < to; i += 1) {
      const value = samples[i]!;
      if (value < least) least = value;
      if (value > most) most = value;
    }
  });
  if ((most - least) * 8 > white) return;
  const { low, high } = likelyRange(most);
  throw new Refusal(
    `its 16-bit samples use the values ${least} to ${most} of 0 ` +
      `to ${white}, less than an eighth, so that it would come out ` +
      'without contrast; say which values are black and white, e.g. sixteenBit: ' +
      `{ low: ${low}, high: ${high} } (--sixteen-bit ${low}:${high})`,
  );
}

/**
 * Scales 16-bit samples to bytes: `floor((v - low) * 256 / (high - low + 1))`, clipped to [0, 255]; for the full range
 * that is the high byte.
 *
 * @param white the maximum value of the format, 65535 or what the file declares
 * @param sixteenBit the values of black and white; without it they are 0 and `white`
 * @throws Refusal without `sixteenBit`, where less than an eighth of the range is in use
 */
export async function toEightBits(
  samples: Uint16Array,
  white: number,
  sixteenBit: SixteenBit | undefined,
): Promise<Uint8Array> {
  if (sixteenBit === undefined) await checkBitsInUse(samples, white);
  const { low, high } = sixteenBit ?? { low: 0, high: white };
  const levels = Uint8ClampedArray.from({ length: 0x1_0000 }, (_, value) =>
    Math.floor(((value - low) * 256) / (high - low + 1)),
  );
  const bytes = new Uint8Array(samples.length);
  await inSlices(samples.length, (from, to) => {
    for (let i = from; i < to; i += 1) bytes[i] = levels[samples[i]!]!;
  });
  return bytes;
}
