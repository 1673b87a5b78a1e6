/**
 * The design's programs at the sizes that they are written for, on synthetic data, each with something that must be so: a published number of parameters, a loss that
 * begins where it must and falls, a result that another program gives too. What needs minutes runs with NNC_SIZES=all. examples/design/README.md lists them; digits,
 * oscillator and wgan have tests of their own on their own data (training.test.ts, wgan.test.ts).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, type CompileOptions } from '../../compiler/index.ts';
import type { Artifact } from '../../compiler/pipeline.ts';
import { instantiate, loadModule, type Instance } from '../support/emitted.ts';

const all = process.env.NNC_SIZES === 'all';
const text = (file: string): string => readFileSync(`examples/design/${file}.nn`, 'utf8');

function built(source: string, only: string, options: Partial<CompileOptions> = {}): Artifact {
  const { artifacts, reports } = compile(source, { path: `${only}.nn`, only, targets: ['wasm'], ...options });
  expect(reports.filter((r) => r.severity === 'error').map((r) => `${r.code} ${r.message}`)).toEqual([]);
  return artifacts.get(only)!;
}
const made = (artifact: Artifact): Promise<Instance> => instantiate(artifact, 1, undefined, 'wasm');
const parameters = ({ plan }: Artifact): number =>
  plan.leaves
    .filter((l) => l.kind === 'param')
    .reduce((n, l) => n + l.shape.reduce<number>((size, extent) => size * Number(extent), 1), 0);

const wave = (n: number, scale = 1): Float32Array =>
  Float32Array.from({ length: n }, (_, k) => scale * Math.sin(1.3 * k));
const whole = (n: number, below: number, stride = 7919): Int32Array =>
  Int32Array.from({ length: n }, (_, k) => (k * stride + 13) % below);
const finite = (data: ArrayLike<number>): boolean => Array.prototype.every.call(data, Number.isFinite);

/** Evenly spread between -scale and scale (a linear congruence of 32 bits). */
function noise(data: Float32Array, scale: number, seed: number): Float32Array {
  let state = seed | 0;
  const unit = scale * 2 ** -31;
  for (let k = 0; k < data.length; k++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[k] = state * unit;
  }
  return data;
}

/** The losses of some steps on the same rows. */
function losses(net: Instance, inputs: object, steps: number, sizes?: object): number[] {
  return Array.from({ length: steps }, () => net.step(inputs, sizes)['loss']!);
}
function falls(of: readonly number[], share: number): void {
  expect(finite(of)).toBe(true);
  expect(of.at(-1)!).toBeLessThan(share * of[0]!);
}

describe('at the sizes they are written for', { timeout: 600_000 }, () => {
  it('resnet: ResNet-18 has the published number of parameters and reads pictures of 224 x 224', async () => {
    const artifact = built(text('resnet'), 'ResNet18', { bounds: { B: 1, H: 224, W: 224 } });
    expect(parameters(artifact)).toBe(11_689_512);
    const net = await made(artifact);
    const { data, shape } = Object.values(net.forward({ image: wave(3 * 224 * 224) }, { B: 1, H: 224, W: 224 }))[0]!;
    expect(shape).toEqual([1, 1000]);
    expect(finite(data)).toBe(true);
    expect(new Set(data).size).toBeGreaterThan(900);
  });

  // Minutes: on request, and not a skipped test otherwise.
  if (all)
    it('resnet: learns two pictures', async () => {
      const source = `${text('resnet')}
train Fit {
  input image: float[B, 3, 224, 224]
  input label: i32[B] < 1000
  minimize cross_entropy(ResNet18(image), label)
  optimizer SGD(lr: 0.01, momentum: 0.9)
  batch B = 2
}`;
      const net = await made(built(source, 'Fit', { bounds: { H: 224, W: 224 } }));
      falls(losses(net, { image: wave(2 * 3 * 224 * 224), label: Int32Array.of(3, 700) }, 5), 0.5);
    });

  const side = all ? 256 : 64;
  it(`unet: 64 to 1024 channels, on a picture of ${side} x ${side}`, async () => {
    const artifact = built(text('unet'), 'Segment', { bounds: { B: 1, H: side, W: side } });
    expect(parameters(artifact)).toBe(28_955_861);
    const net = await made(artifact);
    const { data, shape } = Object.values(
      net.forward({ image: wave(3 * side * side) }, { B: 1, H: side, W: side }),
    )[0]!;
    expect(shape).toEqual([1, 21, side, side]);
    expect(finite(data)).toBe(true);
  });

  it('gpt2: the published number of parameters; nothing looks ahead', async () => {
    const artifact = built(text('gpt2'), 'GPT2', { bounds: { B: 1, T: 8 } });
    expect(parameters(artifact)).toBe(124_439_808);
    const net = await made(artifact);
    const token = whole(8, 50_257);
    const first = Object.values(net.forward({ token }, { B: 1, T: 8 }))[0]!.data.slice();
    token[6] = 17;
    const second = Object.values(net.forward({ token }, { B: 1, T: 8 }))[0]!.data;
    expect(finite(first)).toBe(true);
    const differs = Array.from({ length: 8 }, (_, t) =>
      first.subarray(t * 50_257, (t + 1) * 50_257).some((v, k) => v !== second[t * 50_257 + k]),
    );
    expect(differs).toEqual([false, false, false, false, false, false, true, true]);
  });

  const [depth, vocab] = all ? [22, 32_000] : [1, 4000];
  it('decode: GPT-2 small with a cache for 1,024 tokens, prompt first and then word by word, says what the whole sentence says', async () => {
    const whole8 = await made(built(text('gpt2'), 'GPT2', { bounds: { B: 1, T: 8 } }));
    const artifact = built(text('decode'), 'GPT2', { bounds: { T: 6 } });
    expect(parameters(artifact)).toBe(124_439_808);
    const net = await made(artifact);
    const token = whole(8, 50_257);
    const read = Object.values(whole8.forward({ token }, { B: 1, T: 8 }))[0]!.data as Float32Array;
    for (const end of [6, 7, 8]) {
      const fresh = token.slice(end === 6 ? 0 : end - 1, end);
      const said = Object.values(net.stream!({ token: fresh }, { S: end }))[0]!.data as Float32Array;
      const expected = read.subarray((end - 1) * 50_257, end * 50_257);
      const scale = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const worst = said.reduce((most, v, k) => Math.max(most, Math.abs(v - expected[k]!)), 0);
      expect(worst / scale).toBeLessThan(1e-4);
    }
  });

  it(`llama: 2048 wide, ${depth} of 22 layers, ${vocab} words, in a byte a weight: what Generate writes is what Llama finds likeliest`, async () => {
    const consts = { layers: depth, vocab };
    const store = ['int8'];
    const one = built(text('llama'), 'Llama', { consts, weights: store, bounds: { B: 1, T: 7 } });
    const writing = built(text('llama'), 'Generate', { consts, weights: store, bounds: { B: 1, P: 4, N: 3 } });
    expect(parameters(one)).toBe(2 * vocab * 2048 + 2048 + depth * 44_044_288);
    const weights = new Drawn(one);
    const load = async (artifact: Artifact): Promise<Instance> => {
      const module = await loadModule(artifact.modules.get('wasm')!.javascript);
      return (module[artifact.name] as { create(o: object): Instance }).create({ weights });
    };
    const prompt = whole(4, vocab);
    const writer = await load(writing);
    const written = Array.from(
      Object.values(writer.forward({ prompt, stop: Int32Array.of(0) }, { B: 1, P: 4, N: 3 }))[0]!.data,
    );
    const reader = await load(one);
    const token = Int32Array.from([...prompt, ...written]);
    const logits = Object.values(reader.forward({ token }, { B: 1, T: 7 }))[0]!.data as Float32Array;
    const likeliest = [3, 4, 5].map((t) => {
      const row = logits.subarray(t * vocab, (t + 1) * vocab);
      return row.indexOf(row.reduce((a, b) => Math.max(a, b), -Infinity));
    });
    expect(written).toEqual(likeliest);
    expect(new Set(written).size).toBeGreaterThan(1);
  });

  it('translation: 9.4 million parameters begin at the loss of 8,000 words', async () => {
    const rows = all ? 64 : 4;
    const artifact = built(text('translation'), 'Translation', { bounds: { B: rows, S: 24, T: 24 } });
    expect(parameters(artifact)).toBe(9_421_824);
    const net = await made(artifact);
    const inputs = {
      source: whole(rows * 24, 8000),
      source_length: Int32Array.from({ length: rows }, (_, k) => 12 + (k % 13)),
      target: whole(rows * 25, 8000, 104_729),
      target_length: Int32Array.from({ length: rows }, (_, k) => 10 + (k % 14)),
    };
    const found = losses(net, inputs, 4);
    expect(Math.abs(found[0]! - Math.log(8000))).toBeLessThan(0.3);
    falls(found, 0.98);
  });

  it('graph: 2,708 papers with 1,433 words and 10,556 citations in seven communities', async () => {
    const [papers, edges, known] = [2708, 10_556, 140];
    const label = whole(papers, 7);
    const within = (n: number): number => (n - (n % 7) + 7 * 41) % (papers - 7);
    const source = whole(edges, papers);
    const target = Int32Array.from(source, (n, k) => (k % 5 === 0 ? (n * 31) % papers : within(n) + (n % 7)));
    const x = new Float32Array(papers * 1433);
    for (let n = 0; n < papers; n++) for (let w = 0; w < 18; w++) x[n * 1433 + ((w * 79 + n * 13 + (w % 3 === 0 ? label[n]! * 200 : n * n)) % 1433)] = 1; // prettier-ignore
    const mask = Uint8Array.from({ length: papers }, (_, n) => Number(n < known));
    const net = await made(built(text('graph'), 'Nodes', { bounds: { N: papers, E: edges } }));
    const found = losses(net, { x, source, target, label, known: mask }, all ? 60 : 4);
    expect(Math.abs(found[0]! - Math.log(7))).toBeLessThan(0.2);
    falls(found, all ? 0.5 : 0.97);
  });

  it('lstm: 256 cells over 96 steps find the sign of a sum', async () => {
    const source = `${text('lstm')}
model Net(x: float[B, T, 16]) -> float[B, 2] {
  let y = x |> LSTM(256)
  let last[b, n] = y[b, T - 1, n]
  return last |> Linear(2)
}
train Fit {
  input x: float[B, T, 16]
  input label: i32[B] < 2
  minimize cross_entropy(Net(x), label)
  optimizer Adam(lr: 3e-3)
  batch B = 32
}`;
    const x = wave(32 * 96 * 16);
    const label = Int32Array.from({ length: 32 }, (_, b) => Number(x.subarray((b + 1) * 1536 - 64, (b + 1) * 1536).reduce((a, v) => a + v, 0) > 0)); // prettier-ignore
    falls(losses(await made(built(source, 'Fit', { bounds: { T: 96 } })), { x, label }, 15), 0.5);
  });

  it('ctc: 80 frames, 28 letters and a blank, 20 letters to write', async () => {
    const source = `${text('ctc')}
model Net(x: float[B, T, 40]) -> float[B, T, 29] { return x |> Linear(128) |> tanh |> Linear(29) |> log_softmax }
train Fit {
  input x: float[B, T, 40]
  input label: i32[B, L] < 29
  input frames: i32[B] < T + 1
  input length: i32[B] < L + 1
  minimize ctc(Net(x), label, frames, length)
  optimizer Adam(lr: 3e-2)
  batch B = 16
}`;
    const net = await made(built(source, 'Fit', { bounds: { T: 80, L: 20 } }));
    const inputs = {
      x: wave(16 * 80 * 40),
      label: Int32Array.from(whole(16 * 20, 28), (v) => v + 1),
      frames: Int32Array.from({ length: 16 }, (_, b) => 80 - b),
      length: Int32Array.from({ length: 16 }, (_, b) => 20 - (b % 5)),
    };
    falls(losses(net, inputs, 15), 0.7);
  });

  it('optimizers: Adam as the design writes it is the library’s, on 784 x 512 weights', async () => {
    const network = `
model Net(x: float[B, 784]) -> float[B, 10] { return x |> a: Linear(512) |> relu |> b: Linear(10) }
train Fit {
  input x: float[B, 784]
  input label: i32[B] < 10
  minimize cross_entropy(Net(x), label)
  optimizer Adam(lr: 1e-3)
  batch B = 64
}`;
    const inputs = { x: noise(new Float32Array(64 * 784), 1, 1), label: whole(64, 10) };
    const nets = await Promise.all([text('optimizers') + network, network].map((s) => made(built(s, 'Fit'))));
    const [own, library] = nets.map((net) => losses(net, inputs, 10));
    falls(own!, 0.7);
    own!.forEach((loss, k) => expect(loss).toBeCloseTo(library![k]!, 4));
  });
});

/** Weights made when they are asked for, so that a billion of them need no room beside their bytes. */
class Drawn extends Map<string, { dtype: 'f32'; shape: readonly number[]; data: Float32Array }> {
  private readonly shapes: ReadonlyMap<string, readonly number[]>;
  constructor({ plan }: Artifact) {
    super();
    this.shapes = new Map(plan.leaves.filter((l) => l.kind === 'param').map((l) => [l.path, l.shape.map(Number)]));
  }
  override has(path: string): boolean {
    return this.shapes.has(path);
  }
  override get(path: string) {
    const shape = this.shapes.get(path);
    if (shape === undefined) return undefined;
    const data = new Float32Array(shape.reduce((n, e) => n * e, 1));
    const scale = 1.7 / Math.sqrt(shape.at(-1)!);
    if (shape.length === 1) data.fill(1);
    else
      noise(
        data,
        scale,
        Array.from(path).reduce((n, c) => Math.imul(n, 31) + c.charCodeAt(0), 7),
      );
    return { dtype: 'f32' as const, shape, data };
  }
  override keys() {
    return this.shapes.keys() as ReturnType<Map<string, never>['keys']>;
  }
  override get size(): number {
    return this.shapes.size;
  }
}
