/**
 * Rows in registers (schedule/wgsl-row.ts): stages are written out element by element, and what a thread has read or written of its row stays in a register for the stages
 * behind. What nobody but this kernel reads is not written at all.
 *
 * Registers stand for memory only where that is certain: a place that is written counts if all of the kernel reads and writes it at the same element of the row; others
 * lie in memory, with barriers between the stages.
 */
import { add, asConst, format, names, num, substitute, name as nameOf, type Poly } from '../../sizes/poly.ts';
import { stageRoots, walk } from '../../kernel/expr.ts';
import { partsOf } from '../../kernel/parts.ts';
import type { Kernel, Stage, Write } from '../../kernel/types.ts';
import { along, type HeldRows } from '../../schedule/wgsl-row.ts';
import type { PassEmitter } from './kernel.ts';
import type { Emitted } from './finish.ts';
import { tree } from './reduce.ts';
import { folds } from './scalar.ts';

export function rowLines(emitter: PassEmitter, pass: HeldRows, entry: string): Emitted {
  const { x, kernel } = emitter;
  const { rows, threads, held, side } = pass;
  const count = emitter.points(rows);
  const stages = pass.stages.map((name) => emitter.stage(name));
  const extent = emitter.points(stages.map((s) => along(s, rows)).find((a) => a.length > 0)!);
  const length = x.poly(extent);
  const places = new Places(kernel, stages, rows, (buffer) => emitter.placeOf(buffer));
  const known = asConst(extent);
  /** Whether some threads may have no such element. */
  const isPartial = (k: number): boolean => known === null || (k + 1) * threads > known;

  x.line('let number = i32(group.y * groups.x + group.x);');
  if (side === 1) {
    x.line(`if (number >= ${x.poly(count)}) { return; }`);
    x.line('let row = number;');
    x.line('let share = i32(thread);');
  } else {
    x.line(`let own = number * ${side} + i32(thread) / ${threads};`);
    x.line(`let share = i32(thread) % ${threads};`);
    x.line(`let isRow = own < ${x.poly(count)};`);
    // Threads beyond the last row repeat it, and write nothing: all must come to the barriers.
    x.line(`let row = min(own, ${x.poly(add(count, num(-1)))});`);
  }
  emitter.split(rows, 'row');
  for (let k = 0; k < held; k++) {
    const at = k === 0 ? 'share' : `share + ${k * threads}`;
    if (isPartial(k)) x.line(`let isIn${k} = ${at} < ${length};`);
    x.line(`let element${k} = ${isPartial(k) ? `min(${at}, ${length} - 1)` : at};`);
  }
  /** Axes along the row bound to an element; equal ways to take a number apart are taken once. */
  const digits = new Map<string, readonly string[]>();
  const at = (axes: readonly string[], k: number): void => {
    x.forget();
    const key = `${k}: ${axes.map((a) => x.poly(emitter.extent(a))).join()}`;
    const known = digits.get(key);
    if (known !== undefined) for (const [i, a] of axes.entries()) x.bind(a, known[i]!);
    else digits.set(key, emitter.split(axes, `element${k}`));
    memory.element = k;
    memory.mask = and(side > 1 ? 'isRow' : null, isPartial(k) ? `isIn${k}` : null);
  };
  const memory = {
    element: -1,
    mask: null as string | null,
    known: new Map<string, string>(),
    key: (buffer: number, p: Poly): string | null => places.key(buffer, p, memory.element),
    isOwn: (buffer: number): boolean => (emitter.lie.own?.has(buffer) ?? false) && places.isBegun(buffer),
  };
  x.row = memory;
  for (const [i, stage] of stages.entries()) {
    if (i > 0 && places.areShared) x.line('storageBarrier(); workgroupBarrier();');
    const plan = partsOf(stage);
    const own = along(stage, rows);
    if (stage.axes.some((a) => own.includes(a))) {
      for (let k = 0; k < held; k++) {
        at(own, k);
        for (const value of [...plan.before, ...plan.last]) emitter.define(stage, value);
        emitter.put(stage);
      }
      continue;
    }
    memory.element = -1;
    x.forget();
    for (const value of plan.before) emitter.define(stage, value);
    const sums = emitter.accumulators(stage, plan, true);
    if (stage.over.length > 0)
      for (let k = 0; k < held; k++) {
        at(own, k);
        for (const value of plan.inside) emitter.define(stage, value);
        x.begin([...sums.values()].map((s) => s.def.value));
        for (const { def, name, best } of sums.values()) {
          const value = x.expr(def.value);
          const inside = isPartial(k) ? `isIn${k}` : null;
          if (best !== null) {
            const better = and(`${value} > ${best}`, inside)!;
            x.line(`if (${better}) { ${best} = ${value}; ${name} = ${x.poly(emitter.position(stage.over))}; }`);
          } else if (def.op !== null && def.op !== 'argmax') {
            const taken = folds[def.op].take(name, value, def.value.dtype, x.use);
            x.line(inside === null ? `${name} = ${taken};` : `if (${inside}) { ${name} = ${taken}; }`);
          }
        }
        x.begin(stage.each.flatMap((w) => [w.value]));
        x.writes(stage.each);
      }
    for (const sum of sums.values()) tree(emitter, { across: side, down: threads, along: 'reduced' }, sum);
    memory.element = -1;
    memory.mask = and('share == 0', side > 1 ? 'isRow' : null);
    x.forget();
    for (const sum of sums.values()) emitter.begun(sum);
    emitter.finish(stage, plan, sums);
    emitter.put(stage);
  }
  x.row = null;
  return {
    lines: emitter.entry(entry, threads * side, x.take()),
    pass: { entry, count, per: side },
  };
}

const and = (a: string | null, b: string | null): string | null => (a === null ? b : b === null ? a : `${a} && ${b}`);

/** What of a kernel's memory registers may stand for. */
class Places {
  /** Some of what is written is read by other threads, perhaps. */
  readonly areShared: boolean;
  private readonly kernel: Kernel;
  private readonly canonical: ReadonlyMap<string, Poly>;
  private readonly placeOf: (buffer: number) => string;
  /** Places that lie in memory. */
  private readonly shared = new Set<string>();
  /** Buffers that are written before they are read. */
  private readonly begun = new Set<number>();

  constructor(kernel: Kernel, stages: readonly Stage[], rows: readonly string[], placeOf: (buffer: number) => string) {
    this.kernel = kernel;
    this.placeOf = placeOf;
    this.canonical = new Map(
      stages.flatMap((s) => along(s, rows).map((a, i) => [a, nameOf(`element ${x(s, rows)} ${i}`)] as const)),
    );
    function x(s: Stage, own: readonly string[]): string {
      // Axes with other extents take the row apart in another way.
      return along(s, own)
        .map((a) => format(kernel.axes.get(a)!))
        .join();
    }
    const seen = new Map<string, Set<string | null>>();
    const written = new Set<string>();
    const readFirst = new Set<number>();
    const note = (buffer: number, at: Poly | null): void => {
      const place = placeOf(buffer);
      if (!seen.has(place)) seen.set(place, new Set());
      seen.get(place)!.add(at === null ? null : this.text(at));
    };
    for (const stage of stages) {
      walk(stageRoots(stage), (e) => {
        if (e.kind !== 'read') return;
        note(e.buffer, e.guards.length > 0 || e.dynamic.length > 0 ? null : e.at);
        if (!this.begun.has(e.buffer)) readFirst.add(e.buffer);
      });
      for (const w of [...stage.each, ...stage.writes]) {
        note(w.buffer, isPlain(w) ? w.at : null);
        written.add(placeOf(w.buffer));
        if (!readFirst.has(w.buffer)) this.begun.add(w.buffer);
      }
    }
    for (const place of written) {
      const texts = seen.get(place)!;
      if (texts.size > 1 || texts.has(null)) this.shared.add(place);
    }
    this.areShared = this.shared.size > 0;
  }

  private text(at: Poly): string {
    return format(substitute(at, this.canonical));
  }

  /** Null: memory is asked every time. */
  key(buffer: number, at: Poly, element: number): string | null {
    const place = this.placeOf(buffer);
    if (this.shared.has(place)) return null;
    const isOfRow = [...names(at)].every((s) => !this.canonical.has(s));
    return `${place} ${this.kernel.buffers[buffer]!.dtype} ${this.text(at)} ${isOfRow ? '' : element}`;
  }

  /** Whether what lies there before a row is begun is never read. */
  isBegun(buffer: number): boolean {
    return this.begun.has(buffer) && !this.shared.has(this.placeOf(buffer));
  }
}

const isPlain = (w: Write): boolean => w.dynamic.length === 0 && w.guards.length === 0 && w.mode === 'store';
