/**
 * Operands of products in loops that are packed once, before the loop: recurrent weights. An operand is, if it is the same in every round: nothing of what it
 * is read from is written in the loop, and its sizes and places do not depend on the round. It leaves as many loops as that holds for.
 *
 * Such a product has a function of its own, which takes the panels where they are, beside the function that makes them. The panels live before the
 * workspaces, each operand's at a place of its own, at least as long as the loop runs.
 */
import type { Plan, PlanStep, SizeExpr } from '../../../runtime/plan.ts';
import { polysOf, walk } from '../../kernel/expr.ts';
import type { Kernel } from '../../kernel/types.ts';
import { widthOf } from '../../schedule/panels.ts';
import type { ProductSide, WasmLeaf, WasmSchedule } from '../../schedule/wasm.ts';
import { evaluate, names, type Poly } from '../../sizes/poly.ts';

export type Side = 'rows' | 'columns';
type Call = Extract<PlanStep, { kind: 'call' }>;
type Loop = Extract<PlanStep, { kind: 'loop' }>;
type Product = Extract<WasmLeaf, { kind: 'product' }>;

/** Panels of a call's operand, `at` from where all of them begin. */
export interface Packed {
  /** The call as it is; for packing with 0 for sizes that this does not depend on, which may be the loop's. */
  readonly call: Call;
  readonly side: Side;
  readonly at: number;
}

export interface Hoists {
  readonly calls: ReadonlyMap<PlanStep, Packed>;
  /** What is packed before a loop. */
  readonly before: ReadonlyMap<PlanStep, readonly Packed[]>;
  readonly bytes: number;
}

const MARGIN = 128;

interface Operand {
  readonly side: Side;
  readonly buffers: ReadonlySet<number>;
  /** Size parameters that it depends on. */
  readonly sizes: ReadonlySet<string>;
}

const sideOf = (leaf: Product, side: Side): ProductSide => (side === 'rows' ? leaf.rows : leaf.columns);

/** A kernel's only product, if its operands may be packed elsewhere. */
function productOf(schedule: WasmSchedule): Product | null {
  const [leaf, more] = schedule.leaves;
  if (leaf?.kind !== 'product' || more !== undefined || schedule.rows.length > 0 || schedule.block !== null)
    return null;
  return leaf.batch.length === 0 ? leaf : null;
}

function operand(kernel: Kernel, leaf: Product, side: Side): Operand | null {
  const { value, axes, guards } = sideOf(leaf, side);
  const buffers = new Set<number>();
  const found = new Set<string>();
  const note = (p: Poly): void => {
    for (const s of names(p)) if (kernel.sizes.includes(s)) found.add(s);
  };
  let steady = true;
  walk([value], (e) => {
    if (e.kind === 'value') steady = false;
    if (e.kind === 'read') buffers.add(e.buffer);
    for (const p of polysOf(e)) note(p);
  });
  for (const g of guards) for (const p of [g.e, g.lo, g.hi]) note(p);
  for (const a of [...axes, ...leaf.rows.axes, ...leaf.over]) note(kernel.axes.get(a)!);
  return steady ? { side, buffers, sizes: found } : null;
}

const mentionsLoop = (e: SizeExpr, variable: string): boolean =>
  typeof e === 'string' ? e === variable : typeof e === 'object' && e.args.some((a) => mentionsLoop(a, variable));

export function hoists(
  plan: Plan,
  kernels: readonly Kernel[],
  schedules: readonly WasmSchedule[],
  of: readonly ((size: string) => number)[],
): Hoists {
  const calls = new Map<PlanStep, Packed>();
  const before = new Map<PlanStep, Packed[]>();
  let bytes = 0;
  const range = (b: number): readonly [string, number, number] => {
    const { arena, offset, bytes: length } = plan.buffers[b]!;
    return [arena, offset, offset + length];
  };
  const written = (steps: readonly PlanStep[]): (readonly [string, number, number])[] =>
    steps.flatMap((s) => {
      if (s.kind === 'loop') return written(s.body);
      if (s.kind === 'copy') return [range(s.to)];
      const { buffers } = kernels[s.kernel]!;
      return s.buffers.flatMap((b, k) => (buffers[k]!.access === 'read' ? [] : [range(b)]));
    });
  const overlap = (a: readonly [string, number, number], b: readonly [string, number, number]): boolean =>
    a[0] === b[0] && a[1] < b[2] && b[1] < a[2];

  const go = (
    steps: readonly PlanStep[],
    loops: readonly { readonly loop: Loop; readonly writes: ReturnType<typeof written> }[],
  ): void => {
    for (const step of steps) {
      if (step.kind === 'loop') go(step.body, [...loops, { loop: step, writes: written(step.body) }]);
      if (step.kind !== 'call' || loops.length === 0) continue;
      const kernel = kernels[step.kernel]!;
      const leaf = productOf(schedules[step.kernel]!);
      if (leaf === null) continue;
      for (const side of ['columns', 'rows'] as const) {
        // Parts that are no whole panels are packed by who needs them.
        const { share } = schedules[step.kernel]!;
        if (share !== null && 'panels' in share && share.panels === side && share.by !== undefined) continue;
        const own = operand(kernel, leaf, side);
        if (own === null) continue;
        const read = [...own.buffers].map((k) => range(step.buffers[k]!));
        let at = loops.length;
        while (at > 0) {
          const { loop, writes } = loops[at - 1]!;
          const varies = kernel.sizes.some((s, k) => own.sizes.has(s) && mentionsLoop(step.sizes[k]!, loop.variable));
          if (varies || writes.some((w) => read.some((r) => overlap(w, r)))) break;
          at--;
        }
        if (at === loops.length) continue;
        const count = (axes: readonly string[]): number =>
          axes.reduce((n, a) => n * evaluate(kernel.axes.get(a)!, of[step.kernel]!), 1);
        const width = widthOf(leaf, side);
        const sizes = step.sizes.map((e, k) => (own.sizes.has(kernel.sizes[k]!) ? e : 0));
        const packed = { call: { ...step, sizes }, side, at: bytes };
        bytes += Math.ceil((4 * (count(sideOf(leaf, side).axes) + width) * count(leaf.over) + MARGIN) / 64) * 64;
        calls.set(step, packed);
        const { loop } = loops[at]!;
        before.set(loop, [...(before.get(loop) ?? []), packed]);
        break;
      }
    }
  };
  for (const program of Object.values(plan.programs)) go(program.steps, []);
  return { calls, before, bytes };
}
