/** The GPU's offsets keep apart what the plan keeps apart, and together what it writes in place. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { gpuPlan, overLimits } from '../../../compiler/targets/wgsl/layout.ts';
import type { Plan, PlanStep } from '../../../runtime/plan.ts';

const root = join(import.meta.dirname, '../../..');

function buffersOf(plan: Plan, program: string): number[] {
  const found = new Set<number>();
  const go = (steps: readonly PlanStep[]): void => {
    for (const s of steps) {
      if (s.kind === 'loop') go(s.body);
      else for (const b of s.kind === 'call' ? s.buffers : [s.from, s.to]) found.add(b);
    }
  };
  go(plan.programs[program]!.steps);
  return [...found];
}

describe('offsets for WebGPU', () => {
  it.each(['examples/digits.nn', 'examples/mnist.nn', 'examples/phonemes-lstm.nn'])('%s', (file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const { artifacts } = compile(text, { path: file, bounds: { B: 4, T: 4, S: 4 } });
    expect(artifacts.size).toBeGreaterThan(0);
    let shared = 0;
    for (const { plan } of artifacts.values()) {
      const own = gpuPlan(plan);
      for (const b of own.buffers) {
        expect(b.offset % 256, b.name).toBe(0);
        expect(b.offset + b.bytes, b.name).toBeLessThanOrEqual(own.arenas[b.arena]);
      }
      for (const program of Object.keys(plan.programs)) {
        const all = buffersOf(plan, program);
        for (const i of all) {
          for (const j of all) {
            const [a, b] = [plan.buffers[i]!, plan.buffers[j]!];
            if (i >= j || a.arena !== b.arena) continue;
            const [x, y] = [own.buffers[i]!, own.buffers[j]!];
            const apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
            if (apart && a.bytes > 0 && b.bytes > 0)
              expect(x.offset + x.bytes <= y.offset || y.offset + y.bytes <= x.offset, `${a.name} ${b.name}`).toBe(
                true,
              );
            if (a.offset === b.offset) {
              shared++;
              expect(x.offset, `${a.name} ${b.name}`).toBe(y.offset);
            }
          }
        }
      }
    }
    expect(shared).toBeGreaterThan(0);
  });

  it('tells what is over the limits that every device has', () => {
    const { artifacts } = compile('model Net(x: float[N]) -> float[N] { return x + 1.0 }', { bounds: { N: 2 ** 26 } });
    const { plan } = artifacts.get('Net')!;
    const over = overLimits(gpuPlan(plan));
    expect(over.map((o) => o.leaf)).toContain('x');
    expect(over.every((o) => o.bytes > o.limit)).toBe(true);
    expect(overLimits(gpuPlan(plan), { buffer: 2 ** 32, binding: 2 ** 31 })).toEqual([]);
  });
});
