/** The report's style sheet: paper and screen, light and dark, wide and narrow. */
import { PALETTE } from './chart-style';

/** In the dark each color of the charts has a counterpart; presentation attributes give way to these rules. */
const DARK: Readonly<Record<string, string>> = {
  [PALETTE.ink]: '#e4e7eb',
  [PALETTE.muted]: '#a3adb8',
  [PALETTE.grid]: '#333b45',
  [PALETTE.paper]: '#1b2027',
  [PALETTE.first]: '#6ea8e0',
  [PALETTE.second]: '#e58a5c',
  '#3f7d4e': '#79bd8a',
  '#7a4d8c': '#bd8fd0',
  '#8a6d1a': '#d2b24e',
  '#4a7f86': '#7fbcc4',
};

function darkCharts(): string {
  return Object.entries(DARK)
    .map(
      ([light, dark]) =>
        `.chart:not(.shaded) [fill="${light}"]{fill:${dark}}.chart:not(.shaded) [stroke="${light}"]{stroke:${dark}}`,
    )
    .join('\n  ');
}

/** Plain CSS; nothing in it asks the network for anything. */
export const STYLE = `
:root{--ink:${PALETTE.ink};--muted:${PALETTE.muted};--line:#d5d9de;--paper:#fff;--panel:#f6f7f9;
  --accent:${PALETTE.first};--warn-ink:#6b2f12;--warn-paper:#fdf3ec;--warn-line:${PALETTE.second};
  color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
  font:16px/1.5 "Helvetica Neue",Helvetica,Arial,"Liberation Sans","DejaVu Sans",sans-serif;
  -webkit-text-size-adjust:100%}
main{max-width:66rem;margin:0 auto;padding:1.5rem 1rem 4rem}
header{border-bottom:2px solid var(--ink);margin-bottom:1.25rem}
h1{font:600 1.9rem/1.2 Georgia,"Times New Roman","DejaVu Serif",serif;margin:0 0 .35rem;overflow-wrap:anywhere}
h2{font:600 1.3rem/1.3 Georgia,"Times New Roman","DejaVu Serif",serif;margin:2.2rem 0 .7rem;
  border-bottom:1px solid var(--line);padding-bottom:.25rem}
h3{font-size:1rem;margin:1.2rem 0 .4rem}
p{margin:.5rem 0;max-width:46rem}
.meta,.note,figcaption{color:var(--muted);font-size:.9rem}
.warning{border:1px solid var(--warn-line);border-left-width:6px;background:var(--warn-paper);color:var(--warn-ink);
  padding:.7rem 1rem;margin:1rem 0;max-width:none;font-weight:600}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:1rem 1.5rem;
  align-items:start}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem;border-top:2px solid var(--ink);
  border-bottom:2px solid var(--ink)}
caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{border-bottom:1px solid var(--ink);font-weight:600}
tbody th{font-weight:400}
tbody tr:last-child th,tbody tr:last-child td{border-bottom:0}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.path,.value{overflow-wrap:anywhere;min-width:9rem}
figure{margin:0;break-inside:avoid}
.chart svg{display:block;width:100%;height:auto;max-width:44rem}
.square svg{max-width:32rem}
.montage{margin:0 0 1.2rem}
.montage img{display:block;max-width:100%;height:auto;border:1px solid var(--line);background:#fff}
footer{margin-top:2.5rem;border-top:1px solid var(--line);padding-top:.5rem}
@media screen and (prefers-color-scheme:dark){
  :root{--ink:#e4e7eb;--muted:#a3adb8;--line:#3a434e;--paper:#1b2027;--panel:#232a33;--accent:#6ea8e0;
    --warn-ink:#f6cdb4;--warn-paper:#33241c;--warn-line:#e58a5c}
  ${darkCharts()}
  .shaded svg{background:#fff;border-radius:4px}
  .montage img{filter:brightness(.9)}
}
@media print{
  body{font-size:10.5pt}
  main{max-width:none;padding:0}
  h2{break-after:avoid}
  tr{break-inside:avoid}
  .scroll{overflow:visible}
}
`;
