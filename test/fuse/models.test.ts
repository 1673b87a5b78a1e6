/** Known networks: the kernels they become, printed, and right. */
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../compiler/differentiate/differentiate.ts';
import type { Node } from '../../compiler/graph/types.ts';
import { KernelCache } from '../../compiler/fuse/cache.ts';
import { explainFusion } from '../../compiler/fuse/explain.ts';
import { fuse } from '../../compiler/fuse/program.ts';
import { kernelsOf } from '../../compiler/kernel/print.ts';
import type { KernelProgram } from '../../compiler/kernel/types.ts';
import { depthOf } from '../../compiler/kernel/verify.ts';
import { defaultSchedule } from '../../compiler/schedule/default.ts';
import { printSchedule } from '../../compiler/schedule/print.ts';
import { num } from '../../compiler/sizes/poly.ts';
import { newBuilder } from '../ops/harness.ts';
import { out, run, text } from './known.ts';
import * as m from './models.ts';
import { callsOf } from './support.ts';

test('linear and relu are one kernel', () => {
  const b = newBuilder();
  const x = b.input('x', 'data', m.f32(m.B, m.K));
  const y = m.relu(b, m.linear(b, x, b.input('w', 'param', m.f32(m.K, m.N)), b.input('b', 'param', m.f32(m.N))));
  const p = run(b, [out('y', y)], { B: 3, K: 5, N: 4 });
  expect(kernelsOf(p).length).toBe(1);
  expect(text(p)).toMatchInlineSnapshot(`
    "
    program test
      data x: f32[B, K]
      persistent w: f32[K, N]
      persistent b: f32[N]
      output y: f32[B, N]
      product_max(x, w, b, y)
      y = y

    kernel product_max(B, K, N, x f32[B, K], w f32[K, N], b f32[N], write y f32[B, N])
      i < B, j < N, r < K
      sum: i j over r
        sum = sum(x[K * i + r] * w[N * r + j])
        y[N * i + j] = max(sum + b[j], 0)
    "
  `);
});

test('softmax is one kernel', () => {
  const b = newBuilder();
  const y = m.softmax(b, b.input('x', 'data', m.f32(m.B, m.T, m.D)));
  const p = run(b, [out('y', y)], { B: 2, T: 3, D: 4 });
  expect(kernelsOf(p).length).toBe(1);
  expect(text(p)).toMatchInlineSnapshot(`
    "
    program test
      data x: f32[B, T, D]
      output y: f32[B, T, D]
      temporary exp: f32[B, T, D]
      max_exp_div(x, exp, y)
      y = y

    kernel max_exp_div(B, D, T, x f32[B, T, D], readwrite exp f32[B, T, D], write y f32[B, T, D])
      i < B * T, r < D; rows i
      max: i over r
        greatest = max(x[D * i + r])
      each: i over r
        value = f32(exp(x[D * i + r] - greatest))
        sum = sum(value)
        each exp[D * i + r] = value
      each2: i r
        y[D * i + r] = exp[D * i + r] / sum
    "
  `);
});

test('layer normalisation is one kernel', () => {
  const b = newBuilder();
  const x = b.input('x', 'data', m.f32(m.B, m.T, m.D));
  const y = m.layerNorm(b, x, b.input('gain', 'param', m.f32(m.D)), b.input('bias', 'param', m.f32(m.D)));
  const p = run(b, [out('y', y)], { B: 2, T: 3, D: 4 });
  expect(kernelsOf(p).length).toBe(1);
  expect(text(p)).toMatchInlineSnapshot(`
    "
    program test
      data x: f32[B, T, D]
      persistent gain: f32[D]
      persistent bias: f32[D]
      output y: f32[B, T, D]
      temporary sub: f32[B, T, D]
      sum_div_add(x, sub, gain, bias, y)
      y = y

    kernel sum_div_add(B, D, T, x f32[B, T, D], readwrite sub f32[B, T, D], gain f32[D], bias f32[D], write y f32[B, T, D])
      i < B * T, r < D; rows i
      sum: i over r
        sum = sum(x[D * i + r])
        value = sum / f32(D)
      each: i over r
        value2 = f32(x[D * i + r] - value)
        sum2 = sum(value2 * value2)
        value3 = recip(sqrt(sum2 / f32(D) + 0.00001))
        each sub[D * i + r] = value2
      each2: i r
        y[D * i + r] = sub[D * i + r] * value3 * gain[r] + bias[r]
    "
  `);
});

test('an optimizer update is one kernel, in place', () => {
  const b = newBuilder();
  const t = m.f32(m.K, m.N);
  const [w, v1, v2] = [b.input('w', 'param', t), b.input('w/m', 'slot', t), b.input('w/v', 'slot', t)];
  const [a, c, d] = m.adam(b, w, b.input('g', 'data', t), v1, v2, b.input('rate', 'scalar', m.f32()));
  const p = run(b, [out('a', a, 'w'), out('c', c, 'w/m'), out('d', d, 'w/v')], { K: 3, N: 4 }, ['w/v']);
  expect(kernelsOf(p).length).toBe(1);
  expect(text(p)).toMatchInlineSnapshot(`
    "
    program test
      persistent w: f32[K, N]
      persistent w/m: f32[K, N]
      persistent w/v: f32[K, N]
      data g: f32[K, N]
      scalar rate: f32[]
      add_sub(w/m, g, w/v, w, rate)
      a = w updates w
      c = w/m updates w/m
      d = w/v updates w/v

    kernel add_sub(K, N, readwrite w_m f32[K, N], g f32[K, N], readwrite w_v f32[K, N], readwrite w f32[K, N], rate f32[])
      i < K * N
      each: i
        t0 = w_m[i]
        t1 = g[i]
        value = f32(0.9 * t0 + 0.09999999999999998 * t1)
        t2 = w_v[i]
        value2 = f32(0.999 * t2 + 0.0010000000000000009 * (t1 * t1))
        t3 = w[i]
        w_m[i] = value
        w_v[i] = value2
        w[i] = t3 - rate[0] * (value / (sqrt(value2) + 1e-8))
    "
  `);
});

describe('convolution', () => {
  test.each([
    [1, 4],
    [2, 5],
  ])('stride %i and both gradients: no columns in memory', (stride, size) => {
    const b = newBuilder();
    const x = b.input('x', 'data', m.f32(m.B, num(2), num(size), num(size)));
    const w = b.input('w', 'param', m.f32(num(3), num(2), num(3), num(3)));
    const y = m.conv(b, m.relu(b, x), w, stride);
    const seed = b.input('seed', 'data', y.type);
    const [gx, gw] = differentiate(b, b.reduce('sum', b.mul(y, seed), [0, 1, 2, 3]), [x, w]);
    const p = run(b, [out('y', y), out('gx', gx!), out('gw', gw!)], { B: 2 });
    for (const buffer of p.buffers) expect(buffer.sizes.length).toBeLessThanOrEqual(4);
    if (stride === 1)
      expect(text(p)).toMatchInlineSnapshot(`
      "
      program test
        data x: f32[B, 2, 4, 4]
        persistent w: f32[3, 2, 3, 3]
        data seed: f32[B, 3, 4, 4]
        output y: f32[B, 3, 4, 4]
        output gx: f32[B, 2, 4, 4]
        output gw: f32[3, 2, 3, 3]
        temporary max: f32[B, 2, 4, 4]
        temporary mul: f32[B, 3, 4, 4]
        temporary fold: f32[B, 2, 6, 6]
        max(x, max)
        product(max, w, y)
        mul_gradient(seed, mul)
        product_gradient(mul, max, gw)
        fold_gradient(mul, w, fold)
        select_gradient(x, fold, gx)
        y = y
        gx = gx
        gw = gw

      kernel max(B, x f32[B, 2, 4, 4], write max f32[B, 2, 4, 4])
        i < 32 * B
        each: i
          max[i] = max(x[i], 0)

      kernel product(B, max f32[B, 2, 4, 4], w f32[3, 2, 3, 3], write y f32[B, 3, 4, 4])
        i < B, j < 3, k < 4, l < 4, r < 2, s < 3, u < 3
        sum: i j k l over r s u
          sum = sum((max[32 * i + 4 * k + l + 16 * r + 4 * s + u - 5] if 0 <= k + s - 1 < 4, 0 <= l + u - 1 < 4 else 0) * w[18 * j + 9 * r + 3 * s + u])
          y[48 * i + 16 * j + 4 * k + l] = sum

      kernel mul_gradient(B, seed f32[B, 3, 4, 4], write mul f32[B, 3, 4, 4])
        i < 48 * B
        each: i
          mul[i] = seed[i]

      kernel product_gradient(B, mul f32[B, 3, 4, 4], max f32[B, 2, 4, 4], write gw f32[3, 2, 3, 3])
        i < 3, j < 2, k < 3, l < 3, r < B, s < 4, u < 4
        sum: i j k l over r s u
          sum = sum(mul[16 * i + 48 * r + 4 * s + u] * (max[16 * j + 4 * k + l + 32 * r + 4 * s + u - 5] if 0 <= k + s - 1 < 4, 0 <= l + u - 1 < 4 else 0))
          gw[18 * i + 9 * j + 3 * k + l] = sum

      kernel fold_gradient(B, mul f32[B, 3, 4, 4], w f32[3, 2, 3, 3], write fold f32[B, 2, 6, 6])
        i < B, j < 2, k < 6, l < 6, r < 3, s < 3, u < 3
        sum: i j k l over r s u
          sum = sum((mul[48 * i + 4 * k + l - 4 * r - s + 16 * u] * w[9 * j + 3 * r + s + 18 * u] if 0 <= k - r < 4, 0 <= l - s < 4 else 0))
          fold[72 * i + 36 * j + 6 * k + l] = sum

      kernel select_gradient(B, x f32[B, 2, 4, 4], fold f32[B, 2, 6, 6], write gx f32[B, 2, 4, 4])
        i < 2 * B, k < 4, l < 4
        each: i k l
          gx[16 * i + 4 * k + l] = select(0 < x[16 * i + 4 * k + l], fold[36 * i + 6 * k + l + 7], 0)
      "
    `);
  });
});

test('a row that reads another row waits for a kernel of its own', () => {
  const b = newBuilder();
  const y = m.softmax(b, b.input('x', 'data', m.f32(m.T, m.D)));
  const mixed = b.add(y, b.reverse(y, 0));
  const p = run(b, [out('y', y), out('mixed', mixed)], { T: 3, D: 4 });
  expect(kernelsOf(p).length).toBe(2);
});

test('a greatest value equals itself, whether read back or kept', () => {
  const b = newBuilder();
  const x = b.input('x', 'data', m.f32(m.T, m.D));
  const y = b.mul(b.add(x, b.input('z', 'data', x.type)), m.scalarOf(b, 0.3, x));
  const [g] = differentiate(b, b.reduce('sum', b.reduce('max', y, [1]), [0]), [x]);
  run(b, [out('y', y), out('g', g!)], { T: 5, D: 6 });
});

test('leaves as outputs, swapped and kept', () => {
  const b = newBuilder();
  const [u, v] = [b.input('u', 'state', m.f32(m.K)), b.input('v', 'state', m.f32(m.K))];
  const sum = b.add(u, v);
  const p = run(b, [out('old', u), out('a', v, 'u'), out('b', u, 'v'), out('sum', sum), out('view', b.reverse(v, 0))], {
    K: 4,
  });
  expect(p.steps.at(-1)!.kind).toBe('copy');
});

test('an update that others still read goes to a temporary', () => {
  const b = newBuilder();
  const w = b.input('w', 'state', m.f32(m.K, m.K));
  const next = b.tanh(b.contract(w, w, ['i', 'k'], ['k', 'j'], ['i', 'j']));
  const p = run(b, [out('n', next, 'w'), out('later', b.contract(next, w, ['i', 'k'], ['k', 'j'], ['i', 'j']))], {
    K: 3,
  });
  expect(p.steps.at(-1)!.kind).toBe('copy');
});

test('a chain of ten thousand additions neither overflows the stack nor takes long', () => {
  const b = newBuilder();
  const x = b.input('x', 'data', m.f32(m.K));
  let y: Node = x;
  for (let k = 0; k < 10_000; k++) y = b.add(b.mul(y, m.scalarOf(b, 0.5, y)), x);
  const begin = performance.now();
  const p = fuse(b.finish([out('y', y)]), { origins: b.origins });
  expect(performance.now() - begin).toBeLessThan(10_000);
  expect(kernelsOf(p).length).toBeLessThan(3);
  expect(depthOf(kernelsOf(p)[0]!)).toBeLessThan(400);
});

test('kernels are shared by programs with one cache, and every stored value has a reason', () => {
  const make = (): KernelProgram => {
    const b = newBuilder();
    const x = b.input('x', 'data', m.f32(m.B, m.K));
    const y = m.relu(b, m.linear(b, x, b.input('w', 'param', m.f32(m.K, m.K)), b.input('b', 'param', m.f32(m.K))));
    const z = m.relu(b, m.linear(b, y, b.input('w2', 'param', m.f32(m.K, m.K)), b.input('b2', 'param', m.f32(m.K))));
    return fuse(b.finish([out('z', m.softmax(b, z))]), { origins: b.origins, cache });
  };
  const cache = new KernelCache();
  const [first, second] = [make(), make()];
  expect(kernelsOf(first)).toEqual(kernelsOf(second));
  expect(kernelsOf(first)[0]).toBe(kernelsOf(second)[0]);
  expect(kernelsOf(first).length).toBe(2);
  expect(explainFusion(first).map((f) => `${f.value}: ${f.reason}`)).toMatchInlineSnapshot(`
    [
      "max: re-read along a broadcast axis",
      "max_2: re-read along a broadcast axis",
      "exp: costly and shared",
      "z: output",
    ]
  `);
  expect(kernelsOf(first).map((k) => printSchedule(defaultSchedule(k, 'ts')))).toMatchInlineSnapshot(`
    [
      "sum: i j r tile i 4, j 4",
      "loop i
      max: r
      each: r
      each2: r",
    ]
  `);
});

test('more operands than buffers', () => {
  const b = newBuilder();
  const xs = Array.from({ length: 12 }, (_, k) => b.input(`x${k}`, 'data', m.f32(m.K)));
  const sum = xs.reduce<Node>((s, x) => b.add(s, x), xs[0]!);
  const joined = b.concat(xs, 0);
  const p = run(b, [out('sum', sum), out('joined', joined)], { K: 3 });
  for (const call of callsOf(p)) expect(call.buffers.length).toBeLessThanOrEqual(8);
});
