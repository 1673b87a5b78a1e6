/** Kernel programs as WebAssembly, run step by step from JavaScript, so that every kernel can be held against the interpreter. */
import { setFlagsFromString } from 'node:v8';
import { expect } from 'vitest';
import { fuse, type FuseOptions } from '../../../compiler/fuse/program.ts';
import type { Origins } from '../../../compiler/graph/origin.ts';
import type { Graph } from '../../../compiler/graph/types.ts';
import { interpret } from '../../../compiler/kernel/interpret.ts';
import { kernelsOf, printKernel, printProgram } from '../../../compiler/kernel/print.ts';
import type { Kernel, KernelProgram, KernelStep } from '../../../compiler/kernel/types.ts';
import type { Tensor } from '../../../compiler/ops/record.ts';
import { printWasmSchedule, wasmSchedule, type WasmSchedule } from '../../../compiler/schedule/wasm.ts';
import { evaluate } from '../../../compiler/sizes/poly.ts';
import { FIRST, WasmModule } from '../../../compiler/targets/wasm/module.ts';
import { prepare } from '../../../compiler/targets/wasm/prepare.ts';
import { tileModule } from '../../../compiler/targets/wasm/tile.ts';
import { workspaceBytes } from '../../../compiler/targets/wasm/product.ts';
import { rounded, type Sizes } from '../../fuse/support.ts';

/** NNC_RELAXED=1: the tiles with fused multiply-add, in an engine that has them, if only by its flag. */
const relaxed = process.env['NNC_RELAXED'] === '1';
if (relaxed) setFlagsFromString('--experimental-wasm-relaxed-simd');

export type Schedules = (kernel: Kernel) => WasmSchedule;

/** Everything that can be shared is, whatever it costs. */
export const divided: Schedules = (kernel) => wasmSchedule(kernel, () => 64, 0);

/** Nothing vectorised, nothing packed. */
export const plain: Schedules = (kernel) => {
  const rows = kernel.rows ?? [];
  return {
    rows,
    vector: null,
    share: null,
    block: null,
    leaves: kernel.stages.map((s) => ({
      kind: 'loops',
      stage: s.name,
      free: s.axes.filter((a) => !rows.includes(a)),
      over: s.over,
      vector: null,
      count: 1,
    })),
  };
};

type Data = Float32Array | Int32Array | Uint8Array;

export interface Ran {
  readonly buffers: ReadonlyMap<number, Data>;
}

export function run(
  program: KernelProgram,
  given: ReadonlyMap<string, ArrayLike<number>>,
  sizes: Sizes,
  schedules: Schedules = (k) => wasmSchedule(k),
  /** Where memory that is used begins. */
  base: number = FIRST,
): Ran {
  const kernels = kernelsOf(program).map(prepare);
  const originals = kernelsOf(program);
  const env = (s: string): number => sizes[s] ?? Number.NaN;
  // Every buffer has room of its own, with nonsense between.
  let at: number = base;
  const places = new Map<number, number>();
  const lengths = new Map<number, number>();
  for (const b of program.buffers) {
    const length = b.sizes.reduce((n, s) => n * evaluate(s, env), 1);
    places.set(b.id, at);
    lengths.set(b.id, length);
    at += (Math.ceil((length * (b.dtype === 'bool' ? 1 : 4)) / 64) + 2) * 64;
  }
  const workspace = at;
  const bytes = Math.max(0, ...kernels.map((k) => workspaceBytes(k, schedules(k), (s: string) => sizes[s] ?? 64)));
  const pages = Math.ceil((workspace + bytes + 4096) / 65536);
  // Everything as if it came from memory: more is emitted.
  const module = new WasmModule({ pages, shared: false, cold: true });
  const names = new Map(originals.map((k, n) => [k, `k${n}`]));
  for (const [n, k] of kernels.entries()) module.kernel({ ...k, name: `k${n}` }, true, schedules(k));
  const code = module.encode();
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536 });
  new Float32Array(memory.buffer, base).fill(Number.NaN);
  const tiles = new WebAssembly.Instance(new WebAssembly.Module(tileModule(relaxed)), { e: { m: memory } });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code), { e: { m: memory, ...tiles.exports } });
  const exported = instance.exports as Record<string, (...args: number[]) => void>;
  const buffers = new Map<number, Data>();
  for (const b of program.buffers) {
    const length = lengths.get(b.id)!;
    const place = places.get(b.id)!;
    const data =
      b.dtype === 'bool'
        ? new Uint8Array(memory.buffer, place, length)
        : b.dtype === 'i32'
          ? new Int32Array(memory.buffer, place, length)
          : new Float32Array(memory.buffer, place, length);
    const values = b.leaf === null || b.kind === 'output' ? undefined : given.get(b.leaf);
    if (values !== undefined) data.set(Array.from(values));
    buffers.set(b.id, data);
  }
  const go = (steps: readonly KernelStep[], names_: ReadonlyMap<string, number>): void => {
    const of = (s: string): number => names_.get(s) ?? Number.NaN;
    for (const step of steps) {
      if (step.kind === 'copy') buffers.get(step.to)!.set(buffers.get(step.from)!);
      else if (step.kind === 'loop') {
        const all = evaluate(step.count, of);
        const count = step.limit === null ? all : Math.min(all, buffers.get(step.limit)![0]!);
        for (let k = 0; k < count; k++) {
          go(step.body, new Map([...names_, [step.variable, step.reversed ? count - 1 - k : k]]));
          if (step.until !== null && buffers.get(step.until)![0] !== 0) break;
        }
      } else {
        // What is shared is done in three parts, in any order.
        const isShared = schedules(kernels[originals.indexOf(step.kernel)]!).share !== null;
        for (const [thread, threads] of isShared
          ? [[2, 3] as const, [0, 3] as const, [1, 3] as const]
          : [[0, 1] as const]) {
          exported[names.get(step.kernel)!]!(
            workspace,
            thread,
            threads,
            ...step.sizes.map((s) => evaluate(s, of)),
            ...step.buffers.map((b) => places.get(b)!),
          );
        }
      }
    }
  };
  go(program.steps, new Map(Object.entries(sizes)));
  return { buffers };
}

/** Against the interpreter: |found − wanted| ≤ tolerance (1 + |wanted|), for everything that the program returns. */
export function compare(
  program: KernelProgram,
  inputs: ReadonlyMap<string, Tensor>,
  sizes: Sizes,
  schedules: Schedules,
  tolerance: number,
  base: number = FIRST,
): void {
  const text = (): string =>
    [
      printProgram(program),
      ...kernelsOf(program).map((k) => `${printKernel(k)}\n${printWasmSchedule(schedules(prepare(k)))}`),
    ].join('\n\n');
  const given = new Map([...rounded(inputs)].map(([name, t]) => [name, t.data]));
  const wanted = interpret(program, given, sizes);
  let found: Ran;
  try {
    found = run(program, given, sizes, schedules, base);
  } catch (error) {
    throw new Error(`${String(error)}\n${text()}`, { cause: error });
  }
  for (const o of program.outputs) {
    const a = found.buffers.get(o.buffer)!;
    const b = wanted.output(o.name);
    for (const [k, y] of b.entries()) {
      const x = a[k]!;
      const same = Object.is(x, y) || x === y || Math.abs(x - y) <= tolerance * (1 + Math.abs(y));
      if (!same) expect(x, `${o.name}[${k}] of\n${text()}`).toBe(y);
    }
  }
}

export function checkGraph(
  graph: Graph,
  origins: Origins,
  inputs: ReadonlyMap<string, Tensor>,
  sizes: Sizes,
  tolerance: number,
  options: Partial<FuseOptions> = {},
): void {
  for (const f of [false, true]) {
    const program = fuse(graph, { origins, ...options, fuse: f });
    compare(program, inputs, sizes, plain, tolerance);
    compare(program, inputs, sizes, (k) => wasmSchedule(k), tolerance);
    compare(program, inputs, sizes, divided, tolerance);
  }
}
