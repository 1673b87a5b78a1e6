/**
 * Kernel identity: structurally equal kernels are one object, whatever layer or program they come from. Expressions are interned in one table,
 * axes and values have canonical names, so a kernel's key is made of ids. The names of buffers and of the kernel are those of its first use.
 */
import { asConst, names, type Poly } from '../sizes/poly.ts';
import { ExprTable, polysOf, walk } from '../kernel/expr.ts';
import type { BufferParameter, Expr, Kernel, Schedule, Stage, Write, Span } from '../kernel/types.ts';
import { spansOf } from './span.ts';
import { defaultSchedule } from '../schedule/default.ts';
import type { MadeOnce } from './again.ts';
import { finish } from './finish.ts';
import { UnitShapes } from './shapes.ts';
import type { OriginId } from '../graph/origin.ts';
import type { Buffer } from '../kernel/types.ts';
import type { Draft } from './assemble.ts';

export interface Made {
  readonly kernel: Kernel;
  readonly schedule: Schedule;
}

export class KernelCache {
  readonly table = new ExprTable();
  readonly shapes = new UnitShapes();
  readonly alike = new Map<string, MadeOnce>();
  private readonly kernels = new Map<string, Kernel>();
  private readonly names = new Set<string>();

  private readonly drafts = new Map<string, Made>();
  private readonly schedules = new Map<Kernel, Schedule>();

  /** The kernel of a draft, new or known. `parameters` are the program's buffers by parameter position. */
  intern(draft: Draft, parameters: readonly Buffer[], wanted: () => string, origin: OriginId): Made {
    // Twice: as drafted, which spares a further layer the finish, and as finished, which is the identity.
    const key = draftKey(draft, parameters);
    let made = this.drafts.get(key);
    if (made === undefined) {
      const kernel = this.finished(finish(draft, this.table), parameters, wanted, origin);
      let schedule = this.schedules.get(kernel);
      if (schedule === undefined) this.schedules.set(kernel, (schedule = defaultSchedule(kernel, 'ts')));
      this.drafts.set(key, (made = { kernel, schedule }));
    }
    return made;
  }

  private finished(draft: Draft, parameters: readonly Buffer[], words: () => string, origin: OriginId): Kernel {
    const key = draftKey(draft, parameters);
    const known = this.kernels.get(key);
    if (known !== undefined) return known;
    const wanted = words();
    let name = wanted;
    for (let k = 2; this.names.has(name); k++) name = `${wanted}_${k}`;
    this.names.add(name);

    const taken = new Set<string>([...draft.axes.keys(), ...draft.stages.flatMap((s) => [...s.defs.keys()])]);
    const sizes = sizeNames(draft);
    for (const s of sizes) taken.add(s);
    const buffers = parameters.map((b, k): BufferParameter => {
      const base = identifier(b.name);
      let own = base;
      for (let n = 2; taken.has(own); n++) own = `${base}${n}`;
      taken.add(own);
      const row = draft.local.has(draft.buffers[k]!) ? { row: true as const } : {};
      return { name: own, dtype: b.dtype, access: draft.access[k]!, sizes: b.sizes, ...row };
    });
    const plain: Kernel = {
      name,
      sizes,
      buffers,
      axes: draft.axes,
      rows: draft.rows,
      stages: draft.stages,
      origin,
      reasons: draft.reasons,
    };
    const spans = draft.local.size === 0 ? new Map<string, Span>() : spansOf(plain);
    const kernel = spans.size === 0 ? plain : { ...plain, spans };
    this.kernels.set(key, kernel);
    return kernel;
  }
}

/** `h.0.attn.weight/m` → `weight_m`. */
function identifier(path: string): string {
  const slash = path.indexOf('/');
  const whole = slash < 0 ? path : path.slice(0, slash);
  const last = whole.slice(whole.lastIndexOf('.') + 1) + (slash < 0 ? '' : `_${path.slice(slash + 1)}`);
  const plain = last.replace(/_?\d+$/, '').replace(/[^A-Za-z0-9_]/g, '_');
  return /^[A-Za-z_]/.test(plain) ? plain : `b${plain}`;
}

function exprsOf(stage: Stage): Expr[] {
  const found: Expr[] = [];
  for (const def of stage.defs.values()) {
    found.push(def.value);
    if (def.op !== null && def.init !== null) found.push(def.init);
  }
  for (const w of [...stage.each, ...stage.writes]) {
    found.push(w.value);
    for (const d of w.dynamic) found.push(d.value);
  }
  return found;
}

function sizeNames(draft: Draft): string[] {
  const found = new Set<string>();
  const seen = new Set<Poly>();
  const note = (p: Poly): void => {
    if (seen.has(p) || asConst(p) !== null) return;
    seen.add(p);
    for (const s of names(p)) if (!draft.axes.has(s) && !s.startsWith('@')) found.add(s);
  };
  for (const extent of draft.axes.values()) note(extent);
  const walked = new Set<Expr>();
  for (const stage of draft.stages) {
    walk(exprsOf(stage), (e) => polysOf(e).forEach(note), walked);
    for (const w of [...stage.each, ...stage.writes]) {
      note(w.at);
      for (const g of w.guards) [g.e, g.lo, g.hi].forEach(note);
    }
  }
  return [...found].sort();
}

function draftKey(draft: Draft, parameters: readonly Buffer[]): string {
  const out: string[] = [];
  for (const [axis, extent] of draft.axes) out.push(axis, String(extent.id));
  out.push(';', draft.rows.join());
  for (const [k, b] of parameters.entries()) {
    out.push(b.dtype, draft.access[k]!, b.sizes.map((p) => p.id).join('x'));
    if (draft.local.has(draft.buffers[k]!)) out.push('row');
  }
  const write = (w: Write): void => {
    out.push(
      `w${w.buffer}`,
      String(w.at.id),
      w.guards.map((g) => `${g.e.id}:${g.lo.id}:${g.hi.id}`).join('+'),
      w.mode,
      String(w.value.id),
    );
  };
  for (const s of draft.stages) {
    out.push(`/${s.name}`, s.axes.join(), s.over.join(), String(s.order));
    for (const [name, def] of s.defs) {
      out.push(name, String(def.op), String(def.value.id));
      if (def.op !== null && def.init !== null) out.push(`init${def.init.id}`);
    }
    out.push('each');
    s.each.forEach(write);
    out.push('after');
    s.writes.forEach(write);
  }
  return out.join(' ');
}
