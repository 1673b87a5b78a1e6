/**
 * A profile as one HTML page with a flame view: the way from the program through its models, blocks and the library down to the kernels, as wide as
 * they take time. It needs no network and no other file; a script of a few lines lets a click widen a frame. All text is escaped.
 */
import { escapeHtml } from '../report/chart.ts';
import { formatBytes } from '../problems.ts';
import { addTo, empty, facts, grouped, rate, share, time, type Shown, type Totals } from './text.ts';
import { wayOf } from './places.ts';

interface Frame {
  readonly name: string;
  readonly text: string;
  readonly total: Totals;
  readonly below: Map<string, Frame>;
}

const frame = (name: string, text: string): Frame => ({ name, text, total: empty(), below: new Map() });

function flames({ title, profile, machine, origins, sources }: Shown): Frame {
  const root = frame(title, '');
  for (const step of profile.steps) {
    const { frames, gradient } = wayOf(origins, step.origin, sources);
    let at = root;
    addTo(at.total, step, machine);
    const descend = (name: string, text: string): void => {
      let next = at.below.get(name);
      if (next === undefined) at.below.set(name, (next = frame(name, text)));
      addTo(next.total, step, machine);
      at = next;
    };
    descend(gradient ? 'derivatives' : 'values', '');
    for (const f of frames) descend(f.place, f.text);
    descend(step.kernel, 'kernel');
  }
  return root;
}

const tip = (f: Frame, all: number): string =>
  [
    `${f.name}  ${f.text}`.trim(),
    `${time(f.total.milliseconds)}, ${((100 * f.total.milliseconds) / all).toFixed(1)} %, ${f.total.calls.toLocaleString('en-US')} calls`,
    `${rate(f.total.flops, f.total.milliseconds)} GFLOP/s, ${rate(f.total.bytes, f.total.milliseconds)} GB/s, ${share(f.total)} of the roofline`,
  ].join('\n');

const hue = ({ least, milliseconds }: Totals): number =>
  milliseconds <= 0 ? 0 : Math.round(10 + 110 * Math.min(1, least / milliseconds));

function bars(f: Frame, from: number, depth: number, all: number, out: string[]): number {
  const width = f.total.milliseconds / all;
  if (width < 0.0005) return depth;
  const label = f.text === '' || f.text === 'kernel' ? f.name : f.text;
  out.push(
    `<button data-x="${from.toFixed(5)}" data-w="${width.toFixed(5)}" style="left:${(100 * from).toFixed(3)}%;width:${(100 * width).toFixed(3)}%;top:${depth * 22}px;--h:${hue(f.total)}" title="${escapeHtml(tip(f, all))}">${escapeHtml(label)}</button>`,
  );
  let deepest = depth;
  let at = from;
  for (const below of [...f.below.values()].sort((a, b) => b.total.milliseconds - a.total.milliseconds)) {
    deepest = Math.max(deepest, bars(below, at, depth + 1, all, out));
    at += below.total.milliseconds / all;
  }
  return deepest;
}

function table(heading: string, rows: readonly (readonly [string, Totals])[], all: number): string {
  const head = [heading, 'time', 'share', 'GFLOP/s', 'GB/s', 'roofline', 'calls', 'memory'];
  const cells = ([name, t]: readonly [string, Totals]): string[] => [
    name,
    time(t.milliseconds),
    `${((100 * t.milliseconds) / all).toFixed(1)} %`,
    rate(t.flops, t.milliseconds),
    rate(t.bytes, t.milliseconds),
    share(t),
    t.calls.toLocaleString('en-US'),
    formatBytes(t.planned),
  ];
  const row = (tag: string, list: readonly string[]): string =>
    `<tr>${list.map((c) => `<${tag}>${escapeHtml(c)}</${tag}>`).join('')}</tr>`;
  return `<table>${row('th', head)}${rows.map((r) => row('td', cells(r))).join('')}</table>`;
}

const style = `
:root{color-scheme:light dark;font:14px/1.45 system-ui,sans-serif}
body{max-width:76rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:2rem}
ul{padding-left:1.2rem}
.flame{position:relative;overflow:hidden}
.flame button{position:absolute;height:21px;padding:0 4px;border:0;border-left:1px solid Canvas;text-align:left;overflow:hidden;white-space:nowrap;font:12px/21px ui-monospace,monospace;
background:hsl(var(--h) 60% 78%);color:#111;cursor:pointer}
table{border-collapse:collapse;width:100%}td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #8884}
td:first-child,th:first-child{text-align:left;font-family:ui-monospace,monospace;font-size:12px;overflow-wrap:anywhere}`;

const script = `
const all=[...document.querySelectorAll('.flame button')];
for(const b of all)b.onclick=()=>{const x=+b.dataset.x,w=+b.dataset.w;
for(const c of all){const l=(c.dataset.x-x)/w,r=c.dataset.w/w;c.style.left=Math.max(0,l)*100+'%';
c.style.width=Math.max(0,Math.min(1,l+r)-Math.max(0,l))*100+'%';c.hidden=l>=1-1e-4||l+r<=1e-4}};`;

export function profilePage(shown: Shown): string {
  const root = flames(shown);
  const all = Math.max(root.total.milliseconds, 1e-9);
  const out: string[] = [];
  const deepest = bars(root, 0, 0, all, out);
  const { profile, machine, origins, sources } = shown;
  const byLine = grouped(profile.steps, machine, (s) => {
    const { line, gradient } = wayOf(origins, s.origin, sources);
    return `${line.place}${gradient ? ' (derivative)' : ''}  ${line.text}`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(shown.title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(shown.title)}</h1>
<ul>${facts(shown)
    .map((line) => `<li>${escapeHtml(line)}</li>`)
    .join('')}</ul>
<h2>Where the time goes</h2>
<p>From the program down to its kernels; the width is time, green is near the machine's limit, red far from it. A click widens a frame, one on the top row goes back.</p>
<div class="flame" style="height:${(deepest + 1) * 22}px">
${out.join('\n')}
</div>
<h2>By line</h2>
${table('line', byLine, all)}
<h2>By kernel</h2>
${table(
  'kernel',
  grouped(profile.steps, machine, (s) => s.kernel),
  all,
)}
<script>${script}</script>
</body>
</html>
`;
}
