import { test } from 'vitest';
import { differentiate } from '../../compiler/differentiate/differentiate.ts';
import { print } from '../../compiler/graph/print.ts';
import { name, num } from '../../compiler/sizes/poly.ts';
import { simplify } from '../../compiler/simplify/simplify.ts';
import { newBuilder } from '../ops/harness.ts';
test('mlp', () => {
  const b = newBuilder('mlp');
  const B = name('B'),
    D = num(64),
    H = num(32),
    C = num(10);
  const x = b.input('x', 'data', { dtype: 'f32', sizes: [B, D] });
  const t = b.input('t', 'data', { dtype: 'i32', sizes: [B] });
  const w1 = b.input('w1', 'param', { dtype: 'f32', sizes: [H, D] }),
    b1 = b.input('b1', 'param', { dtype: 'f32', sizes: [H] });
  const w2 = b.input('w2', 'param', { dtype: 'f32', sizes: [C, H] }),
    b2 = b.input('b2', 'param', { dtype: 'f32', sizes: [C] });
  const h = b.max(
    b.add(b.contract(x, w1, ['b', 'd'], ['h', 'd'], ['b', 'h']), b.broadcastTo(b1, [B, H])),
    b.constantOf(0, { dtype: 'f32', sizes: [B, H] }),
  );
  const l = b.add(b.contract(h, w2, ['b', 'd'], ['h', 'd'], ['b', 'h']), b.broadcastTo(b2, [B, C]));
  const m = b.reduce('max', l, [1]);
  const mm = b.broadcast(m, [B, C], [0]);
  const z = b.reduce('sum', b.exp(b.sub(l, b.stopGradient(mm))), [1]);
  const lse = b.add(b.log(z), b.stopGradient(m));
  const picked = b.gather(l, [t], {
    sizes: [B],
    sources: [
      { from: 'axis', axis: 0 },
      { from: 'index', which: 0 },
    ],
    on: [0],
  });
  const per = b.sub(lse, picked);
  const loss = b.div(b.reduce('sum', per, [0]), b.cast(b.sizeValue(B), 'f32'));
  const g = differentiate(b, loss, [w1, b1, w2, b2]);
  const graph = b.finish([
    { name: 'loss', node: loss, updates: null },
    ...g.map((n, k) => ({ name: 'g' + k, node: n!, updates: null })),
  ]);
  console.log(print(graph));
  console.log(print(simplify(graph, b.origins)));
});
test('lstmish', () => {
  const b = newBuilder('rnn');
  const B = name('B'),
    T = name('T'),
    D = num(8),
    H = num(4);
  const x = b.input('x', 'data', { dtype: 'f32', sizes: [B, T, D] });
  const w = b.input('w', 'param', { dtype: 'f32', sizes: [H, D] }),
    u = b.input('u', 'param', { dtype: 'f32', sizes: [H, H] }),
    bias = b.input('bias', 'param', { dtype: 'f32', sizes: [H] });
  const xt = b.transpose(x, [1, 0, 2]);
  const r = b.loop(
    { carries: [b.zeros({ dtype: 'f32', sizes: [B, H] })], sequences: [xt], length: T, reversed: false },
    (i, _, [h], [xx]) => {
      const n = i.tanh(
        i.add(
          i.add(
            i.contract(xx!, w, ['b', 'd'], ['h', 'd'], ['b', 'h']),
            i.contract(h!, u, ['b', 'd'], ['h', 'd'], ['b', 'h']),
          ),
          i.broadcastTo(i.local(bias), [B, H]),
        ),
      );
      return { carries: [n], yields: [n] };
    },
  );
  const loss = b.reduce('sum', b.mul(r.yields[0]!, r.yields[0]!), [0, 1, 2]);
  const g = differentiate(b, loss, [w, u, bias]);
  const graph = b.finish([
    { name: 'loss', node: loss, updates: null },
    ...g.map((n, k) => ({ name: 'g' + k, node: n!, updates: null })),
  ]);
  const fired: string[] = [];
  console.log(print(simplify(graph, b.origins, (r) => fired.push(r))), fired.join(' '));
});
