/** The module for all targets: which one it takes and why, the same numbers behind the same calls, and another device after a lost one. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import type { GpuDevice, GpuLike } from '../../../runtime/webgpu/api.ts';
import { instantiate, loadModule } from '../../support/emitted.ts';
import { deviceOf, nullGpu, skipLoudly } from '../wgsl/gpu.ts';

const source = readFileSync(join(import.meta.dirname, '../../../examples/digits.nn'), 'utf8');
const result = compile(source, { path: 'digits.nn', only: 'Fit', bounds: { B: 8 }, targets: ['auto'] });
const artifact = result.artifacts.get('Fit')!;
const { javascript, declarations } = artifact.modules.get('auto')!;

interface Net {
  readonly target: string;
  readonly tried: readonly { readonly target: string; readonly reason: string }[];
  readonly steps: number;
  step(inputs: object): Promise<{ loss: number; accuracy: number }>;
  enqueue(inputs: object): void;
  forward(inputs: object): Promise<{ output: { shape: number[]; data: Float32Array } }>;
  checkpoint(): Promise<{ readonly step: number }>;
  recover(checkpoint: unknown): Promise<void>;
  finished(): Promise<void>;
  close(): void;
}
type Create = (options?: object) => Promise<Net>;

const { Fit } = (await loadModule(javascript)) as { Fit: { create: Create } };
const inputs = {
  image: Float32Array.from({ length: 8 * 64 }, (_, k) => (k * 7) % 17),
  label: Int32Array.from({ length: 8 }, (_, k) => k),
};
const { gpu, reason } = await nullGpu();
if (gpu === null) skipLoudly('the module for all targets is not tried with WebGPU', reason);

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error as { code: string }).code,
  );

describe('a module for all targets', () => {
  it('takes WebAssembly where there is no WebGPU, and says why', async () => {
    const net = await Fit.create({ seed: 3 });
    expect(net.target).toBe('wasm');
    expect(net.tried.map((t) => t.target)).toEqual(['wgsl']);
    expect(net.tried[0]!.reason).toMatch(/NN541/);
  });

  it('computes the same behind the same calls', async () => {
    const here = await instantiate(artifact, 3);
    for (const target of ['ts', 'wasm']) {
      const net = await Fit.create({ seed: 3, targets: [target] });
      expect(net.target).toBe(target);
      const first = await net.step(inputs);
      const before = await net.forward(inputs);
      const values = before.output.data.slice();
      net.enqueue(inputs);
      await net.finished();
      await net.forward(inputs);
      // What was given stays as it was.
      expect(before.output.data).toEqual(values);
      expect(net.steps).toBe(2);
      if (target === 'ts') expect(first).toEqual({ ...here.step(inputs) });
      net.close();
    }
  });

  it('refuses what no target can mend, and says all reasons when none computes', async () => {
    expect(await codeOf(Fit.create({ seed: 0.5 }))).toBe('NN537');
    expect(await codeOf(Fit.create({ targets: ['wgsl'] }))).toBe('NN541');
    expect(await codeOf(Fit.create({ targets: ['cuda'] }))).toBe('NN537');
  });

  it('goes on from a checkpoint on what is left', async () => {
    const net = await Fit.create({ seed: 3, targets: ['wgsl', 'ts'] });
    await net.step(inputs);
    const saved = await net.checkpoint();
    const next = await net.step(inputs);
    await net.recover(saved);
    expect([net.target, net.steps]).toEqual(['ts', 1]);
    expect(await net.step(inputs)).toEqual(next);
  });

  it('has declarations that say what it is', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nnc-'));
    const use = join(folder, 'use.ts');
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'Fit.js'), javascript);
    writeFileSync(join(folder, 'Fit.d.ts'), declarations);
    writeFileSync(
      use,
      `import { Fit } from './Fit.js';
const net: Fit = await Fit.create({ seed: 1, targets: ['wasm', 'ts'] });
const { loss }: { loss: number } = await net.step({ image: new Float32Array(64), label: new Int32Array(1) });
const target: 'wgsl' | 'wasm' | 'ts' = net.target;
await net.recover(await net.checkpoint());
export const all: [number, string, string | undefined] = [loss, target, net.tried[0]?.reason];
`,
    );
    const program = ts.createProgram([use], {
      strict: true,
      noEmit: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      types: [],
      lib: ['lib.es2022.d.ts'],
    });
    const found = ts.getPreEmitDiagnostics(program).map((d) => ts.flattenDiagnosticMessageText(d.messageText, '\n'));
    expect(found).toEqual([]);
  });
});

describe.skipIf(gpu === null)('with a device', () => {
  it('takes WebGPU first, and another device when it is lost', async () => {
    const device: GpuDevice = await deviceOf(gpu!);
    const net = await Fit.create({ device, gpu, seed: 3 });
    expect([net.target, net.tried]).toEqual(['wgsl', []]);
    await net.step(inputs);
    const saved = await net.checkpoint();
    net.enqueue(inputs);
    device.destroy();
    await device.lost;
    expect(await codeOf(net.step(inputs))).toBe('NN542');
    await net.recover(saved);
    expect([net.target, net.steps]).toEqual(['wgsl', 1]);
    await net.step(inputs);
    net.close();
  });

  it('falls back when the adapter is gone', async () => {
    const given: GpuLike = gpu!;
    let present = true;
    const leaving: GpuLike = {
      requestAdapter: (options) => (present ? given.requestAdapter(options) : Promise.resolve(null)),
    };
    const net = await Fit.create({ gpu: leaving, seed: 3 });
    expect(net.target).toBe('wgsl');
    await net.step(inputs);
    const saved = await net.checkpoint();
    present = false;
    await net.recover(saved);
    expect([net.target, net.steps]).toEqual(['wasm', 1]);
    expect(net.tried[0]!.reason).toMatch(/no adapter/);
  });
});
