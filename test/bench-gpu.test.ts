/** The GPU benchmark runs from beginning to end without a GPU: small shapes, on Dawn's null backend and, where there is one, on a software driver. What it prints is not looked at beyond that. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nullGpu, realGpu, skipLoudly } from './targets/wgsl/gpu.ts';

const root = join(import.meta.dirname, '..');
const built = existsSync(join(root, 'dist/compiler/index.js'));
if (!built) skipLoudly('the GPU benchmark is not tried', 'nothing is built');
const [none, real] = [await nullGpu(), await realGpu()];
if (real.gpu === null) skipLoudly('the GPU benchmark computes nothing', real.reason);

function run(...options: string[]): { readonly text: string; readonly status: number | null } {
  const fixed = ['bench/gpu/run.mjs', '--small', '--peers', 'none', '--python', 'none'];
  const { stdout, status } = spawnSync(process.execPath, [...fixed, ...options], { cwd: root, encoding: 'utf8' });
  return { text: stdout, status };
}

describe.skipIf(!built || none.gpu === null)('the GPU benchmark', { timeout: 120_000 }, () => {
  it('times every section', () => {
    const { text, status } = run('--backend', 'null', '--only', 'products,gpt,decode,attention', '--sizes', '64');
    expect(status).toBe(0);
    expect(text).toMatch(/^adapter: .*null/);
    expect(text).toMatch(/^limits: .*maxComputeInvocationsPerWorkgroup/m);
    for (const what of ['f32 A B', 'f32 A B\\^T', 'f32 A\\^T B', 'f16 A B'])
      expect(text).toMatch(new RegExp(`^${what} 64: nnc .* TFLOP/s`, 'm'));
    expect(text).toMatch(/^GPT 1 x 32, 2 x 16: .* tokens\/s; \d\d+ dispatches a step/m);
    for (const row of ['decode f32, small', 'decode int8, small', 'decode int4, small']) {
      expect(text).toMatch(new RegExp(`^${row}: .* tokens/s .* \\d+ dispatches a token`, 'm'));
      expect(text).toMatch(new RegExp(`^${row}: .* tokens/s where the token stays on the GPU`, 'm'));
    }
    expect(text).toMatch(/^attention over 128 places, .*: stored .* ms/m);
  });

  it.skipIf(real.gpu === null)('computes what it times', () => {
    const { text, status } = run('--only', 'self-check');
    expect(status).toBe(0);
    expect(text).toMatch(/^measured: .* TFLOP\/s of f32, .* GB\/s from memory/m);
    expect(text).toMatch(/^self-check: five training steps, loss within .*CPU's$/m);
  });

  it('says when there is no GPU', () => {
    const { text, status } = run('--adapter', 'none of this name');
    expect(text).toMatch(/no adapter/);
    expect(status).toBe(1);
  });
});
