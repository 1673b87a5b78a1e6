/** Known networks: the kernels they become, printed, and right. */
import { describe, expect, test } from 'vitest';
import { differentiate } from '../../compiler/differentiate/differentiate.ts';
import { GraphBuilder } from '../../compiler/graph/builder.ts';
import type { Node, Output } from '../../compiler/graph/types.ts';
import { kernelsOf, printKernel, printProgram } from '../../compiler/kernel/print.ts';
import type { KernelProgram } from '../../compiler/kernel/types.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { fill } from '../../compiler/ops/tensor.ts';
import { evaluate, num } from '../../compiler/sizes/poly.ts';
import { drawer, newBuilder } from '../ops/harness.ts';
import * as m from './models.ts';
import { checkGraph, type Sizes } from './support.ts';

const out = (name: string, node: Node, updates: string | null = null): Output => ({ name, node, updates });

function drawn(b: GraphBuilder, sizes: Sizes, positive: readonly string[] = []): Map<string, Tensor> {
  const draw = drawer(5);
  return new Map(
    b.inputs.map((x) => {
      const extents = x.type.sizes.map((p) => evaluate(p, (s) => sizes[s]!));
      const low = positive.includes(x.attrs.name) ? 0.1 : -1;
      return [
        x.attrs.name,
        fill(x.type.dtype, extents, () => (x.type.dtype === 'i32' ? Math.floor(draw() * 3) : low + draw() * (1 - low))),
      ];
    }),
  );
}

const text = (p: KernelProgram): string => `\n${[printProgram(p), ...kernelsOf(p).map(printKernel)].join('\n\n')}\n`;

function run(
  b: GraphBuilder,
  outputs: readonly Output[],
  sizes: Sizes,
  positive: readonly string[] = [],
): KernelProgram {
  return checkGraph(b.finish(outputs), b.origins, drawn(b, sizes, positive), sizes);
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
      i < B, j < T, r < D; rows i j
      max: i j over r
        greatest = max(x[D * T * i + D * j + r])
      each: i j over r
        value = exp(x[D * T * i + D * j + r] - greatest)
        sum = sum(value)
        each exp[D * T * i + D * j + r] = value
      each2: i j r
        y[D * T * i + D * j + r] = exp[D * T * i + D * j + r] / sum
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
      i < B, j < T, r < D; rows i j
      sum: i j over r
        sum = sum(x[D * T * i + D * j + r])
        value = sum / f32(D)
      each: i j over r
        value2 = x[D * T * i + D * j + r] - value
        sum2 = sum(value2 * value2)
        value3 = recip(sqrt(sum2 / f32(D) + 0.00001))
        each sub[D * T * i + D * j + r] = value2
      each2: i j r
        y[D * T * i + D * j + r] = sub[D * T * i + D * j + r] * value3 * gain[r] + bias[r]
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
      i < K, j < N
      each: i j
        value = 0.9 * w_m[N * i + j] + 0.09999999999999998 * g[N * i + j]
        value2 = 0.999 * w_v[N * i + j] + 0.0010000000000000009 * (g[N * i + j] * g[N * i + j])
        w_m[N * i + j] = value
        w_v[N * i + j] = value2
        w[N * i + j] = w[N * i + j] - rate[0] * (value / (sqrt(value2) + 1e-8))
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
    if (stride === 1) expect(text(p)).toMatchInlineSnapshot();
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
      temporary exp: f32[B, T, N]
      temporary div: f32[B, T, N]
      temporary div_2: f32[B, T, N]
      temporary mul_2: f32[B, T, N]
      temporary eq: bool[B, T, N]
      temporary add_3: f32[B, T, N]
      temporary product: f32[B, T, D]
      sum_div_add(x, sub, mul, gain, bias, add)
      product_add(add, w, c, add_2)
      max_exp_add_gradient(add_2, exp, div, labels, div_2, mul_2, eq, add_3)
      sum_neg(labels, div, loss)
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
      i < B, j < T, r < D; rows i j
      sum: i j over r
        sum = sum(x[D * T * i + D * j + r])
        value = sum / f32(D)
      each: i j over r
        value2 = x[D * T * i + D * j + r] - value
        sum2 = sum(value2 * value2)
        value3 = recip(sqrt(sum2 / f32(D) + 0.00001))
        each sub[D * T * i + D * j + r] = value2
      each2: i j r
        value4 = sub[D * T * i + D * j + r] * value3
        mul[D * T * i + D * j + r] = value4
        add[D * T * i + D * j + r] = value4 * gain[r] + bias[r]

    kernel product_add(B, D, N, T, add f32[B, T, D], w f32[D, N], c f32[N], write add2 f32[B, T, N])
      i < B, j < T, k < N, r < D
      sum: i j k over r
        sum = sum(add[D * T * i + D * j + r] * w[N * r + k])
        add2[N * T * i + N * j + k] = sum + c[k]

    kernel max_exp_add_gradient(B, N, T, add f32[B, T, N], readwrite exp f32[B, T, N], write div f32[B, T, N], labels f32[B, T, N], readwrite div2 f32[B, T, N], readwrite mul f32[B, T, N], readwrite eq bool[B, T, N], write add2 f32[B, T, N])
      i < B, j < T, r < N; rows i j
      max: i j over r
        greatest = max(add[N * T * i + N * j + r])
      each: i j over r
        value = exp(add[N * T * i + N * j + r] - greatest)
        sum = sum(value)
        each exp[N * T * i + N * j + r] = value
      each2: i j over r
        value2 = exp[N * T * i + N * j + r] / sum
        value3 = -1 * labels[N * T * i + N * j + r] / value2
        sum2 = sum(neg(value3 * value2 / sum))
        each div[N * T * i + N * j + r] = value2
        each div2[N * T * i + N * j + r] = value3
      each3: i j over r
        value4 = (div2[N * T * i + N * j + r] / sum + sum2) * exp[N * T * i + N * j + r]
        sum3 = sum(neg(value4))
        each mul[N * T * i + N * j + r] = value4
      each4: i j over r
        value5 = add[N * T * i + N * j + r] == greatest
        sum4 = sum(f32(value5))
        value6 = sum3 / sum4
        each eq[N * T * i + N * j + r] = value5
      each5: i j r
        add2[N * T * i + N * j + r] = mul[N * T * i + N * j + r] + select(eq[N * T * i + N * j + r], value6, 0)

    kernel sum_neg(B, N, T, labels f32[B, T, N], div f32[B, T, N], write loss f32[])
      r < B, s < T, u < N
      sum:  over r s u
        sum = sum(labels[N * T * r + N * s + u] * log(div[N * T * r + N * s + u]))
        loss[0] = neg(sum)

    kernel sum_sub_gradient(B, N, T, add f32[B, T, N], readwrite c f32[N])
      i < N, r < B, s < T
      sum: i over r s
        sum = sum(add[N * T * r + N * s + i])
        c[i] = c[i] - 0.1 * sum

    kernel product_gradient(B, D, N, T, add f32[B, T, N], w f32[D, N], write product f32[B, T, D])
      i < B, j < T, k < D, r < N
      sum: i j k over r
        sum = sum(add[N * T * i + N * j + r] * w[N * k + r])
        product[D * T * i + D * j + k] = sum

    kernel product_sub_gradient(B, D, N, T, add f32[B, T, N], add2 f32[B, T, D], readwrite w f32[D, N])
      i < D, j < N, r < B, s < T
      sum: i j over r s
        sum = sum(add[N * T * r + N * s + j] * add2[D * T * r + D * s + i])
        w[N * i + j] = w[N * i + j] - 0.1 * sum

    kernel sum_sub_gradient_2(B, D, T, product f32[B, T, D], mul f32[B, T, D], readwrite gain f32[D], readwrite bias f32[D])
      i < D, r < B, s < T
      sum: i over r s
        sum = sum(product[D * T * r + D * s + i])
        sum2 = sum(product[D * T * r + D * s + i] * mul[D * T * r + D * s + i])
        gain[i] = gain[i] - 0.1 * sum2
        bias[i] = bias[i] - 0.1 * sum
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
      i < B, j < N
      each: i j
        last[N * i + j] = tanh[B * N * round + N * i + j]

    kernel sum(B, N, T, tanh f32[T, B, N], write sum2 f32[])
      r < T, s < B, u < N
      sum:  over r s u
        sum = sum(tanh[B * N * r + N * s + u] * tanh[B * N * r + N * s + u])
        sum2[0] = sum

    kernel sum_add(B, N, last f32[B, N], sum2 f32[], write loss f32[])
      r < B, s < N
      sum:  over r s
        sum = sum(last[N * r + s])
        loss[0] = sum2[0] + sum

    kernel broadcast_gradient(B, N, write broadcast f32[B, N])
      i < B, j < N
      each: i j
        broadcast[N * i + j] = 1

    kernel add_gradient(B, N, T, tanh f32[T, B, N], write add f32[T, B, N])
      i < T, j < B, k < N
      each: i j k
        add[B * N * i + N * j + k] = tanh[B * N * i + N * j + k] + tanh[B * N * i + N * j + k]

    kernel input(B, N, round, input f32[B, N], write input2 f32[T, B, N])
      i < B, j < N
      each: i j
        input2[B * N * round + N * i + j] = input[N * i + j]

    kernel product_tanh_2(B, N, input f32[B, N], u f32[N, N], product f32[B, N], write tanh f32[B, N])
      i < B, j < N, r < N
      sum: i j over r
        sum = sum(input[N * i + r] * u[N * r + j])
        tanh[N * i + j] = tanh(product[N * i + j] + sum)

    kernel broadcast_gradient_2(K, N, write broadcast f32[K, N])
      i < K, j < N
      each: i j
        broadcast[N * i + j] = 0

    kernel broadcast_gradient_3(N, write broadcast f32[N, N])
      i < N, j < N
      each: i j
        broadcast[N * i + j] = 0

    kernel product_mul_gradient(B, N, round, input f32[T, B, N], u f32[N, N], gh f32[B, N], add f32[T, B, N], product f32[B, N], write mul f32[B, N])
      i < B, j < N, r < N
      sum: i j over r
        sum = sum(input[B * N * round + N * i + r] * u[N * r + j])
        mul[N * i + j] = (gh[N * i + j] + add[B * N * round + N * i + j]) * (1 - tanh(product[N * i + j] + sum) * tanh(product[N * i + j] + sum))

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
