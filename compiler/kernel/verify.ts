/**
 * What every kernel and every kernel program satisfies. The structural part looks at the expressions; `verifyProgram` with sizes also runs
 * through every point of small kernels and checks that no two points store to one place.
 */
import { evaluate, names, type Poly } from '../sizes/poly.ts';
import { operands, polysOf, walk } from './expr.ts';
import { Levels } from './levels.ts';
import { kernelsOf } from './print.ts';
import type { Expr, Guard, Kernel, KernelProgram, KernelStep, Stage, Write } from './types.ts';

/** Violations in words; empty when all is well. */
export function verifyKernel(kernel: Kernel): string[] {
  const wrong: string[] = [];
  const say = (text: string): void => void wrong.push(`${kernel.name}: ${text}`);
  const known = new Set<string>([...kernel.sizes, ...kernel.axes.keys()]);
  const rows = kernel.rows ?? [];
  const reads = new Set<number>();
  const writes = new Set<number>();
  const defined = new Map<string, Stage>();
  for (const [axis, extent] of kernel.axes) {
    if (kernel.sizes.includes(axis)) say(`axis ${axis} is a size too`);
    for (const s of names(extent)) if (!kernel.sizes.includes(s)) say(`extent of ${axis} mentions ${s}`);
  }
  if (new Set(kernel.stages.map((s) => s.name)).size !== kernel.stages.length) say('two stages of one name');

  for (const stage of kernel.stages) {
    const own = new Set([...stage.axes, ...stage.over]);
    if (own.size !== stage.axes.length + stage.over.length) say(`${stage.name}: an axis twice`);
    for (const a of own) if (!kernel.axes.has(a)) say(`${stage.name}: axis ${a} has no extent`);
    for (const r of rows) if (!stage.axes.includes(r)) say(`${stage.name}: row ${r} is no axis of it`);
    const levels = new Levels(stage);
    const before = new Set<string>();

    const poly = (p: Poly, dynamic: readonly { readonly name: string }[], allowed: ReadonlySet<string>): void => {
      for (const s of names(p)) {
        if (dynamic.some((d) => d.name === s)) continue;
        if (!known.has(s)) say(`${stage.name}: ${s} is neither axis nor size`);
        else if (kernel.axes.has(s) && !allowed.has(s)) say(`${stage.name}: axis ${s} is not looped here`);
      }
    };
    const guards = (
      list: readonly Guard[],
      dynamic: readonly { readonly name: string }[],
      allowed: ReadonlySet<string>,
    ): void => {
      for (const g of list) for (const p of [g.e, g.lo, g.hi]) poly(p, dynamic, allowed);
    };
    const expr = (root: Expr, allowed: ReadonlySet<string>, reduced: boolean): void =>
      walk([root], (e) => {
        if (e.kind === 'read') {
          reads.add(e.buffer);
          poly(e.at, e.dynamic, allowed);
          guards(e.guards, e.dynamic, allowed);
          if (e.guards.length > 0 !== (e.otherwise !== null)) say(`${stage.name}: guards without otherwise`);
        } else if (e.kind === 'value') {
          const maker = defined.get(e.name);
          if (stage.defs.has(e.name)) {
            if (!before.has(e.name)) say(`${stage.name}: ${e.name} before its definition`);
            if (reduced && stage.defs.get(e.name)!.op !== null && stage.order === null)
              say(`${stage.name}: ${e.name} is not reduced yet`);
          } else if (maker === undefined) say(`${stage.name}: no value ${e.name}`);
          else
            for (const a of maker.axes) if (!rows.includes(a)) say(`${stage.name}: ${e.name} is no value of the row`);
        } else for (const p of polysOf(e)) poly(p, [], allowed);
      });
    const write = (w: Write, allowed: ReadonlySet<string>, inside: boolean): void => {
      writes.add(w.buffer);
      if (w.mode !== 'store') reads.add(w.buffer);
      poly(w.at, w.dynamic, allowed);
      guards(w.guards, w.dynamic, allowed);
      for (const d of w.dynamic) expr(d.value, allowed, inside);
      expr(w.value, allowed, inside);
      if (w.value.dtype !== kernel.buffers[w.buffer]?.dtype)
        say(`${stage.name}: ${w.value.dtype} into ${kernel.buffers[w.buffer]?.name}`);
    };

    const free = new Set(stage.axes);
    for (const [name, def] of stage.defs) {
      const inner = levels.defs.get(name) !== 'after' || def.op !== null;
      expr(def.value, def.op !== null || levels.defs.get(name) === 'inside' ? own : free, inner);
      if (def.op !== null && def.init !== null) expr(def.init, free, true);
      if (defined.has(name)) say(`${stage.name}: ${name} is defined twice`);
      before.add(name);
    }
    for (const w of stage.each) write(w, own, true);
    for (const w of stage.writes) {
      write(w, free, false);
      if (stage.order === null && levels.of(w.value) === 'inside')
        say(`${stage.name}: a value inside the reduction is used after it`);
    }
    for (const name of stage.defs.keys()) defined.set(name, stage);
  }
  for (const [k, b] of kernel.buffers.entries()) {
    const wanted = reads.has(k) ? (writes.has(k) ? 'readwrite' : 'read') : writes.has(k) ? 'write' : 'nothing';
    if (wanted !== b.access) say(`${b.name} is ${b.access}, used for ${wanted}`);
  }
  return wrong;
}

/** At these sizes: every store of a stage goes to a place of its own, and inside its buffer. */
function verifyStores(kernel: Kernel, lengths: readonly number[], env: (s: string) => number): string[] {
  const wrong: string[] = [];
  const point = new Map<string, number>();
  const at = (p: Poly): number => evaluate(p, (s) => point.get(s) ?? env(s));
  const each = (axes: readonly string[], body: () => void, k = 0): void => {
    if (k === axes.length) return body();
    const n = evaluate(kernel.axes.get(axes[k]!)!, env);
    for (let i = 0; i < n; i++) {
      point.set(axes[k]!, i);
      each(axes, body, k + 1);
    }
    point.delete(axes[k]!);
  };
  for (const stage of kernel.stages) {
    for (const [list, axes] of [
      [stage.each, [...stage.axes, ...stage.over]],
      [stage.writes, stage.axes],
    ] as const) {
      for (const w of list) {
        if (w.mode !== 'store' || w.dynamic.length > 0) continue;
        const seen = new Set<number>();
        each(axes, () => {
          if (!w.guards.every((g) => at(g.lo) <= at(g.e) && at(g.e) < at(g.hi))) return;
          const place = at(w.at);
          if (seen.has(place)) wrong.push(`${kernel.name}: two stores to ${kernel.buffers[w.buffer]!.name}[${place}]`);
          if (!(place >= 0 && place < lengths[w.buffer]!)) wrong.push(`${kernel.name}: store to [${place}]`);
          seen.add(place);
        });
      }
    }
  }
  return wrong.slice(0, 4);
}

export function verifyProgram(program: KernelProgram, sizes: Readonly<Record<string, number>> | null = null): string[] {
  const wrong = kernelsOf(program).flatMap(verifyKernel);
  const byId = new Map(program.buffers.map((b) => [b.id, b]));
  const go = (steps: readonly KernelStep[], env: ReadonlyMap<string, number>): void => {
    for (const step of steps) {
      if (step.kind === 'loop') {
        const count = sizes === null ? 1 : evaluate(step.count, (s) => env.get(s) ?? Number.NaN);
        go(step.body, new Map([...env, [step.variable, Math.max(0, count - 1)]]));
      } else if (step.kind === 'copy') {
        const [a, b] = [byId.get(step.from)!, byId.get(step.to)!];
        if (a.dtype !== b.dtype || a.sizes.some((s, k) => s !== b.sizes[k])) wrong.push(`copy ${a.name} to ${b.name}`);
      } else {
        const { kernel } = step;
        if (kernel.buffers.length !== step.buffers.length)
          wrong.push(`${kernel.name}: ${step.buffers.length} buffers given`);
        if (kernel.sizes.length !== step.sizes.length) wrong.push(`${kernel.name}: ${step.sizes.length} sizes given`);
        if (new Set(step.buffers).size !== step.buffers.length) wrong.push(`${kernel.name}: a buffer twice`);
        for (const [k, id] of step.buffers.entries()) {
          const b = byId.get(id);
          const p = kernel.buffers[k];
          if (b?.dtype !== p?.dtype) wrong.push(`${kernel.name}: ${b?.name} for ${p?.name}`);
          if (p !== undefined && p.access !== 'read' && (b?.kind === 'data' || b?.kind === 'scalar'))
            wrong.push(`${kernel.name} writes ${b.name}`);
        }
        if (sizes !== null) {
          const given = new Map(
            kernel.sizes.map((s, k) => [s, evaluate(step.sizes[k]!, (n) => env.get(n) ?? Number.NaN)]),
          );
          const lengths = step.buffers.map((id) =>
            byId.get(id)!.sizes.reduce((n, p) => n * evaluate(p, (s) => env.get(s) ?? Number.NaN), 1),
          );
          wrong.push(...verifyStores(kernel, lengths, (s) => given.get(s) ?? Number.NaN));
        }
      }
    }
  };
  go(program.steps, new Map(Object.entries(sizes ?? {})));
  return wrong;
}

/** Depth of the deepest expression: bounded, so that recursion over expressions is safe. */
export function depthOf(kernel: Kernel): number {
  const depth = new Map<Expr, number>();
  let most = 0;
  for (const stage of kernel.stages) {
    const roots = [
      ...[...stage.defs.values()].map((d) => d.value),
      ...[...stage.each, ...stage.writes].map((w) => w.value),
    ];
    walk(roots, (e) => {
      let below = 0;
      for (const x of operands(e)) below = Math.max(below, depth.get(x)!);
      depth.set(e, below + 1);
      most = Math.max(most, below + 1);
    });
  }
  return most;
}
