/** Pages of what a compiled program throws, with the call that brings it about. */
import { type Shown } from './shown.ts';

const NET = 'model Net(x: float[B, 2]) -> float[B, 3] { return x |> out: Linear(3) }\n';
const build = 'nnc build net.nn --bound B=4 --out .';

/** A call of the module that `net.nn` becomes, wrong and mended. */
const call = (wrong: string, mended: string, program = NET, command: string = build): Shown => ({
  files: { 'net.nn': program },
  wrong: { files: { 'call.js': wrong }, commands: [command, 'node call.js'] },
  mended: { files: { 'call.js': mended }, commands: [command, 'node call.js'] },
});
const net = (line: string): string => `import { Net } from './Net.js';

const net = Net.create();
${line}
`;
const created = (line: string, more = ''): string => `import { Net } from './Net.js';

${more}const net = ${line};
`;
const gpu = (lines: string): string => `import { create } from 'webgpu';
import { Net } from './Net.js';

const gpu = create([]);
${lines}
`;
const wgsl = `${build} --target wgsl`;
const plus = 'model Net(x: float[N]) -> float[N] { return x + 1.0 }\n';
const tables = (rows: number): string => {
  const names = [1, 2, 3, 4, 5].map((k) => `p${k}`);
  return `model Net(x: float[2]) -> float[2] {
${names.map((p) => `  param ${p}: float[2, 28, ${rows}] = 0`).join('\n')}
  let y[n] = ${names.map((p) => `(sum[i, j] ${p}[n, i, j])`).join(' + ')} + x[n]
  return y
}
`;
};

export const shownCalls = {
  NN531: call(net('net.forward({ x: new Float64Array(2) });'), net('net.forward({ x: new Float32Array(2) });')),
  NN532: call(
    net('net.forward({ x: new Float32Array(3) });'),
    net('net.forward({ x: new Float32Array(4) }); // two rows of two'),
  ),
  NN533: call(
    net('net.forward({ x: new Float32Array(10) }); // five rows'),
    net('net.forward({ x: new Float32Array(8) });'),
  ),
  NN534: call(
    net('net.forward({ word: Int32Array.of(3, 10) });'),
    net('net.forward({ word: Int32Array.of(3, 9) });'),
    'model Net(word: i32[B] < 10) -> float[B, 2] { return word |> table: Embedding(10, 2) }\n',
  ),
  NN535: call(
    net('net.forward({ x: new Float32Array(6) }); // three rows'),
    net('net.forward({ x: new Float32Array(4) }); // two'),
    `model Net(x: float[B, 2]) -> float[B, 3] {
  require B % 2 == 0, "rows come in pairs"
  return x |> out: Linear(3)
}
`,
  ),
  NN536: call(
    net("net.load(new Map([['out.weight', { dtype: 'f32', shape: [2, 2], data: new Float32Array(4) }]]));"),
    net('net.load(Net.create({ seed: 2 }).weights());'),
  ),
  NN537: call(created('Net.create({ seed: 0.5 })'), created('Net.create({ seed: 5 })')),
  NN538: call(
    created('Net.create()'),
    created(
      'Net.create({ weights })',
      `const weights = new Map([
  ['out.weight', { dtype: 'f32', shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
  ['out.bias', { dtype: 'f32', shape: [3], data: Float32Array.of(0, 0, 0) }],
]);
`,
    ),
    NET,
    `${build} --weights int8`,
  ),
  NN541: call(created('await Net.create()'), gpu('const net = await Net.create({ gpu });'), NET, wgsl),
  NN542: call(
    gpu(`const device = await (await gpu.requestAdapter()).requestDevice();
const net = await Net.create({ device });
device.destroy();
await net.forward({ x: new Float32Array(4) });`),
    gpu(`const device = await (await gpu.requestAdapter()).requestDevice();
const net = await Net.create({ device });
await net.forward({ x: new Float32Array(4) });
device.destroy();`),
    NET,
    wgsl,
  ),
  NN543: {
    files: {
      'net.nn': plus,
      'call.js': gpu(`const device = await (await gpu.requestAdapter()).requestDevice();
const net = await Net.create({ device });`),
    },
    wrong: {
      commands: ['nnc build net.nn --bound N=536870912 --gpu-binding 2147483648 --target wgsl --out .', 'node call.js'],
    },
    mended: { commands: ['nnc build net.nn --bound N=1048576 --target wgsl --out .', 'node call.js'] },
  },
  NN544: {
    none: 'No program and no data should bring this about: every kernel is checked by a WebGPU implementation in the tests of nnc.',
  },
  NN545: {
    wrong: {
      files: { 'net.nn': tables(500000), 'call.js': gpu('const net = await Net.create({ gpu }); // 560 MB') },
      commands: ['nnc build net.nn --target wgsl --out .', 'node call.js'],
    },
    mended: {
      files: { 'net.nn': tables(500), 'call.js': gpu('const net = await Net.create({ gpu });') },
      commands: ['nnc build net.nn --target wgsl --out .', 'node call.js'],
    },
  },
} as const satisfies Readonly<Record<string, Shown>>;
