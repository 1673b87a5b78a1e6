/**
 * The transcendental functions against f64, over all of f32: every exponent with a sample of mantissas, or everything with NNC_EXHAUSTIVE=1.
 * Errors in units in the last place of the result. One lane and four lanes must agree in every bit.
 */
import { describe, expect, test } from 'vitest';
import { ModuleBuilder } from '../../../compiler/targets/wasm/encoder.ts';
import { Fn } from '../../../compiler/targets/wasm/function.ts';
import { library, Pool } from '../../../compiler/targets/wasm/math.ts';
import { threefryWord0, threefryWord1, uniform } from '../../../runtime/random.ts';

const names = ['exp', 'log', 'tanh', 'erf', 'sin', 'cos'] as const;
type Name = (typeof names)[number];

/** 2/√π Σ (−1)ⁿ x^(2n+1) / (n! (2n+1)), summed with positive terms; the continued fraction of erfc beyond 2.5. */
function erf(x: number): number {
  const y = Math.abs(x);
  if (y > 6) return Math.sign(x);
  // Most of f32 is this near to 0.
  if (y < 2 ** -12) return (2 / Math.sqrt(Math.PI)) * x * (1 - (y * y) / 3);
  if (y < 2.5) {
    let term = y;
    let sum = y;
    for (let n = 1; term > 1e-18 * sum; n++) sum += term *= (2 * y * y) / (2 * n + 1);
    return ((Math.sign(x) * 2) / Math.sqrt(Math.PI)) * Math.exp(-y * y) * sum;
  }
  let fraction = 0;
  for (let n = 80; n > 0; n--) fraction = n / 2 / (y + fraction);
  return Math.sign(x) * (1 - Math.exp(-y * y) / Math.sqrt(Math.PI) / (y + fraction));
}

const exact: Readonly<Record<Name, (x: number) => number>> = {
  // Below 2^-125 the result is 0 by design.
  exp: (x) => (x < -86.92 ? 0 : Math.exp(x)),
  log: Math.log,
  tanh: Math.tanh,
  erf,
  sin: Math.sin,
  cos: Math.cos,
};

const bounds: Readonly<Record<Name, number>> = { exp: 1, log: 0.9, tanh: 1.4, erf: 1.9, sin: 0.51, cos: 0.51 };

const pool = new Pool(64, 960);
const builder = new ModuleBuilder({ pages: 1, shared: false });
const targets = new Map<string, number>();
for (const [name, { signature, body }] of Object.entries(library)) {
  const target = builder.declare(signature, name.endsWith('4') ? null : name);
  builder.define(target, body(pool));
  targets.set(name, target);
}
// Four values at 1024 through the wide function, to 1040.
for (const name of ['exp', 'log', 'tanh', 'erf', 'half'] as const) {
  const fn = new Fn({ parameters: [], results: [] });
  fn.code.i32(1040);
  fn.code.i32(1024);
  fn.code.access('v128.load');
  fn.code.call(targets.get(`${name}4`)!);
  fn.code.access('v128.store');
  builder.define(builder.declare(fn.signature, `${name}Wide`), fn.done());
}
builder.constants(pool.start, pool.bytes());
const code = builder.encode();
const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
const functions = new WebAssembly.Instance(new WebAssembly.Module(code), { e: { m: memory } }).exports as Record<
  string,
  (...args: number[]) => number
>;
const lanes = new Float32Array(memory.buffer, 1024, 8);
const word = new Uint32Array(1);
const value = new Float32Array(word.buffer);

const exhaustive = process.env['NNC_EXHAUSTIVE'] === '1';
const step = exhaustive ? 1 : 7919;

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);
const units = Array.from({ length: 256 }, (_, k) => 2 ** (k - 149));
/** The last place of f32 at a number; of denormal ones all the same. */
function unit(x: number): number {
  double[0] = x;
  const exponent = ((halves[1]! >>> 20) & 0x7ff) - 1023;
  return units[Math.max(exponent, -126) + 126]!;
}

test('the module is valid', () => {
  expect(WebAssembly.validate(code)).toBe(true);
});

describe.each(names)('%s', (name) => {
  test(`within ${bounds[name]} units`, { timeout: exhaustive ? 4 * 3_600_000 : 20_000 }, () => {
    const f = functions[name]!;
    const wide = functions[`${name}Wide`];
    let worst = 0;
    for (let bits = 0; bits < 2 ** 32; bits += step) {
      word[0] = bits;
      const x = value[0]!;
      const y = f(x);
      const z = exact[name](x);
      if (wide !== undefined) {
        lanes[bits & 3] = x;
        wide();
        const same = lanes[4 + (bits & 3)]!;
        if (!Object.is(y, same)) expect(same, `${name}(${x}), wide`).toBe(y);
      }
      const rounded = Math.fround(z);
      if (Number.isNaN(z) || rounded === 0 || !Number.isFinite(rounded)) {
        // The largest finite results may already overflow by rounding, and the other way about.
        const close = Number.isFinite(z) && Math.abs(y) > 3.4e38;
        if (!Object.is(y, rounded) && !close) expect(y, `${name}(${x})`).toBe(rounded);
        continue;
      }
      const error = Math.abs(y - z) / unit(z);
      if (!(error <= worst)) worst = error;
      if (!(error <= bounds[name])) expect(error, `${name}(${x}) = ${y}, not ${z}`).toBeLessThanOrEqual(bounds[name]);
    }
    expect(worst).toBeGreaterThan(0.3);
    if (exhaustive) console.log(`${name}: ${worst.toFixed(3)} units at most, over all of f32`);
  });
});

test('what only the run over all of f32 found', () => {
  for (const name of ['tanh', 'erf', 'sin']) expect(functions[name]!(-0), name).toBe(-0);
  // Where the former polynomial of erf was worst, and where this one is.
  for (const x of [0.4668465852737427, 0.9013808965682983, -0.9013808965682983])
    expect(Math.abs(functions['erf']!(x) - erf(x)) / unit(erf(x)), `erf(${x})`).toBeLessThan(bounds.erf);
});

test("pow is JavaScript's, rounded once", () => {
  const special = [0, -0, 1, -1, Infinity, -Infinity, NaN, 2, 0.5, 3, -3, 1e30, 1e-30, -2, 2.5, -0.5, 127];
  for (const a of special)
    for (const b of special)
      expect(functions['pow']!(a, b), `${a} ** ${b}`).toBe(Math.fround(Math.fround(a) ** Math.fround(b)));
  for (let k = 0; k < 20000; k++) {
    const a = Math.fround(Math.exp(((k * 7919) % 4001) / 100 - 20));
    const b = Math.fround(((k * 104729) % 8009) / 1000 - 4);
    const wanted = a ** b;
    expect(Math.abs(functions['pow']!(a, b) - wanted) / unit(wanted), `${a} ** ${b}`).toBeLessThan(0.51);
  }
});

test('half rounds to nearest even', () => {
  const half = functions['half']!;
  const wanted: readonly (readonly [number, number])[] = [
    [1, 1],
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [65504, 65504],
    [65519, 65504],
    [65520, Infinity],
    [-65520, -Infinity],
    [2 ** -24, 2 ** -24],
    [2 ** -25, 0],
    [3 * 2 ** -25, 2 ** -23],
    [-(2 ** -14) + 2 ** -26, -(2 ** -14)],
    [NaN, NaN],
    [-0, -0],
  ];
  for (const [x, y] of wanted) expect(half(x), String(x)).toBe(y);
  for (const [k, [x]] of wanted.entries()) {
    lanes[k & 3] = x;
    functions['halfWide']!();
    expect(lanes[4 + (k & 3)], `${x}, wide`).toBe(wanted[k]![1]);
  }
});

test("random numbers are the runtime's", () => {
  for (let k = 0; k < 500; k++) {
    const key = [k * 7919, -k, k * k, 3 * k] as const;
    expect(functions['random']!(...key, 0)).toBe(uniform(threefryWord0(...key)));
    expect(functions['random']!(...key, 1)).toBe(uniform(threefryWord1(...key)));
  }
});
