/** Small pieces of HTML. Everything that goes in as text is escaped here and nowhere else. */
import type { Chart } from './chart-style';
import { escapeXml } from './escape';

/** HTML that is already safe. */
export interface Html {
  readonly html: string;
}

/** A cell: text, or a number, aligned to the right. */
export type Cell = string | { readonly text: string; readonly kind: 'number' | 'path' | 'value' };

/** Text as HTML. */
export function text(value: string): Html {
  return { html: escapeXml(value) };
}

/** Pieces one after another. */
export function join(parts: readonly Html[]): Html {
  return { html: parts.map((part) => part.html).join('\n') };
}

/** An element around text or pieces; `attributes` are written by this library, never by a user. */
export function element(tag: string, content: string | Html | readonly Html[], attributes = ''): Html {
  const inner =
    typeof content === 'string'
      ? text(content)
      : Array.isArray(content)
        ? join(content as readonly Html[])
        : (content as Html);
  return { html: `<${tag}${attributes === '' ? '' : ` ${attributes}`}>${inner.html}</${tag}>` };
}

/** A part of the report under a heading; nothing when there is nothing in it. */
export function section(heading: string, parts: readonly (Html | null)[]): Html {
  const there = parts.filter((part) => part !== null);
  return there.length === 0 ? text('') : element('section', [element('h2', heading), ...there]);
}

function cell(tag: 'td' | 'th', content: Cell, scope = ''): Html {
  if (typeof content === 'string') return element(tag, content, scope);
  return element(tag, content.text, `class="${content.kind}"${scope === '' ? '' : ` ${scope}`}`);
}

/** A table; the first cell of each row is its heading. */
export function table(caption: string, head: readonly Cell[], rows: readonly (readonly Cell[])[]): Html {
  const headRow =
    head.length === 0
      ? []
      : [
          element(
            'thead',
            element(
              'tr',
              head.map((content) => cell('th', content, 'scope="col"')),
            ),
          ),
        ];
  const body = element(
    'tbody',
    rows.map((row) =>
      element(
        'tr',
        row.map((content, index) => (index === 0 ? cell('th', content, 'scope="row"') : cell('td', content))),
      ),
    ),
  );
  return element(
    'div',
    element('table', [...(caption === '' ? [] : [element('caption', caption)]), ...headRow, body]),
    'class="scroll"',
  );
}

/** A chart as inline SVG; its ids are made different from those of the same chart elsewhere in the page by `prefix`. */
export function chartFigure(chart: Chart, prefix: string, caption: string, kind = ''): Html {
  const svg = chart.svg
    .replace(/<\?xml[^>]*\?>\s*/, '')
    .replaceAll(`${chart.name}-`, `${prefix}-${chart.name}-`)
    .replace('<svg ', `<svg role="img" aria-label="${escapeXml(chart.title)}" `);
  return element(
    'figure',
    [{ html: svg }, ...(caption === '' ? [] : [element('figcaption', caption)])],
    `class="chart ${kind}"`,
  );
}

/** A PNG inside the page. */
export function pictureFigure(png: Uint8Array, alternative: string, caption: string): Html {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString('base64');
  return element(
    'figure',
    [
      { html: `<img alt="${escapeXml(alternative)}" src="data:image/png;base64,${bytes}">` },
      element('figcaption', caption),
    ],
    'class="montage"',
  );
}
