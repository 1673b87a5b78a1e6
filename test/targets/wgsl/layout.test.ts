/** The GPU's offsets keep apart what the plan keeps apart, and together what it writes in place. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { GUARANTEED, gpuPlan, overLimits } from '../../../compiler/targets/wgsl/layout.ts';
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

  const plus = 'model Net(x: float[N]) -> float[N] { return x + 1.0 }';

  it('refuses a tensor that no device need have bindings for, with its line, unless told of more', () => {
    const options = { path: 'plus.nn', bounds: { N: 2 ** 29 }, targets: ['wgsl', 'auto'] } as const;
    const { reports, artifacts } = compile(plus, options);
    expect(reports.map((r) => r.code)).toEqual(['NN807', 'NN807']);
    expect(reports[0]!.message).toMatch(
      /^x of Net takes 2,048 MiB; a kernel sees at most 128 MiB of it through each of 8 bindings, and other/,
    );
    expect(reports[0]!.span).toMatchObject({ start: plus.indexOf('float') });
    expect(artifacts.get('Net')!.modules.has('wgsl')).toBe(false);
    // On WebAssembly it runs.
    expect(artifacts.get('Net')!.modules.get('auto')!.javascript).toMatch(/x takes 2147483648 bytes/);
    for (const gpu of [{ binding: 2 ** 31, buffer: 2 ** 31 }, { bindings: 16 }])
      expect(compile(plus, { ...options, gpu }).reports).toEqual([]);
    // All eight of them.
    expect(compile(plus, { ...options, bounds: { N: 2 ** 28 } }).reports).toEqual([]);
  });

  it('refuses a kernel of more tensors than a device binds', () => {
    const text = 'model Net(x: float[N], y: float[N], z: float[N]) -> float[N] { return x * y + z }';
    // Tensors that lie side by side share a binding, if it is long enough for both.
    const shared = compile(text, { bounds: { N: 8 }, targets: ['wgsl'], gpu: { bindings: 2 } });
    expect(shared.reports).toEqual([]);
    const { reports } = compile(text, { bounds: { N: 8 }, targets: ['wgsl'], gpu: { bindings: 2, binding: 256 } });
    expect(reports.map((r) => r.code)).toEqual(['NN807']);
    expect(reports[0]!.message).toMatch(/uses [34] tensors; this GPU allows 2/);
    const { reports: wrong } = compile(text, { bounds: { N: 8 }, gpu: { binding: 1000 } });
    expect(wrong.map((r) => r.code)).toEqual(['NN792']);
  });

  it('takes the workgroup memory that a device is said to have, and says so', () => {
    const text = `model Net(x: float[4, N, 64]) -> float[4, N, 64] {
      let score[h, t, s] = sum[e] x[h, t, e] * x[h, s, e]
      let weight[h, t, s] = softmax[s where s <= t] score[h, t, s]
      let z[h, t, e] = sum[s] weight[h, t, s] * x[h, s, e]
      return z
    }`;
    const code = (gpu: object): string =>
      compile(text, { bounds: { N: 4096 }, targets: ['wgsl'], gpu })
        .artifacts.get('Net')!
        .modules.get('wgsl')!.javascript;
    expect(code({})).not.toMatch(/, workgroup: \d{5} \},/);
    const [, bytes] = /, workgroup: (\d{5}) \},/.exec(code({ workgroup: 49_152 })) ?? [];
    expect(Number(bytes)).toBeGreaterThan(16_384);
    expect(Number(bytes)).toBeLessThanOrEqual(49_152);
  });

  it('lays no tensor across the end of a buffer', () => {
    const text = readFileSync(join(root, 'examples/digits.nn'), 'utf8');
    const { plan } = compile(text, { only: 'Fit' }).artifacts.get('Fit')!;
    const buffer = 32_768;
    const own = gpuPlan(plan, { ...GUARANTEED, buffer });
    expect(own.arenas.persistent).toBeGreaterThan(buffer);
    for (const b of own.buffers)
      expect(Math.floor(b.offset / buffer), b.name).toBe(Math.floor((b.offset + b.bytes - 1) / buffer));
    expect(overLimits(own, { ...GUARANTEED, buffer })).toEqual([]);
    expect(overLimits(own, { ...GUARANTEED, binding: 1024 }).length).toBeGreaterThan(0);
  });
});
