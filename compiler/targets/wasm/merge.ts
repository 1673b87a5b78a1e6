/**
 * One function for kernels that differ in nothing but how long their axes are: an optimizer's updates of parameters of different sizes, their squares summed up for
 * a norm. Where the lengths differ they become arguments of the calls, which the program makes one after the other with no meeting between.
 *
 * Not products, whose tiles are made for known lengths, nor kernels with indices from data or buffers of the row.
 */
import type { Expr, Guard, Kernel, Write } from '../../kernel/types.ts';
import { commonDivisor } from './divisor.ts';
import { asConst, mul, name, num, type Poly } from '../../sizes/poly.ts';

export interface MergedKernel {
  readonly kernel: Kernel;
  /** Kernel that it stands for → its lengths, in units of the common divisor of all, after the sizes. */
  readonly members: ReadonlyMap<number, readonly number[]>;
}

/** What a kernel does, but for lengths; null where it is not to be merged. */
function textOf(kernel: Kernel): string | null {
  if (kernel.spans !== undefined || kernel.buffers.some((b) => b.row === true || b.storage !== undefined)) return null;
  if ([...kernel.axes.values()].some((p) => asConst(p) === null)) return null;
  const lines: string[] = [];
  const ids = new Map<Expr, number>();
  const values = new Map(kernel.stages.flatMap((s) => [...s.defs.keys()]).map((n, k) => [n, `v${k}`]));
  let fixed = true;
  const guards = (list: readonly Guard[]): string =>
    list.map((g) => [g.e, g.lo, g.hi].map((p) => p.key).join('~')).join('&');
  const expr = (e: Expr): string => {
    const known = ids.get(e);
    if (known !== undefined) return `#${known}`;
    const text = ((): string => {
      switch (e.kind) {
        case 'const':
          return Object.is(e.value, -0) ? '-0' : String(e.value);
        case 'index':
          return `index ${e.at.key}`;
        case 'value':
          return values.get(e.name) ?? e.name;
        case 'read':
          if (e.dynamic.length > 0) fixed = false;
          return `read ${e.buffer} ${e.at.key} ${guards(e.guards)} ${e.otherwise === null ? '' : expr(e.otherwise)}`;
        case 'guarded':
          return `guarded ${guards(e.guards)} ${expr(e.inside)} ${expr(e.outside)}`;
        case 'op':
          return `${e.op} ${e.args.map(expr).join(' ')}`;
      }
    })();
    ids.set(e, ids.size);
    lines.push(`${e.dtype} ${text}`);
    return `#${ids.size - 1}`;
  };
  const write = (w: Write): string => {
    if (w.dynamic.length > 0) fixed = false;
    return `${w.mode} ${w.buffer} ${w.at.key} ${guards(w.guards)} ${expr(w.value)}`;
  };
  const stages = kernel.stages.map((s) => {
    const defs = [...s.defs].map(([n, d]) => {
      const init = d.op === null || d.op === 'argmax' || d.init === null ? '' : expr(d.init);
      return `${values.get(n)!} ${d.op ?? ''} ${init} ${expr(d.value)}`;
    });
    return [
      s.axes.join(),
      s.over.join(),
      s.order ?? '',
      ...defs,
      ...s.each.map(write),
      '/',
      ...s.writes.map(write),
    ].join(';');
  });
  if (!fixed) return null;
  const buffers = kernel.buffers.map((b) => `${b.dtype} ${b.access}`);
  return [
    [...kernel.axes.keys()].join(),
    kernel.sizes.join(),
    (kernel.rows ?? []).join(),
    buffers.join(),
    ...lines,
    ...stages,
  ].join('\n');
}

/** `null`: not to be merged. */
export function mergeKernels(kernels: readonly (Kernel | null)[]): MergedKernel[] {
  const groups = new Map<string, number[]>();
  for (const [k, kernel] of kernels.entries()) {
    const text = kernel === null ? null : textOf(kernel);
    if (text !== null) groups.set(text, [...(groups.get(text) ?? []), k]);
  }
  const merged: MergedKernel[] = [];
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    const first = kernels[group[0]!]!;
    const length = (k: number, axis: string): number => asConst(kernels[k]!.axes.get(axis)!)!;
    const open = [...first.axes.keys()].filter((axis) =>
      group.some((k) => length(k, axis) !== length(group[0]!, axis)),
    );
    const own = new Map(open.map((axis) => [axis, `length_${axis}`]));
    // What all lengths are multiples of stands in the kernel: it tells which loops have no rest.
    const unit = new Map(open.map((axis) => [axis, group.reduce((n, k) => commonDivisor(n, length(k, axis)), 0)]));
    const axes = new Map<string, Poly>(
      [...first.axes.keys()].map((axis) => [
        axis,
        own.has(axis) ? mul(num(unit.get(axis)!), name(own.get(axis)!)) : num(length(group[0]!, axis)),
      ]),
    );
    merged.push({
      kernel: { ...first, axes, sizes: [...first.sizes, ...own.values()] },
      members: new Map(group.map((k) => [k, open.map((axis) => length(k, axis) / unit.get(axis)!)])),
    });
  }
  return merged;
}
