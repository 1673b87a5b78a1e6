/** Which kernels are tiled products, which rows a workgroup shares, and that every emitted shader says so. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { printWgslSchedule, wgslSchedule } from '../../../compiler/schedule/wgsl.ts';
import { emitKernel } from '../../../compiler/targets/wgsl/kernel.ts';
import { slotMap } from '../../../compiler/targets/wgsl/slots.ts';

const source = readFileSync(join(import.meta.dirname, 'wide.nn'), 'utf8');
const { artifacts } = compile(source, { bounds: { B: 67 }, only: 'Fit' });
const { kernels, plan } = artifacts.get('Fit')!;

describe('schedules for WebGPU', () => {
  it('tiles products, forward and backward', () => {
    const step = new Set(plan.programs['step']!.steps.flatMap((s) => (s.kind === 'call' ? [s.kernel] : [])));
    const products = [...step]
      .map((k) => kernels[k]!)
      .flatMap((k) => wgslSchedule(k, () => 67).passes.filter((p) => p.kind === 'product'));
    // Two layers: the product itself, the weights' gradient, and the second's input's.
    expect(products.length).toBe(5);
  });

  it('shares long rows among the threads of a workgroup, and gives short ones to one thread each', () => {
    const norm = kernels.find((k) => (k.rows ?? []).length > 0 && k.stages.length > 1)!;
    expect(printWgslSchedule(wgslSchedule(norm), norm)).toMatch(/kept in registers/);
    const rows = { kind: 'rows', rows: norm.rows!, stages: norm.stages.map((s) => s.name), threads: 64 } as const;
    const long = { passes: [rows] };
    expect(printWgslSchedule(long, norm)).toMatch(/a workgroup of 64 each/);
    const shared = emitKernel(norm, long, slotMap(norm.buffers.map((_b, i) => String(i))), null);
    expect(shared.lines.join('\n')).toMatch(/workgroupUniformLoad/);
    const plain = { passes: [{ ...rows, threads: 1 }] };
    const alone = emitKernel(norm, plain, slotMap(norm.buffers.map((_b, i) => String(i))), null);
    expect(alone.lines.join('\n')).not.toMatch(/Barrier/);
  });

  it('gives buffers at one place one binding', () => {
    expect(slotMap(['work 0', 'work 256', 'work 0'])).toEqual([0, 1, 0]);
    const kernel = kernels.find((k) => k.buffers.length > 2)!;
    const map = slotMap(kernel.buffers.map((_b, i) => (i === kernel.buffers.length - 1 ? '0' : String(i))));
    const { slots } = emitKernel(kernel, wgslSchedule(kernel), map, null);
    expect(slots.length).toBe(kernel.buffers.length - 1);
  });
});
