/**
 * Kernel programs over weights that are kept in fewer bytes: the buffer gets its storage, and every read w[at] becomes q[at] * s[group of at], an
 * ordinary expression over an ordinary second buffer. So whatever does not depend on a loop leaves it (the scale of a row), and a target only has to know
 * how to load a stored element.
 */
import { defaultSchedule } from '../schedule/default.ts';
import { asConst, divideWithRest, floorDiv, mul, num, ONE, substitute, terms, type Poly } from '../sizes/poly.ts';
import { Copier, ExprTable } from '../kernel/expr.ts';
import type { Buffer, Def, Kernel, KernelProgram, KernelStep, Schedule, Stage, Write } from '../kernel/types.ts';
import type { StoredAs } from './choice.ts';

/** The leaf of the scales of a leaf: no path of a program has this sign. */
export const scalesOf = (path: string): string => `${path}#scale`;

export class StorageRewriter {
  private readonly stored: ReadonlyMap<string, StoredAs>;
  private readonly table = new ExprTable();
  private readonly kernels = new Map<Kernel, Map<string, { kernel: Kernel; schedule: Schedule }>>();
  /** Why a path cannot be stored after all: it is used in a way that only whole values allow. */
  readonly refused = new Map<string, string>();

  constructor(stored: ReadonlyMap<string, StoredAs>) {
    this.stored = stored;
  }

  program(program: KernelProgram): KernelProgram {
    const storageOf = new Map<number, StoredAs>();
    const scaleOf = new Map<number, number>();
    const buffers: Buffer[] = [];
    let next = program.buffers.reduce((n, b) => Math.max(n, b.id), -1) + 1;
    for (const b of program.buffers) {
      const stored = b.kind === 'persistent' && b.leaf !== null ? this.stored.get(b.leaf) : undefined;
      if (stored === undefined) {
        buffers.push(b);
        continue;
      }
      storageOf.set(b.id, stored);
      buffers.push({ ...b, storage: stored.as });
      if (stored.group === 0) continue;
      const elements = asConst(b.sizes.reduce<Poly>((p, s) => mul(p, s), ONE))!;
      const scale: Buffer = {
        id: next++,
        name: `${b.name}_scale`,
        kind: 'persistent',
        dtype: 'f32',
        sizes: [num(elements / stored.group)],
        leaf: scalesOf(b.leaf!),
        origin: b.origin,
      };
      scaleOf.set(b.id, scale.id);
      buffers.push(scale);
    }
    const pathOf = new Map(program.buffers.map((b) => [b.id, b.leaf ?? b.name]));
    const steps = (list: readonly KernelStep[]): KernelStep[] =>
      list.map((step): KernelStep => {
        if (step.kind === 'loop') return { ...step, body: steps(step.body) };
        if (step.kind === 'copy') {
          if (storageOf.has(step.from) || storageOf.has(step.to))
            this.refused.set(pathOf.get(storageOf.has(step.from) ? step.from : step.to)!, 'it is copied as a whole');
          return step;
        }
        const here = step.buffers.map((b) => storageOf.get(b) ?? null);
        if (here.every((s) => s === null)) return step;
        const positions = step.buffers.flatMap((b, k) => (scaleOf.has(b) ? [k] : []));
        const made = this.kernel(
          step.kernel,
          here,
          step.buffers.map((b) => pathOf.get(b)!),
        );
        return {
          ...step,
          ...made,
          buffers: [...step.buffers, ...positions.map((k) => scaleOf.get(step.buffers[k]!)!)],
        };
      });
    return { ...program, buffers, steps: steps(program.steps) };
  }

  private kernel(
    kernel: Kernel,
    stored: readonly (StoredAs | null)[],
    paths: readonly string[],
  ): { kernel: Kernel; schedule: Schedule } {
    const key = stored.map((s) => (s === null ? '' : `${s.as}${s.group}`)).join();
    let known = this.kernels.get(kernel);
    if (known === undefined) this.kernels.set(kernel, (known = new Map()));
    let made = known.get(key);
    if (made === undefined) {
      const rewritten = this.rewritten(kernel, stored, paths);
      known.set(key, (made = { kernel: rewritten, schedule: defaultSchedule(rewritten, 'ts') }));
    }
    return made;
  }

  private rewritten(kernel: Kernel, stored: readonly (StoredAs | null)[], paths: readonly string[]): Kernel {
    const taken = new Set([...kernel.buffers.map((b) => b.name), ...kernel.axes.keys(), ...kernel.sizes]);
    const scales = new Map<number, number>();
    const buffers = kernel.buffers.map((b, k) => {
      const s = stored[k];
      if (s === null || s === undefined) return b;
      if (b.access !== 'read') this.refused.set(paths[k]!, 'it is written');
      return { ...b, storage: s.as };
    });
    for (const [k, s] of stored.entries()) {
      if (s === null || s.group === 0) continue;
      let name = `${kernel.buffers[k]!.name}_scale`;
      for (let n = 2; taken.has(name); n++) name = `${kernel.buffers[k]!.name}_scale${n}`;
      taken.add(name);
      scales.set(k, buffers.length);
      buffers[k] = { ...buffers[k]!, scale: { buffer: buffers.length, group: s.group } };
      const elements = kernel.buffers[k]!.sizes.reduce<Poly>((p, size) => mul(p, size), ONE);
      buffers.push({ name, dtype: 'f32', access: 'read', sizes: [floorDiv(elements, num(s.group))] });
    }
    const copier = new Copier(
      this.table,
      (p, renamed) => (renamed.size === 0 ? p : substitute(p, renamed)),
      (e, c) => {
        const s = e.kind === 'read' ? stored[e.buffer] : null;
        if (e.kind !== 'read' || s === null || s === undefined) return null;
        const { at, guards, otherwise } = c.access(e);
        if (otherwise !== null && !(otherwise.kind === 'const' && otherwise.value === 0))
          this.refused.set(paths[e.buffer]!, 'a read of it has an `else` that is not 0');
        const q = this.table.read(e.buffer, e.dtype, at, guards, otherwise);
        const scale = scales.get(e.buffer);
        if (scale === undefined) return q;
        const place = groupOf(at, s.group, kernel);
        return this.table.op('mul', e.dtype, q, this.table.read(scale, 'f32', place, guards, otherwise));
      },
    );
    const write = (w: Write): Write => {
      const { at, guards, dynamic } = copier.access(w);
      return { ...w, at, guards, dynamic, value: copier.copy(w.value) };
    };
    const def = (d: Def): Def => {
      if (d.op === null) return { op: null, value: copier.copy(d.value) };
      if (d.op === 'argmax') return { ...d, value: copier.copy(d.value) };
      return { ...d, init: d.init === null ? null : copier.copy(d.init), value: copier.copy(d.value) };
    };
    const stages = kernel.stages.map((s): Stage => ({
      ...s,
      defs: new Map([...s.defs].map(([name, d]) => [name, def(d)])),
      each: s.each.map(write),
      writes: s.writes.map(write),
    }));
    const suffix = [...new Set(stored.flatMap((s) => (s === null ? [] : [s.as])))].join('_');
    return { ...kernel, name: `${kernel.name}_${suffix}`, buffers, stages };
  }
}

/** The number of the group that an element is in: without a division where what is left of it stays below the group's length. */
function groupOf(at: Poly, group: number, kernel: Kernel): Poly {
  const { quotient, rest } = divideWithRest(at, num(group));
  return greatest(rest, kernel) < group ? quotient : floorDiv(at, num(group));
}

/** An upper bound of a polynomial whose terms are not negative; infinite where it has none. */
function greatest(p: Poly, kernel: Kernel): number {
  let sum = 0;
  for (const { coefficient, factors } of terms(p)) {
    if (coefficient < 0) return Infinity;
    let term = coefficient;
    for (const { atom, exponent } of factors) {
      const extent = atom.kind === 'name' ? kernel.axes.get(atom.name) : undefined;
      const n = extent === undefined ? null : asConst(extent);
      if (n === null) return Infinity;
      term *= (n - 1) ** exponent;
    }
    sum += term;
  }
  return sum;
}
