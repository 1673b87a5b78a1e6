/**
 * Loops that may end early, on a GPU that is given all rounds ahead: a round's dispatches take their extents from a table in the device's memory, and a small
 * kernel before each round writes what was meant there, or zeros once the loop is over. Only the device knows when that is.
 */
import type { Plan, PlanStep } from '../plan.ts';
import type { GpuBuffer, GpuDevice } from './api.ts';
import type { GpuKernel } from './table.ts';
import { sizeValue } from './sizes.ts';

export type LoopStep = Extract<PlanStep, { readonly kind: 'loop' }>;

export const isGated = (step: LoopStep): boolean => step.until !== undefined || step.limit !== undefined;

/**
 * A round is run unless an earlier one made `until` true, or it is not below `limit`, or the round around it is not run. A gate itself always is: it may not write
 * the table from which its own extents would come. Its row in that table says whether the round around it is run.
 */
export const gateKernel: GpuKernel = {
  name: 'gate',
  place: null,
  code: `
struct Sizes { first_: i32, count_: i32, round_: i32, begun_: i32, outer_: i32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> until_b: array<u32>;
@group(0) @binding(2) var<storage, read_write> limit_b: array<i32>;
@group(0) @binding(3) var<storage, read_write> meant_b: array<u32>;
@group(0) @binding(4) var<storage, read_write> live_b: array<u32>;
@compute @workgroup_size(64)
fn gate_(@builtin(local_invocation_index) thread: u32) {
  var over = (sizes.begun_ != 0 && until_b[0] != 0u) || sizes.round_ >= limit_b[0];
  if (sizes.outer_ >= 0 && live_b[sizes.outer_ * 4] == 0u) { over = true; }
  for (var i = i32(thread); i < sizes.count_ * 4; i += 64) {
    let at = sizes.first_ * 4 + i;
    live_b[at] = select(meant_b[at], 0u, over);
  }
}
`,
  slots: [0, 1, 2, 3],
  sizes: ['first', 'count', 'round', 'begun', 'outer'],
  passes: [{ entry: 'gate_', count: 1, per: 1 }],
};

/** Of a row of extents: x, y, 1 and a filling. */
const EXTENT_BYTES = 16;
// WebGPU's numbers: storage and destination of copies, and indirect.
const TABLE_USAGE = 128 | 8;
const LIVE_USAGE = TABLE_USAGE | 256;

/** Dispatches of gated rounds, at the bounds of the sizes; 0 where no loop ends early. */
export function gatedDispatches(
  plan: Plan,
  passesOf: (step: PlanStep) => number,
  env: ReadonlyMap<string, number>,
): number {
  const count = (steps: readonly PlanStep[], scope: Map<string, number>, gated: boolean): number =>
    steps.reduce((n, step) => {
      if (step.kind !== 'loop') return n + (gated ? passesOf(step) : 0);
      scope.set(step.variable, 0);
      const own = isGated(step);
      // Its gate has a row among the dispatches of the round around it.
      const round = count(step.body, scope, gated || own) + (own && gated ? 1 : 0);
      return n + sizeValue(step.count, scope) * round;
    }, 0);
  return Object.values(plan.programs).reduce((n, p) => n + count(p.steps, new Map(env), false), 0);
}

export class Gates {
  /** Extents as they are dispatched. */
  readonly live: GpuBuffer;
  private readonly device: GpuDevice;
  private readonly meant: GpuBuffer;
  /** An `until` that is never true, and a `limit` that is never reached. */
  private readonly none: GpuBuffer;
  private readonly values: Uint32Array<ArrayBuffer>;
  private next = 0;
  private written = 0;

  constructor(device: GpuDevice, name: string, count: number) {
    this.device = device;
    this.values = new Uint32Array(count * 4);
    const make = (label: string, size: number, usage: number): GpuBuffer =>
      device.createBuffer({ label: `${name}: ${label}`, size, usage });
    this.meant = make('extents', count * EXTENT_BYTES, TABLE_USAGE);
    this.live = make('extents of the rounds that run', count * EXTENT_BYTES, LIVE_USAGE);
    this.none = make('no end', 512, TABLE_USAGE);
    device.queue.writeBuffer(this.none, 256, Int32Array.of(2 ** 31 - 1));
  }

  /** Bindings of a loop's gate; `place` tells where a buffer of the plan lies. */
  entries(
    step: LoopStep,
    place: (buffer: number) => { readonly buffer: GpuBuffer; readonly offset: number },
  ): object[] {
    const of = (buffer: number | undefined, otherwise: number): object => ({
      ...(buffer === undefined ? { buffer: this.none, offset: otherwise } : place(buffer)),
      size: 4,
    });
    return [
      { binding: 1, resource: of(step.until, 0) },
      { binding: 2, resource: of(step.limit, 256) },
      { binding: 3, resource: { buffer: this.meant } },
      { binding: 4, resource: { buffer: this.live } },
    ];
  }

  /** The row of a dispatch's extents; neighbouring calls give neighbouring rows. */
  row(x: number, y: number): number {
    this.values.set([x, y, 1, 0], this.next * 4);
    return this.next++;
  }

  /** Sends what was added. */
  write(): void {
    const [from, to] = [this.written * 4, this.next * 4];
    if (to > from) this.device.queue.writeBuffer(this.meant, from * 4, this.values, from, to - from);
    this.written = this.next;
  }

  /** All rows anew: the sizes have changed. */
  clear(): void {
    this.next = 0;
    this.written = 0;
  }

  destroy(): void {
    for (const buffer of [this.meant, this.live, this.none]) buffer.destroy();
  }
}
