/**
 * The plan's data in a module that travels: leaves as a table of paths and extents, from which their buffers follow. Names stand once, an optimizer's slots not at
 * all where every parameter has the same. Where that does not fit (leaves that are stored smaller, whose size is open) the plan is written out.
 *
 * `planLines(plan)` are statements that make a constant `plan`, equal to the plan.
 */
import type { Plan, PlanBuffer, PlanLeaf } from '../../../runtime/plan.ts';
import { align, WIDTH } from '../../plan/place.ts';
import { literal } from '../ts/emit.ts';

/** Leaves of one kind and type, in their order: [path, ...extents] each; or the endings that every leaf of the run before gets. */
type Run = readonly [
  PlanLeaf['kind'],
  PlanLeaf['dtype'],
  readonly (readonly (string | number)[])[] | readonly string[],
];

const EXPAND = [
  'const leaves = [], buffers = [];',
  'const row = (name, dtype, shape, arena, offset, kind, bytes) => buffers.push({ name, dtype, shape, arena, offset, bytes, kind, leaf: name });',
  'let end = 0, before;',
  'for (const [kind, dtype, list] of kept) {',
  "  before = typeof list[0] === 'string' ? before.flatMap(([path, ...shape]) => list.map((slot) => [path + slot, ...shape])) : list;",
  '  for (const [path, ...shape] of before) {',
  "    const bytes = shape.reduce((n, e) => n * e, dtype === 'bool' ? 1 : 4);",
  '    leaves.push({ path, kind, dtype, shape, buffer: buffers.length });',
  "    row(path, dtype, shape, 'persistent', end, 'persistent', bytes);",
  '    end = Math.ceil((end + bytes) / 64) * 64;',
  '  }',
  '}',
];

/** JSON without quotes around plain keys, and without spaces. */
function terse(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(terse).join(',')}]`;
  if (typeof value !== 'object' || value === null) return literal(value);
  const entries = Object.entries(value).map(
    ([key, v]) => `${/^[a-z_]\w*$/i.test(key) ? key : literal(key)}:${terse(v)}`,
  );
  return `{${entries.join(',')}}`;
}

export function planLines(plan: Plan): string[] {
  const runs = runsOf(plan.leaves);
  const others = plan.buffers.slice(plan.leaves.length);
  if (runs === null || !follows(plan)) return [`const plan = ${terse(plan)};`];
  const { buffers: _, leaves: __, ...rest } = plan;
  return [
    '// Leaves: kind, type, and [path, extents] of each, or the endings of slots.',
    `const kept = ${terse(runs)};`,
    ...EXPAND,
    `const plan = { ...${terse(rest)}, leaves, buffers };`,
    ...others.map((b) =>
      b.leaf === b.name && b.storage === undefined
        ? `row(${[b.name, b.dtype, b.shape, b.arena, b.offset, b.kind, b.bytes].map(terse).join(',')});`
        : `buffers.push(${terse(b)});`,
    ),
  ];
}

function runsOf(leaves: readonly PlanLeaf[]): Run[] | null {
  const runs: { kind: PlanLeaf['kind']; dtype: PlanLeaf['dtype']; rows: (string | number)[][] }[] = [];
  for (const { path, kind, dtype, shape, stored } of leaves) {
    if (stored !== undefined || !shape.every((e) => typeof e === 'number')) return null;
    const row = [path, ...shape] as (string | number)[];
    const last = runs.at(-1);
    if (last?.kind === kind && last.dtype === dtype) last.rows.push(row);
    else runs.push({ kind, dtype, rows: [row] });
  }
  return runs.map(({ kind, dtype, rows }, k) => [kind, dtype, endings(runs[k - 1]?.rows ?? [], rows) ?? rows]);
}

/** `/m`, `/v` where the rows are those of the list before with each of them. */
function endings(before: readonly (string | number)[][], rows: readonly (string | number)[][]): string[] | null {
  const each = rows.length / before.length;
  if (before.length === 0 || !Number.isInteger(each)) return null;
  const first = String(before[0]![0]);
  const found = rows.slice(0, each).map((r) => String(r[0]).slice(first.length));
  const fits = before.every(([path, ...shape], k) =>
    found.every((ending, j) => {
      const [name, ...extents] = rows[k * each + j]!;
      return name === `${path}${ending}` && extents.join() === shape.join();
    }),
  );
  return fits ? found : null;
}

/** Whether the leaves' buffers are the plan's first, one after the other. */
function follows({ leaves, buffers }: Plan): boolean {
  let end = 0;
  return leaves.every((leaf, k) => {
    const { path, dtype, shape, buffer } = leaf;
    const bytes = shape.reduce<number>((n, e) => n * (e as number), WIDTH[dtype]);
    const wanted: PlanBuffer = {
      ...({ name: path, dtype, shape, arena: 'persistent', offset: end } as const),
      ...({ bytes, kind: 'persistent', leaf: path } as const),
    };
    end = align(end + bytes);
    const there = buffers[k];
    return (
      buffer === k &&
      there !== undefined &&
      (Object.keys(wanted) as (keyof PlanBuffer)[]).every((key) =>
        key === 'shape' ? there.shape.join() === shape.join() : there[key] === wanted[key],
      )
    );
  });
}
