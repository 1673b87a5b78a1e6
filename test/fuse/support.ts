/** What the fusion tests share: a graph run by the evaluator and as kernels, compared. */
import { expect } from 'vitest';
import { fuse, type FuseOptions } from '../../compiler/fuse/program.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Origins } from '../../compiler/graph/origin.ts';
import type { Graph } from '../../compiler/graph/types.ts';
import { interpret } from '../../compiler/kernel/interpret.ts';
import { kernelsOf, printKernel, printProgram } from '../../compiler/kernel/print.ts';
import type { KernelProgram, KernelStep } from '../../compiler/kernel/types.ts';
import { verifyProgram } from '../../compiler/kernel/verify.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { verifySchedule } from '../../compiler/schedule/verify.ts';

export type Sizes = Readonly<Record<string, number>>;

/** f32 inputs as the kernels see them. */
export function rounded(inputs: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map(
    [...inputs].map(([name, t]) => [
      name,
      t.dtype === 'f32' ? { ...t, data: Float64Array.from(t.data, Math.fround) } : t,
    ]),
  );
}

export function callsOf(program: KernelProgram): Extract<KernelStep, { kind: 'call' }>[] {
  const go = (steps: readonly KernelStep[]): Extract<KernelStep, { kind: 'call' }>[] =>
    steps.flatMap((s) => (s.kind === 'call' ? [s] : s.kind === 'loop' ? go(s.body) : []));
  return go(program.steps);
}

/** The largest difference that is not explained by rounding: |found − wanted| / (|wanted| + 1). */
export function check(
  program: KernelProgram,
  graph: Graph,
  inputs: ReadonlyMap<string, Tensor>,
  sizes: Sizes,
  tolerance = 2e-5,
): void {
  const text = (): string => [printProgram(program), ...kernelsOf(program).map(printKernel)].join('\n\n');
  expect(verifyProgram(program, sizes), text()).toEqual([]);
  for (const call of callsOf(program)) expect(verifySchedule(call.kernel, call.schedule), text()).toEqual([]);
  const exact = rounded(inputs);
  const wanted = evaluate(graph, exact, sizes);
  let memory;
  try {
    memory = interpret(program, new Map([...exact].map(([name, t]) => [name, t.data])), sizes);
  } catch (error) {
    throw new Error(`${String(error)}\n${text()}`, { cause: error });
  }
  // The evaluator computes f16 values exactly; each of them is rounded here, by half a unit in 2^10.
  const allowed = tolerance + graph.nodes.filter((n) => n.type.dtype === 'f16').length * 2 ** -11;
  for (const [name, tensor] of wanted) {
    const found = memory.output(name);
    expect(found.length, name).toBe(tensor.data.length);
    for (const [k, x] of found.entries()) {
      const y = tensor.data[k]!;
      const same = Object.is(x, y) || x === y || Math.abs(x - y) <= allowed * (1 + Math.abs(y));
      if (!same) expect(x, `${name}[${k}] of\n${text()}`).toBe(y);
    }
  }
}

/** Fused and unfused, against the evaluator. Returns the fused program. */
export function checkGraph(
  graph: Graph,
  origins: Origins,
  inputs: ReadonlyMap<string, Tensor>,
  sizes: Sizes,
  options: Partial<FuseOptions> = {},
): KernelProgram {
  check(fuse(graph, { origins, fuse: false }), graph, inputs, sizes);
  const fused = fuse(graph, { origins, ...options });
  check(fused, graph, inputs, sizes);
  return fused;
}
