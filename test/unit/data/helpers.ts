/** Folders and zip files for the tests of the data room; all images are made up. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { grayPng } from '../../helpers/images';

const made: string[] = [];

/** A new folder that `removeFolders` takes away. */
export function newFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'covidct-data-'));
  made.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export function writeAt(root: string, name: string, content: string | Uint8Array): string {
  const file = path.join(root, ...name.split('/'));
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

export interface ZipEntry {
  readonly name: string;
  readonly content?: Uint8Array;
  /** Unix mode, e.g. 0o120777 for a link. */
  readonly mode?: number;
  /** What the headers claim, where they lie. */
  readonly claimedSize?: number;
  readonly claimedCrc?: number;
  readonly flags?: number;
}

/** A zip file as bytes, honest or not: the real writers refuse to make the bad ones. */
export function makeZip(entries: readonly ZipEntry[]): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content = Buffer.alloc(0), mode = 0o100644, claimedSize, claimedCrc, flags = 0 } of entries) {
    const packed = deflateRawSync(content);
    const label = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800 | flags, 2); // names are UTF-8
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(claimedCrc ?? crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(claimedSize ?? content.length, 18);
    common.writeUInt16LE(label.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, label, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, rest, label]));
    bodies.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, central, end]);
}

/** Names of a small COVID-CT: what the real lists have to offer in the way of signs. */
export const NAMES = {
  COVID: {
    train: ['2020.02.10-p6-52%0.png', 'a paper, with [brackets] (1).png'],
    val: ['kjr-21-e24-p5-29.png'],
    test: ['Ni2020_Articlé-p3.png'],
  },
  NonCOVID: { train: ['71%0.jpg', '1.jpg'], val: ['2.jpg'], test: ['3 4.jpg'] },
} as const;

export interface CovidCtChanges {
  /** Image files by class instead of those of the lists. */
  readonly images?: Partial<Record<'COVID' | 'NonCOVID', readonly string[]>>;
  /** Raw text of lists, by `train` + class. */
  readonly lists?: Readonly<Record<string, string | null>>;
  /** Classes whose images are packed. */
  readonly zipped?: readonly string[];
}

/** Writes a small data set in the layout of COVID-CT. */
export async function writeCovidCt(
  root: string,
  { images = {}, lists = {}, zipped = [] }: CovidCtChanges = {},
): Promise<void> {
  const png = await grayPng(90);
  for (const name of ['COVID', 'NonCOVID'] as const) {
    for (const split of ['train', 'val', 'test'] as const) {
      const text = lists[`${split}${name}`];
      if (text !== null)
        writeAt(root, `Data-split/${name}/${split}CT_${name}.txt`, text ?? `${NAMES[name][split].join('\n')}\n`);
    }
    const files = images[name] ?? Object.values(NAMES[name]).flat();
    mkdirSync(path.join(root, 'Images-processed'), { recursive: true });
    if (zipped.includes(name)) {
      const entries = files.map((file) => ({ name: `CT_${name}/${file}`, content: png }));
      writeAt(
        root,
        `Images-processed/CT_${name}.zip`,
        makeZip([
          { name: `CT_${name}/`, mode: 0o040755 },
          { name: `__MACOSX/CT_${name}/._x`, content: Buffer.from('x') },
          ...entries,
        ]),
      );
    } else for (const file of files) writeAt(root, `Images-processed/CT_${name}/${file}`, png);
  }
}
