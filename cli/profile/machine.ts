/**
 * What this machine can do at most, measured when a profile is taken: multiplications and additions of independent registers, and reading memory
 * in blocks that lie in L2, in L3, and in neither. One thread. The roofline of a kernel is the least time that either needs.
 */
import { FIRST, WasmModule } from '../../compiler/targets/wasm/module.ts';
import { Fn } from '../../compiler/targets/wasm/function.ts';

export interface Machine {
  /** In words. */
  readonly name: string;
  /** GFLOP/s: four lanes, or single numbers for the readable target. */
  readonly peak: number;
  /** GB/s, by the bytes that are gone through. */
  readonly bandwidth: readonly { readonly upTo: number; readonly rate: number }[];
}

const CHAINS = 12;
const CHUNK = 128;
const MB = 1 << 20;
/** Of a core; larger than L2, smaller than L3; larger than both. */
const blocks = [
  { upTo: MB, bytes: 256 * 1024 },
  { upTo: 16 * MB, bytes: 6 * MB },
  { upTo: Infinity, bytes: 160 * MB },
] as const;

const pages = Math.ceil((FIRST + blocks[2].bytes) / 65536) + 1;

function probes(): WasmModule {
  const module = new WasmModule({ pages, shared: false });
  const { builder } = module;
  const vectors = (fn: Fn, count: number): number[] => Array.from({ length: count }, () => fn.local('v128'));

  // compute(rounds): x = x * a + b in independent chains.
  const signature = { parameters: ['i32' as const], results: ['f32' as const] };
  const compute = new Fn(signature);
  const [a, b, ...chains] = vectors(compute, CHAINS + 2);
  for (const v of [a!, b!]) {
    compute.code.f32(v === a ? 0.999 : 0.001);
    compute.code.op('f32x4.splat');
    compute.code.set(v);
  }
  compute.for(0, { local: 0 }, 1, () => {
    for (const x of chains) {
      compute.code.get(x);
      compute.code.get(a!);
      compute.code.op('f32x4.mul');
      compute.code.get(b!);
      compute.code.op('f32x4.add');
      compute.code.set(x);
    }
  });
  const gather = (fn: Fn, list: readonly number[]): void => {
    for (const [k, x] of list.entries()) {
      fn.code.get(x);
      if (k > 0) fn.code.op('f32x4.add');
    }
    fn.code.lane('f32x4.extract_lane', 0);
  };
  gather(compute, chains);
  builder.define(builder.declare(signature, 'compute'), compute.done());

  // read(bytes): every vector of a block once.
  const read = new Fn(signature);
  const sums = vectors(read, CHUNK / 16);
  read.for(0, { local: 0 }, CHUNK, (at) => {
    for (const [k, x] of sums.entries()) {
      read.code.get(x);
      read.code.get(at);
      read.code.access('v128.load', FIRST + 16 * k);
      read.code.op('v128.or');
      read.code.set(x);
    }
  });
  gather(read, sums);
  builder.define(builder.declare(signature, 'read'), read.done());
  return module;
}

/** Calls of `run` a millisecond, at best, once it is hot. */
function fastest(run: () => void, milliseconds: number): number {
  const end = performance.now() + milliseconds;
  let best = Infinity;
  while (performance.now() < end) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** Multiplications and additions of JavaScript, one number at a time. */
function plain(rounds: number): number {
  let [s0, s1, s2, s3, s4, s5, s6, s7] = [0, 1, 2, 3, 4, 5, 6, 7];
  for (let i = 0; i < rounds; i++) {
    s0 = s0 * 0.999 + 0.001;
    s1 = s1 * 0.999 + 0.001;
    s2 = s2 * 0.999 + 0.001;
    s3 = s3 * 0.999 + 0.001;
    s4 = s4 * 0.999 + 0.001;
    s5 = s5 * 0.999 + 0.001;
    s6 = s6 * 0.999 + 0.001;
    s7 = s7 * 0.999 + 0.001;
  }
  return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
}

interface Probes {
  readonly compute: (rounds: number) => number;
  readonly read: (bytes: number) => number;
}

/** As emitted modules do it: the types of this project know nothing of WebAssembly. Pages that were never written are all the same one: they are filled. */
const loader = `
export function load(bytes, pages) {
  const m = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const none = () => undefined;
  const e = { m, t1: none, t2: none, t3: none, t4: none, t5: none };
  new Float32Array(m.buffer).fill(1);
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { e }).exports;
}`;

export async function measureMachine(target: 'ts' | 'wasm'): Promise<Machine> {
  const { load } = (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(loader)}`)) as {
    load: (bytes: Uint8Array, pages: number) => Probes;
  };
  const { compute, read } = load(probes().encode(), pages);
  const rounds = 100_000;
  const peak =
    target === 'wasm'
      ? (rounds * CHAINS * 8) / fastest(() => compute(rounds), 60) / 1e6
      : (rounds * 16) / fastest(() => plain(rounds), 60) / 1e6;
  const bandwidth = blocks.map(({ upTo, bytes }) => {
    const repeats = Math.max(1, Math.floor((8 * MB) / bytes));
    const once = fastest(() => {
      for (let i = 0; i < repeats; i++) read(bytes);
    }, 80);
    return { upTo, rate: (repeats * bytes) / once / 1e6 };
  });
  return { name: 'this machine, one thread', peak, bandwidth };
}

/** The least milliseconds in which this machine does so many operations on so many bytes. */
export function leastTime({ peak, bandwidth }: Machine, flops: number, bytes: number): number {
  const { rate } = bandwidth.find(({ upTo }) => bytes <= upTo) ?? bandwidth.at(-1)!;
  return Math.max(flops / peak, bytes / rate) / 1e6;
}
