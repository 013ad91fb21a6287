/** Which column of a table holds what: as the caller says, or by a name that leaves no doubt. */

/** What is wanted of a table. */
export interface ColumnChoice {
  readonly pathColumn?: string | undefined;
  readonly labelColumn?: string | undefined;
  readonly splitColumn?: string | undefined;
  readonly groupColumn?: string | undefined;
}

/** The columns in use; a split and a group need not be there. */
export interface Columns {
  readonly path: string;
  readonly label: string;
  readonly split: string | undefined;
  readonly group: string | undefined;
}

type Purpose = keyof Columns;

/** Names that mean one thing, in small letters and without signs. */
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

/** The columns of a table, what is wrong with the choice, and what was guessed. */
export interface FoundColumns {
  /** Null where there are problems. */
  readonly columns: Columns | null;
  readonly problems: readonly string[];
  readonly notes: readonly string[];
  /** Whether the group was guessed. */
  readonly groupGuessed: boolean;
}

/** Finds the columns; what was guessed is in `notes`, what cannot be is a problem. */
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
