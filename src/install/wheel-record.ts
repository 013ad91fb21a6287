/** Checks what was unpacked of a wheel against the wheel's own RECORD: a SHA-256 for each of its files. */
import { parse } from 'csv-parse/sync';
import { CovidCtError, messageOf, throwIfAborted } from '../errors';
import { sha256Of } from '../files/download';

/** The name of a wheel's RECORD: `torch-2.13.0+cpu.dist-info/RECORD`. */
export const RECORD_NAME = /^[^/]+\.dist-info\/RECORD$/;

/** RECORD's rows: name in the wheel, and `sha256=` with the digest in unpadded base64 of URLs. */
function digestsOf(wheel: string, record: string): Map<string, string> {
  try {
    const rows = parse(record, { relax_column_count: true, skip_empty_lines: true });
    return new Map(rows.map(([name = '', digest = '']) => [name, digest]));
  } catch (error) {
    throw new CovidCtError('ERR_BAD_ARCHIVE', `${wheel}: its RECORD cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Reads every file that was unpacked and compares its digest.
 *
 * @param wheel for messages
 * @param record the text of RECORD
 * @param files name in the wheel -> where it lies now
 * @throws CovidCtError ERR_BAD_ARCHIVE naming the first file that is not listed or differs
 */
export async function checkRecord(
  wheel: string,
  record: string,
  files: ReadonlyMap<string, string>,
  signal?: AbortSignal,
): Promise<void> {
  const digests = digestsOf(wheel, record);
  for (const [name, file] of files) {
    throwIfAborted(signal);
    const expected = digests.get(name);
    if (expected === undefined || !expected.startsWith('sha256=')) {
      throw new CovidCtError('ERR_BAD_ARCHIVE', `${wheel}: its RECORD has no SHA-256 of "${name}"`);
    }
    const actual = `sha256=${Buffer.from(await sha256Of(file), 'hex').toString('base64url')}`;
    if (actual !== expected) {
      throw new CovidCtError(
        'ERR_BAD_ARCHIVE',
        `${wheel}: "${name}" is not what its RECORD says: expected ${expected}, got ${actual}`,
      );
    }
  }
}
