/** Known networks: the kernels they become, printed, and right. */
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../compiler/differentiate/differentiate.ts';
import type { GraphBuilder } from '../../compiler/graph/builder.ts';
import type { Node, Output } from '../../compiler/graph/types.ts';
import { KernelCache } from '../../compiler/fuse/cache.ts';
import { explainFusion } from '../../compiler/fuse/explain.ts';
import { fuse } from '../../compiler/fuse/program.ts';
import { kernelsOf, printKernel, printProgram } from '../../compiler/kernel/print.ts';
import type { KernelProgram } from '../../compiler/kernel/types.ts';
import { depthOf } from '../../compiler/kernel/verify.ts';
import { defaultSchedule } from '../../compiler/schedule/default.ts';
import { printSchedule } from '../../compiler/schedule/print.ts';
import { num } from '../../compiler/sizes/poly.ts';
import { newBuilder } from '../ops/harness.ts';
import { drawn } from './drawn.ts';
import * as m from './models.ts';
import { callsOf, checkGraph, type Sizes } from './support.ts';

const out = (name: string, node: Node, updates: string | null = null): Output => ({ name, node, updates });

const text = (p: KernelProgram): string => `\n${[printProgram(p), ...kernelsOf(p).map(printKernel)].join('\n\n')}\n`;

function run(
  b: GraphBuilder,
  outputs: readonly Output[],
  sizes: Sizes,
  positive: readonly string[] = [],
): KernelProgram {
  return checkGraph(
    b.finish(outputs),
    b.origins,
    drawn(b, sizes, (n) => (positive.includes(n) ? 0.1 : -1)),
    sizes,
  );
}

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

test('layer normalisation, linear and cross entropy: a training step', () => {
  const b = newBuilder();
  const x = b.input('x', 'data', m.f32(m.B, m.T, m.D));
  const labels = b.input('labels', 'data', m.f32(m.B, m.T, m.N));
  const gain = b.input('gain', 'param', m.f32(m.D));
  const bias = b.input('bias', 'param', m.f32(m.D));
  const w = b.input('w', 'param', m.f32(m.D, m.N));
  const c = b.input('c', 'param', m.f32(m.N));
  const p1 = m.softmax(b, m.linear(b, m.layerNorm(b, x, gain, bias), w, c));
  const loss = b.neg(b.reduce('sum', b.mul(labels, b.log(p1)), [0, 1, 2]));
  const wrt = [gain, bias, w, c];
  const gradients = differentiate(b, loss, wrt);
  const updates = wrt.map((q, k) => out(`u${k}`, b.sub(q, b.mul(m.scalarOf(b, 0.1, q), gradients[k]!)), q.attrs.name));
  const p = run(b, [out('loss', loss), ...updates], { B: 2, T: 3, D: 4, N: 3 }, ['labels']);
  expect(text(p)).toMatchInlineSnapshot(`
    "
    program test
      data x: f32[B, T, D]
      data labels: f32[B, T, N]
      persistent gain: f32[D]
      persistent bias: f32[D]
      persistent w: f32[D, N]
      persistent c: f32[N]
      output loss: f32[]
      temporary sub: f32[B, T, D]
      temporary mul: f32[B, T, D]
      temporary add: f32[B, T, D]
      temporary add_2: f32[B, T, N]
      temporary max: f32[B, T]
      temporary exp: f32[B, T, N]
      temporary div: f32[B, T, N]
      temporary div_2: f32[B, T, N]
      temporary mul_2: f32[B, T, N]
      temporary sum: f32[B, T]
      temporary add_3: f32[B, T, N]
      temporary product: f32[B, T, D]
      sum_div_add(x, sub, mul, gain, bias, add)
      product_add(add, w, c, add_2)
      max_exp_mul_gradient(add_2, max, exp, div, labels, div_2, mul_2, sum)
      sum_neg(labels, div, loss)
      sum_div_add_gradient(add_2, max, sum, mul_2, add_3)
      sum_sub_gradient(add_3, c)
      product_gradient(add_3, w, product)
      product_sub_gradient(add_3, add, w)
      sum_sub_gradient_2(product, mul, gain, bias)
      loss = loss
      u0 = gain updates gain
      u1 = bias updates bias
      u2 = w updates w
      u3 = c updates c

    kernel sum_div_add(B, D, T, x f32[B, T, D], readwrite sub f32[B, T, D], write mul f32[B, T, D], gain f32[D], bias f32[D], write add f32[B, T, D])
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
        value4 = f32(sub[D * i + r] * value3)
        mul[D * i + r] = value4
        add[D * i + r] = value4 * gain[r] + bias[r]

    kernel product_add(B, D, N, T, add f32[B, T, D], w f32[D, N], c f32[N], write add2 f32[B, T, N])
      i < B * T, k < N, r < D
      sum: i k over r
        sum = sum(add[D * i + r] * w[N * r + k])
        add2[N * i + k] = sum + c[k]

    kernel max_exp_mul_gradient(B, N, T, add f32[B, T, N], write max f32[B, T], readwrite exp f32[B, T, N], write div f32[B, T, N], labels f32[B, T, N], readwrite div2 f32[B, T, N], write mul f32[B, T, N], write sum4 f32[B, T])
      i < B * T, r < N; rows i
      max: i over r
        greatest = max(add[N * i + r])
        max[i] = greatest
      each: i over r
        value = f32(exp(add[N * i + r] - f32(greatest)))
        sum = sum(value)
        each exp[N * i + r] = value
      each2: i over r
        value2 = f32(exp[N * i + r] / sum)
        value3 = f32(-1 * labels[N * i + r] / value2)
        sum2 = sum(neg(value3 * value2 / sum))
        each div[N * i + r] = value2
        each div2[N * i + r] = value3
      each3: i over r
        value4 = f32((div2[N * i + r] / sum + sum2) * exp[N * i + r])
        sum3 = sum(neg(value4))
        each mul[N * i + r] = value4
        sum4[i] = sum3

    kernel sum_neg(B, N, T, labels f32[B, T, N], div f32[B, T, N], write loss f32[])
      r < B * N * T
      sum:  over r
        sum = sum(labels[r] * log(div[r]))
        loss[0] = neg(sum)

    kernel sum_div_add_gradient(B, N, T, add f32[B, T, N], max f32[B, T], sum2 f32[B, T], mul f32[B, T, N], write add2 f32[B, T, N])
      i < B * T, r < N; rows i
      sum: i over r
        sum = sum(f32(add[N * i + r] == max[i]))
        value = sum2[i] / sum
      each: i r
        add2[N * i + r] = mul[N * i + r] + select(add[N * i + r] == max[i], value, 0)

    kernel sum_sub_gradient(B, N, T, add f32[B, T, N], readwrite c f32[N])
      i < N, r < B * T
      sum: i over r
        sum = sum(add[N * r + i])
        c[i] = c[i] - 0.1 * sum

    kernel product_gradient(B, D, N, T, add f32[B, T, N], w f32[D, N], write product f32[B, T, D])
      i < B * T, k < D, r < N
      sum: i k over r
        sum = sum(add[N * i + r] * w[N * k + r])
        product[D * i + k] = sum

    kernel product_sub_gradient(B, D, N, T, add f32[B, T, N], add2 f32[B, T, D], readwrite w f32[D, N])
      i < D, j < N, r < B * T
      sum: i j over r
        sum = sum(add[N * r + j] * add2[D * r + i])
        w[N * i + j] = w[N * i + j] - 0.1 * sum

    kernel sum_sub_gradient_2(B, D, T, product f32[B, T, D], mul f32[B, T, D], readwrite gain f32[D], readwrite bias f32[D])
      i < D, r < B * T
      sum: i over r
        sum_t0 = product[D * r + i]
        sum = sum(sum_t0)
        sum2 = sum(sum_t0 * mul[D * r + i])
        sum_t1 = gain[i]
        sum_t2 = bias[i]
        gain[i] = sum_t1 - 0.1 * sum2
        bias[i] = sum_t2 - 0.1 * sum
    "
  `);
});

test('a recurrent network and its gradient', () => {
  const b = newBuilder();
  const [x, h0, w, u] = [
    b.input('x', 'data', m.f32(m.T, m.B, m.K)),
    b.input('h0', 'data', m.f32(m.B, m.N)),
    b.input('w', 'param', m.f32(m.K, m.N)),
    b.input('u', 'param', m.f32(m.N, m.N)),
  ];
  const { carries, yields } = b.loop(
    { carries: [h0], sequences: [x], length: m.T, reversed: false },
    (inner, _, [h], [xt]) => {
      const next = inner.tanh(
        inner.add(
          inner.contract(xt!, w, ['b', 'k'], ['k', 'n'], ['b', 'n']),
          inner.contract(h!, u, ['b', 'k'], ['k', 'n'], ['b', 'n']),
        ),
      );
      return { carries: [next], yields: [next] };
    },
  );
  const loss = b.add(b.reduce('sum', b.mul(yields[0]!, yields[0]!), [0, 1, 2]), b.reduce('sum', carries[0]!, [0, 1]));
  const [gx, gh, gw, gu] = differentiate(b, loss, [x, h0, w, u]);
  const p = run(
    b,
    [out('loss', loss), out('last', carries[0]!), out('gx', gx!), out('gh', gh!), out('gw', gw!), out('gu', gu!)],
    {
      T: 4,
      B: 2,
      K: 3,
      N: 2,
    },
  );
  expect(text(p)).toMatchInlineSnapshot(`
    "
    program test
      data x: f32[T, B, K]
      data h0: f32[B, N]
      persistent w: f32[K, N]
      persistent u: f32[N, N]
      output loss: f32[]
      output last: f32[B, N]
      output gx: f32[T, B, K]
      output gh: f32[B, N]
      output gw: f32[K, N]
      output gu: f32[N, N]
      temporary tanh: f32[T, B, N]
      temporary product: f32[B, N]
      temporary sum: f32[]
      temporary broadcast: f32[B, N]
      temporary add: f32[T, B, N]
      temporary input: f32[B, N]
      temporary input_2: f32[T, B, N]
      temporary product_2: f32[B, N]
      temporary tanh_2: f32[B, N]
      temporary broadcast_2: f32[K, N]
      temporary broadcast_3: f32[N, N]
      temporary product_3: f32[B, N]
      temporary mul: f32[B, N]
      copy h0 to last
      for round < T
        product(x, w, product)
        product_tanh(last, u, product, tanh)
        tanh(tanh, last)
      sum(tanh, sum)
      sum_add(last, sum, loss)
      broadcast_gradient(broadcast)
      add_gradient(tanh, add)
      copy h0 to input
      for round < T
        input(input, input_2)
        product(x, w, product_2)
        product_tanh_2(input, u, product_2, tanh_2)
        copy tanh_2 to input
      broadcast_gradient_2(broadcast_2)
      broadcast_gradient_3(broadcast_3)
      copy broadcast to gh
      copy broadcast_2 to gw
      copy broadcast_3 to gu
      for round < T reversed
        product(x, w, product_3)
        product_mul_gradient(input_2, u, gh, add, product_3, mul)
        product_gradient(mul, u, gh)
        product_add_gradient(mul, input_2, gu)
        product_gradient_2(mul, w, gx)
        product_add_gradient_2(mul, x, gw)
      loss = loss
      last = last
      gx = gx
      gh = gh
      gw = gw
      gu = gu

    kernel product(B, K, N, round, x f32[T, B, K], w f32[K, N], write product f32[B, N])
      i < B, j < N, r < K
      sum: i j over r
        sum = sum(x[B * K * round + K * i + r] * w[N * r + j])
        product[N * i + j] = sum

    kernel product_tanh(B, N, round, last f32[B, N], u f32[N, N], product f32[B, N], write tanh f32[T, B, N])
      i < B, j < N, r < N
      sum: i j over r
        sum = sum(last[N * i + r] * u[N * r + j])
        tanh[B * N * round + N * i + j] = tanh(product[N * i + j] + sum)

    kernel tanh(B, N, round, tanh f32[T, B, N], write last f32[B, N])
      i < B * N
      each: i
        last[i] = tanh[B * N * round + i]

    kernel sum(B, N, T, tanh f32[T, B, N], write sum2 f32[])
      r < B * N * T
      sum:  over r
        sum_t0 = tanh[r]
        sum = sum(sum_t0 * sum_t0)
        sum2[0] = sum

    kernel sum_add(B, N, last f32[B, N], sum2 f32[], write loss f32[])
      r < B * N
      sum:  over r
        sum = sum(last[r])
        loss[0] = sum2[0] + sum

    kernel broadcast_gradient(B, N, write broadcast f32[B, N])
      i < B * N
      each: i
        broadcast[i] = 1

    kernel add_gradient(B, N, T, tanh f32[T, B, N], write add f32[T, B, N])
      i < B * N * T
      each: i
        t0 = tanh[i]
        add[i] = t0 + t0

    kernel input(B, N, round, input f32[B, N], write input2 f32[T, B, N])
      i < B * N
      each: i
        input2[B * N * round + i] = input[i]

    kernel product_tanh_2(B, N, input f32[B, N], u f32[N, N], product f32[B, N], write tanh f32[B, N])
      i < B, j < N, r < N
      sum: i j over r
        sum = sum(input[N * i + r] * u[N * r + j])
        tanh[N * i + j] = tanh(product[N * i + j] + sum)

    kernel broadcast_gradient_2(K, N, write broadcast f32[K, N])
      i < K * N
      each: i
        broadcast[i] = 0

    kernel broadcast_gradient_3(N, write broadcast f32[N, N])
      i < N ^ 2
      each: i
        broadcast[i] = 0

    kernel product_mul_gradient(B, N, round, input f32[T, B, N], u f32[N, N], gh f32[B, N], add f32[T, B, N], product f32[B, N], write mul f32[B, N])
      i < B, j < N, r < N
      sum: i j over r
        sum = sum(input[B * N * round + N * i + r] * u[N * r + j])
        sum_t0 = tanh(product[N * i + j] + sum)
        mul[N * i + j] = (gh[N * i + j] + add[B * N * round + N * i + j]) * (1 - sum_t0 * sum_t0)

    kernel product_gradient(B, N, mul f32[B, N], u f32[N, N], write gh f32[B, N])
      i < B, j < N, r < N
      sum: i j over r
        sum = sum(mul[N * i + r] * u[N * j + r])
        gh[N * i + j] = sum

    kernel product_add_gradient(B, N, round, mul f32[B, N], input f32[T, B, N], readwrite gu f32[N, N])
      i < N, j < N, r < B
      sum: i j over r
        sum = sum(mul[N * r + j] * input[B * N * round + N * r + i])
        gu[N * i + j] = gu[N * i + j] + sum

    kernel product_gradient_2(B, K, N, round, mul f32[B, N], w f32[K, N], write gx f32[T, B, K])
      i < B, j < K, r < N
      sum: i j over r
        sum = sum(mul[N * i + r] * w[N * j + r])
        gx[B * K * round + K * i + j] = sum

    kernel product_add_gradient_2(B, K, N, round, mul f32[B, N], x f32[T, B, K], readwrite gw f32[K, N])
      i < K, j < N, r < B
      sum: i j over r
        sum = sum(mul[N * r + j] * x[B * K * round + K * r + i])
        gw[N * i + j] = gw[N * i + j] + sum
    "
  `);
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
