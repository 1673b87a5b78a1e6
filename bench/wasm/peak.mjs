/**
 * What a core can do at most, in the same run as what products do: multiplications and additions of vectors that stay in registers, as many sums as fit.
 * `node --no-liftoff bench/wasm/peak.mjs`
 */
import { compileText, encoder, interleaved, load } from './build.mjs';

const { ModuleBuilder } = encoder;
const { Fn } = await import(new URL('../../dist/compiler/targets/wasm/function.js', import.meta.url).href);
const SUMS = 14;
const ROUNDS = 1 << 22;
const builder = new ModuleBuilder({ pages: 1, shared: false });
const fn = new Fn({ parameters: ['f32'], results: ['f32'] });
const { code } = fn;
code.get(0);
code.op('f32x4.splat');
const factor = fn.hold('v128');
// Each begins elsewhere: equal ones would be computed once.
const sums = Array.from({ length: SUMS }, (_, k) => {
  code.get(0);
  code.f32(k);
  code.op('f32.add');
  code.op('f32x4.splat');
  return fn.hold('v128');
});
fn.for(0, ROUNDS, 1, () => {
  for (const sum of sums)
    for (const [name, other] of [
      ['f32x4.mul', factor],
      ['f32x4.add', factor],
    ]) {
      fn.code.get(sum);
      fn.code.get(other);
      fn.code.op(name);
      fn.code.set(sum);
    }
});
for (const [k, sum] of sums.entries()) {
  code.get(sum);
  if (k > 0) code.op('f32x4.add');
}
code.lane('f32x4.extract_lane', 0);
builder.define(builder.declare(fn.signature, 'peak'), fn.done());
const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
const { peak } = new WebAssembly.Instance(new WebAssembly.Module(builder.encode()), { e: { m: memory } }).exports;

const runs = [{ name: 'registers', work: ROUNDS * SUMS * 8, run: () => peak(0.5) }];
for (const [m, k, n] of [
  [256, 256, 256],
  [512, 512, 512],
  [1024, 1024, 1024],
  [128, 768, 3072],
]) {
  const source = `model Product(a: float[M, ${k}]) -> float[M, ${n}] { return a |> b: Linear(${n}, bias: false) }`;
  const built = compileText(source, { bounds: { M: m }, targets: ['wasm'] });
  const { Product } = await load(built.artifacts.get('Product').modules.get('wasm').javascript);
  const net = await Product.create({ seed: 1 });
  const a = Float32Array.from({ length: m * k }, (_, i) => Math.sin(i));
  runs.push({ name: `${m}x${k} @ ${k}x${n}`, work: 2 * m * k * n, run: () => net.forward({ a }) });
}
const times = interleaved(
  runs.map((r) => r.run),
  { seconds: 12 },
);
const rate = (k) => runs[k].work / times[k].least / 1e6;
for (const [k, { name }] of runs.entries())
  console.log(
    `${name}: ${rate(k).toFixed(1)} GFLOP/s at best, ${((100 * rate(k)) / rate(0)).toFixed(0)} % of registers`,
  );
