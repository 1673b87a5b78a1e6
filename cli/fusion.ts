/**
 * `nnc explain --fusion`: which values get memory of their own and why, what each decision weighed, and what every kernel moves and computes. Costs and
 * decisions are the compiler's (fuse/cost.ts, fuse/materialise.ts); bytes and operations are counted from the kernels at the sizes' bounds (plan/cost.ts).
 */
import * as COST from '../compiler/fuse/cost.ts';
import { LEAST } from '../compiler/fuse/stream.ts';
import type { OriginId } from '../compiler/graph/origin.ts';
import type { Artifact } from '../compiler/index.ts';
import { stageRoots, walk } from '../compiler/kernel/expr.ts';
import type { Buffer, Kernel, KernelProgram, KernelStep, Weighing } from '../compiler/kernel/types.ts';
import { kernelCost } from '../compiler/plan/cost.ts';
import { WIDTH } from '../compiler/plan/place.ts';
import { evaluate, format, type Poly } from '../compiler/sizes/poly.ts';
import { formatBytes } from './problems.ts';

type SizeOf = (size: string) => number;
type PlaceOf = (origin: OriginId) => string;

const HEAVY = ['exp', 'log', 'tanh', 'sin', 'cos', 'erf', 'pow', 'sqrt', 'div'] as const;

/** What costs are measured by, in words. */
const RULES = [
  'A value that several places want is computed at each where that costs no more than storing it once and reading it there. In multiply-adds of plain code:',
  `a read ${COST.READ}, a write ${COST.WRITE}, ${HEAVY.map((op) => `${op} ${COST.ELEMENTWISE[op]}`).join(', ')}, a random number ${COST.RANDOM}; what reads nothing and costs`,
  `${COST.TRIVIAL} at most is always computed, what more than ${COST.MAX_SITES} places want is always stored; a size known at run time counts as ${COST.NOMINAL}. Products of more than`,
  `${LEAST.toLocaleString('en-US')} elements that are only summed up are not stored, but computed row by row in every kernel that wants them. Weighed are the work that computing a value at every`,
  'place adds, the bytes that storing it writes and reads, and what either costs in all.',
];

/** Columns as wide as their cells; those that hold numbers end at the same place. */
function table(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string[] {
  const widths = (rows[0] ?? []).map((_, k) => Math.max(...rows.map((row) => row[k]!.length)));
  return rows.map((row) =>
    `  ${row.map((cell, k) => (right.has(k) ? cell.padStart(widths[k]!) : cell.padEnd(widths[k]!))).join('  ')}`.trimEnd(),
  );
}

const number = (n: number): string => Math.round(n).toLocaleString('en-US');
const amount = (n: number): string => (n < 1e5 ? number(n) : `${(n / 1e6).toPrecision(3)} M`);
const typeText = ({ dtype, sizes }: { readonly dtype: string; readonly sizes: readonly Poly[] }): string =>
  `${dtype}[${sizes.map((s) => format(s)).join(', ')}]`;
const elementsOf = (sizes: readonly Poly[], of: SizeOf): number => sizes.reduce((n, s) => n * evaluate(s, of), 1);

export function fusionText(artifact: Artifact, place: PlaceOf): string {
  const { plan, kernelPrograms, kernels } = artifact;
  const bounds = new Map(plan.sizes.map((s) => [s.name, s.bound]));
  const lines = [`${artifact.kind} ${artifact.name}: ${kernels.length} kernels`, ...RULES];
  for (const [name, program] of kernelPrograms) {
    lines.push('', `${name}:`, ...storedText(program, place));
    const { weighed = [], inlined = [] } = program.fusing ?? {};
    if (weighed.length > 0) lines.push('', `${name}, what was weighed:`, ...weighedText(weighed, place));
    const of: SizeOf = (size) => bounds.get(size) ?? COST.NOMINAL;
    lines.push('', `${name}, kernels, of one round each:`, ...kernelsText(program, of));
    const bytes = inlined.reduce((n, v) => n + 2 * WIDTH[v.dtype] * elementsOf(v.sizes, of), 0);
    lines.push(
      `  ${number(inlined.length)} elementwise values are computed where they are used: ${formatBytes(bytes)} are neither written nor read`,
    );
  }
  return lines.join('\n');
}

/** Values that get memory, why, in which kernel and from which line. */
function storedText({ buffers, steps }: KernelProgram, place: PlaceOf): string[] {
  const byId = new Map(buffers.map((b) => [b.id, b]));
  const rows: string[][] = [];
  const visit = (list: readonly KernelStep[]): void => {
    for (const step of list) {
      if (step.kind === 'loop') visit(step.body);
      if (step.kind !== 'call') continue;
      for (const [parameter, reason] of step.kernel.reasons) {
        const buffer = byId.get(step.buffers[parameter] ?? -1);
        if (buffer !== undefined)
          rows.push([`${buffer.name}: ${typeText(buffer)}`, reason, step.kernel.name, place(step.origin)]);
      }
    }
  };
  visit(steps);
  return table(rows);
}

/** What each choice between storing and computing again would have cost. */
function weighedText(weighed: readonly Weighing[], place: PlaceOf): string[] {
  const head = ['value', 'places', 'cost of one', 'more work', 'written', 'read', 'again', 'stored', '', ''];
  const rows = weighed.map((w) => {
    const width = WIDTH[w.dtype];
    return [
      `${w.value}: ${typeText(w)}`,
      String(w.places),
      String(Number(w.cost.toPrecision(3))),
      amount(Math.max(0, w.wanted - w.elements) * w.cost),
      formatBytes(w.elements * width),
      formatBytes(w.wanted * width),
      amount(w.again),
      amount(w.stored),
      w.reason === null ? 'computed again' : `stored: ${w.reason}`,
      place(w.origin),
    ];
  });
  return table([head, ...rows], new Set([1, 2, 3, 4, 5, 6, 7]));
}

/** What crosses from memory and back, what is computed, and what passes from one part of a kernel to another without going there. */
function kernelsText(program: KernelProgram, bound: SizeOf): string[] {
  const byId = new Map(program.buffers.map((b) => [b.id, b]));
  const rows: string[][] = [];
  const visit = (list: readonly KernelStep[], of: SizeOf, loops: string): void => {
    for (const step of list) {
      if (step.kind === 'loop') {
        const rounds = evaluate(step.count, of);
        const times = `${loops === '' ? '' : `${loops} x `}${number(rounds)}`;
        visit(step.body, (s) => (s === step.variable ? rounds : of(s)), times);
      }
      if (step.kind !== 'call') continue;
      const { kernel } = step;
      const own: SizeOf = (s) => {
        const at = kernel.sizes.indexOf(s);
        return at < 0 ? of(s) : evaluate(step.sizes[at]!, of);
      };
      const room = (k: number): number => elementsOf((byId.get(step.buffers[k]!) as Buffer).sizes, of);
      const { flops, read, written } = kernelCost(kernel, own, (k) => roomOf(kernel, k, own, room));
      const inside = passed(kernel, own);
      rows.push([
        kernel.name,
        formatBytes(read),
        formatBytes(written),
        amount(flops),
        inside.values === 0 ? '' : `${inside.values}: ${formatBytes(inside.bytes)}`,
        loops === '' ? '' : `${loops} rounds`,
      ]);
    }
  };
  visit(program.steps, bound, '');
  return table([['kernel', 'read', 'written', 'operations', 'passed on inside', ''], ...rows], new Set([1, 2, 3, 4]));
}

const roomOf = (kernel: Kernel, k: number, of: SizeOf, room: (k: number) => number): number =>
  kernel.buffers[k]!.row === true ? elementsOf(kernel.buffers[k]!.sizes, of) : room(k);

/** Values of a kernel that later stages of it use: how many, and the bytes that writing and reading them would have moved. */
function passed(kernel: Kernel, of: SizeOf): { readonly values: number; readonly bytes: number } {
  const made = new Map<string, { readonly stage: string; readonly bytes: number }>();
  let values = 0;
  let bytes = 0;
  const counted = new Set<string>();
  for (const stage of kernel.stages) {
    const uses = new Set<string>();
    walk(stageRoots(stage), (e) => {
      if (e.kind === 'value' && made.has(e.name) && !stage.defs.has(e.name)) uses.add(e.name);
    });
    for (const name of uses) {
      const own = made.get(name)!.bytes;
      // Written once, and read by every stage that uses it.
      if (!counted.has(name)) [values, bytes] = [values + 1, bytes + own];
      counted.add(name);
      bytes += own;
    }
    for (const [name, def] of stage.defs) {
      const elements = stage.axes.reduce((n, a) => n * evaluate(kernel.axes.get(a)!, of), 1);
      made.set(name, { stage: stage.name, bytes: elements * WIDTH[def.value.dtype] });
    }
  }
  for (const buffer of kernel.buffers) {
    if (buffer.row !== true) continue;
    const points = (kernel.rows ?? []).reduce((n, a) => n * evaluate(kernel.axes.get(a)!, of), 1);
    values++;
    bytes += 2 * points * elementsOf(buffer.sizes, of) * WIDTH[buffer.dtype];
  }
  return { values, bytes };
}
