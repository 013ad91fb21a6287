/** Finds the columns of a table: as the caller chooses them, or by an unambiguous name. */

/** The caller's choice of columns. */
export interface ColumnChoice {
  readonly pathColumn?: string | undefined;
  readonly labelColumn?: string | undefined;
  readonly splitColumn?: string | undefined;
  readonly groupColumn?: string | undefined;
}

/** The columns in use; split and group are optional. */
export interface Columns {
  readonly path: string;
  readonly label: string;
  readonly split: string | undefined;
  readonly group: string | undefined;
}

type Purpose = keyof Columns;

/** Unambiguous column names, in lower case and without punctuation. */
const NAMES: Readonly<Record<Purpose, readonly string[]>> = {
  path: [
    'path',
    'paths',
    'file',
    'filename',
    'filepath',
    'image',
    'imagepath',
    'imagefile',
    'imagename',
    'imagefilename',
    'img',
    'imgpath',
    'imgname',
    'imgfile',
  ],
  label: ['label', 'labels', 'class', 'classname', 'target', 'category', 'diagnosis'],
  split: ['split', 'subset', 'partition'],
  group: ['patient', 'patientid', 'subject', 'subjectid', 'group', 'groupid'],
};

const WORDS: Readonly<Record<Purpose, readonly [what: string, option: string, flag: string]>> = {
  path: ['the paths of the images', 'pathColumn', '--path-column'],
  label: ['the labels', 'labelColumn', '--label-column'],
  split: ['the splits', 'splitColumn', '--split-column'],
  group: ['the groups', 'groupColumn', '--group-column'],
};

/** The columns of a table, problems with the choice, and what was inferred. */
export interface FoundColumns {
  /** Null when there are problems. */
  readonly columns: Columns | null;
  readonly problems: readonly string[];
  readonly notes: readonly string[];
  /** Whether the group column was inferred. */
  readonly groupGuessed: boolean;
}

/** Finds the columns; inferred ones are in `notes`, missing or ambiguous ones are problems. */
export function findColumns(there: readonly string[], choice: ColumnChoice): FoundColumns {
  const problems: string[] = [];
  const guessed: string[] = [];
  const find = (purpose: Purpose, asked: string | undefined): string | undefined => {
    const [what, option, flag] = WORDS[purpose];
    if (asked !== undefined) {
      if (!there.includes(asked)) problems.push(`no column "${asked}" (${option}, ${flag})`);
      return asked;
    }
    const fit = there.filter((name) => NAMES[purpose].includes(name.toLowerCase().replace(/[^a-z0-9]/g, '')));
    if (fit.length === 1) {
      guessed.push(`${what} from "${fit[0]}"`);
      return fit[0];
    }
    if (fit.length > 1)
      problems.push(
        `${fit.map((name) => `"${name}"`).join(' and ')} may hold ${what}: say which with ${option} (${flag})`,
      );
    else if (purpose === 'path' || purpose === 'label')
      problems.push(`which column holds ${what}? Say it with ${option} (${flag})`);
    return undefined;
  };
  const path = find('path', choice.pathColumn);
  const label = find('label', choice.labelColumn);
  const split = find('split', choice.splitColumn);
  const group = find('group', choice.groupColumn);
  const notes = guessed.length === 0 ? [] : [`guessed by the names of the columns: ${guessed.join(', ')}`];
  const columns =
    problems.length > 0 || path === undefined || label === undefined ? null : { path, label, split, group };
  return { columns, problems, notes, groupGuessed: group !== undefined && choice.groupColumn === undefined };
}
