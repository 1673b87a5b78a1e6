/** The register tile alone, over panels in L1: GFLOP/s of several shapes, interleaved. `node bench/wasm/tile.mjs [relaxed]` */
import { encoder, interleaved, tile } from './build.mjs';

const relaxed = process.argv[2] === 'relaxed';
const K = 512;
const calls = 100;
const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536 });
const shapes = [
  { rows: 5, unroll: 1, fence: 0 },
  { rows: 5, unroll: 1, fence: 2 },
  { rows: 5, unroll: 2, fence: 2 },
  { rows: 5, unroll: 4, fence: 2 },
  { rows: 6, unroll: 1, fence: 1 },
  ...[1, 2, 3, 4].flatMap((rows) => [1, 2, 4].map((unroll) => ({ rows, unroll, fence: 0 }))),
];
const runs = shapes.map((shape) => {
  const builder = new encoder.ModuleBuilder({ pages: 1, shared: false });
  builder.define(builder.declare(tile.tileSignature, 't'), tile.tileFunction(shape, relaxed));
  const { t } = new WebAssembly.Instance(new WebAssembly.Module(builder.encode()), { e: { m: memory } }).exports;
  return () => {
    for (let i = 0; i < calls; i++) t(4096, 65536, K, 1048576, 32, 4 * Math.max(5, shape.rows));
  };
});
for (const [k, { least, median }] of interleaved(runs).entries()) {
  const flops = 2 * calls * shapes[k].rows * 8 * K;
  console.log(
    JSON.stringify(shapes[k]),
    (flops / least / 1e6).toFixed(1),
    'GFLOP/s at best, median',
    (flops / median / 1e6).toFixed(1),
  );
}
