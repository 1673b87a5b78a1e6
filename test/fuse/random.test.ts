/** Graphs drawn at random through the builder: fused, unfused and evaluated agree, under any binding limit. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { differentiate } from '../../compiler/differentiate/differentiate.ts';
import { fuse } from '../../compiler/fuse/program.ts';
import type { GraphBuilder } from '../../compiler/graph/builder.ts';
import type { Node, Output } from '../../compiler/graph/types.ts';
import { evaluate, name, num, type Poly } from '../../compiler/sizes/poly.ts';
import { newBuilder } from '../ops/harness.ts';
import { drawn } from './drawn.ts';
import { softmax } from './models.ts';
import { callsOf, check } from './support.ts';

const sizes = { A: 2, B: 3 };
const [A, B] = [name('A'), name('B')];
const count = (p: Poly): number => evaluate(p, (s) => sizes[s as 'A' | 'B']);

type Step = readonly [kind: number, first: number, second: number, third: number];

/** One more node; every kind keeps values within a few units of 0 and is continuous in them. */
function grow(b: GraphBuilder, pool: Node[], [kind, first, second, third]: Step): Node | null {
  const x = pool[first % pool.length]!;
  const rank = x.type.sizes.length;
  const axis = rank === 0 ? 0 : third % rank;
  const like = pool.filter((n) => n.type.sizes.length === rank && n.type.sizes.every((s, k) => s === x.type.sizes[k]));
  const y = like[second % like.length]!;
  const half = (n: Node): Node => b.mul(n, b.constantOf(0.5, n.type));
  switch (kind) {
    case 0:
      return half(b.add(x, y));
    case 1:
      return b.mul(b.sin(x), y);
    case 2:
      return b.max(x, b.neg(y));
    case 3:
      return b.tanh(b.sub(x, y));
    case 4:
      return rank < 3
        ? b.broadcast(
            x,
            [...x.type.sizes.slice(0, axis), A, ...x.type.sizes.slice(axis)],
            x.type.sizes.map((_, k) => (k < axis ? k : k + 1)),
          )
        : null;
    case 5:
      return rank > 0 ? b.sin(b.reduce('sum', x, [axis])) : null;
    case 6:
      return rank > 0 ? b.reduce(third % 2 === 0 ? 'max' : 'min', x, [axis]) : null;
    case 7:
      return rank > 1
        ? b.transpose(
            x,
            x.type.sizes.map((_, k) => (k + 1) % rank),
          )
        : null;
    case 8:
      return rank > 0 ? softmax(b, x, axis) : null;
    case 9: {
      const mates = pool.filter((n) => n.type.sizes.length === 2 && rank === 2 && n.type.sizes[0] === x.type.sizes[1]);
      if (mates.length === 0) return null;
      return b.tanh(
        b.contract(x, mates[second % mates.length]!, ['i', 'k'], ['k', 'j'], third % 2 === 0 ? ['i', 'j'] : ['j', 'i']),
      );
    }
    case 10:
      return rank > 0 ? b.pad(x, axis, num(second % 2), num(1), third % 2) : null;
    case 11:
      return rank > 0 && count(x.type.sizes[axis]!) > 1 ? b.reverse(x, axis) : null;
    case 12:
      return rank > 0 ? b.concat([x, half(y)], axis) : null;
    case 13:
      return rank > 0
        ? b.cumulate('sum', half(x), axis, { exclusive: second % 2 === 0, reversed: third % 2 === 0 })
        : null;
    case 14:
      return rank > 1 ? b.merge(x, rank - 2, 2) : null;
    case 15: {
      if (rank === 0) return null;
      const at = b.mod(b.iota([B], 0), b.broadcast(b.sizeValue(x.type.sizes[axis]!), [B], []));
      return b.gather(x, [at], {
        sizes: x.type.sizes.map((s, k) => (k === axis ? B : s)),
        sources: x.type.sizes.map((_, k) => (k === axis ? { from: 'index', which: 0 } : { from: 'axis', axis: k })),
        on: [axis],
      });
    }
    case 16:
      return b.recip(b.add(b.exp(x), b.constantOf(1, x.type)));
    case 17: {
      if (rank === 0 || count(x.type.sizes[0]!) < 1) return null;
      const initial = b.zeros({ dtype: 'f32', sizes: x.type.sizes.slice(1) });
      const { yields } = b.loop(
        { carries: [initial], sequences: [x], length: x.type.sizes[0]!, reversed: third % 2 === 0 },
        (inner, _, [c], [e]) => {
          const next = inner.sin(inner.add(c!, e!));
          return { carries: [next], yields: [second % 2 === 0 ? next : inner.mul(c!, e!)] };
        },
      );
      return yields[0]!;
    }
    default:
      return null;
  }
}

const steps = fc.array(fc.tuple(fc.nat(17), fc.nat(50), fc.nat(50), fc.nat(50)), { minLength: 3, maxLength: 14 });

function graphOf(list: readonly Step[], gradient: boolean): { b: GraphBuilder; outputs: Output[] } {
  const b = newBuilder();
  const leaves = [
    b.input('x', 'data', { dtype: 'f32', sizes: [A, B] }),
    b.input('y', 'param', { dtype: 'f32', sizes: [B, A] }),
    b.input('z', 'state', { dtype: 'f32', sizes: [A, B] }),
    b.input('s', 'scalar', { dtype: 'f32', sizes: [] }),
  ];
  const pool: Node[] = [...leaves];
  for (const step of list) {
    const node = grow(b, pool, step);
    if (node !== null && node.type.sizes.reduce((n, s) => n * count(s), 1) <= 400) pool.push(node);
  }
  const outputs: Output[] = pool.slice(-3).map((node, k) => ({ name: `o${k}`, node, updates: null }));
  const updates = pool
    .filter((n) => n.type.sizes.length === 2 && n.type.sizes[0] === A && n.type.sizes[1] === B)
    .at(-1)!;
  outputs.push({ name: 'z', node: updates, updates: 'z' });
  if (gradient) {
    const last = pool.at(-1)!;
    const loss = b.reduce(
      'sum',
      last,
      last.type.sizes.map((_, k) => k),
    );
    differentiate(b, loss, leaves).forEach((g, k) => {
      if (g !== null) outputs.push({ name: `g${k}`, node: g, updates: k === 1 ? 'y' : null });
    });
  }
  return { b, outputs };
}

test.each([false, true])('gradients: %s', { timeout: 110_000 }, (gradient) => {
  fc.assert(
    fc.property(steps, fc.constantFrom(3, 5, 8), (list, maxBuffers) => {
      const { b, outputs } = graphOf(list, gradient);
      const graph = b.finish(outputs);
      const inputs = drawn(b, sizes);
      const fused = fuse(graph, { origins: b.origins, maxBuffers });
      check(fused, graph, inputs, sizes, 1e-4);
      for (const call of callsOf(fused)) expect(call.buffers.length).toBeLessThanOrEqual(maxBuffers + 1);
    }),
    { seed: 20, numRuns: gradient ? 150 : 300 },
  );
});
