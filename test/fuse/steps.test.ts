/** Known steps of training: the kernels that a network with its gradient and a recurrent one become, printed, and right. */
import { expect, test } from 'vitest';
import { differentiate } from '../../compiler/differentiate/differentiate.ts';
import { newBuilder } from '../ops/harness.ts';
import { out, run, text } from './known.ts';
import * as m from './models.ts';

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
  const { loss, last, wanted } = m.recurrent(b);
  const [gx, gh, gw, gu] = differentiate(b, loss, wanted);
  const p = run(
    b,
    [out('loss', loss), out('last', last), out('gx', gx!), out('gh', gh!), out('gw', gw!), out('gu', gu!)],
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
