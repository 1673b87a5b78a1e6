/**
 * Counter-based random numbers: a pure function of (seed, stream, step, position), so every target draws the same ones in any order.
 * Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 *
 * Written here from the paper's round structure, apart from the unrolled one of `runtime/random.ts` that artifacts carry: each checks the other.
 */
import { add, mul, name, num, ZERO } from '../sizes/poly.ts';
import type { OpRecord } from './record.ts';
import { randomRule } from './rules.ts';
import { concrete, fill } from './tensor.ts';

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** Both words of Threefry-2x32-20 under this key at this counter, as unsigned 32-bit integers. */
export function threefry2x32(key: readonly [number, number], counter: readonly [number, number]): [number, number] {
  const keys = [key[0] | 0, key[1] | 0, key[0] ^ key[1] ^ 0x1bd11bda];
  let x = (counter[0] + keys[0]!) | 0;
  let y = (counter[1] + keys[1]!) | 0;
  for (let round = 0; round < 20; round++) {
    const r = ROTATIONS[round % 8]!;
    x = (x + y) | 0;
    y = ((y << r) | (y >>> (32 - r))) ^ x;
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      x = (x + keys[injection % 3]!) | 0;
      y = (y + keys[(injection + 1) % 3]! + injection) | 0;
    }
  }
  return [x >>> 0, y >>> 0];
}

export const random: OpRecord<'random'> = {
  ...randomRule,
  vjp: () => [null, null],
  evaluate: ([seed, step], node, cx) => {
    const { sizes, stream, word } = node.attrs;
    return [
      fill('f32', concrete(sizes, cx), (_, linear) => {
        const bits = threefry2x32([seed!.data[0]!, stream], [step!.data[0]!, linear])[word];
        return (bits >>> 8) * 2 ** -24;
      }),
    ];
  },
  lowering: {
    kind: 'scalar',
    lower: (cx, node, at) => {
      const { sizes, stream, word } = node.attrs;
      let linear = ZERO;
      for (const [k, size] of sizes.entries()) linear = add(mul(linear, size), at[k]!);
      return cx.op(
        'random',
        'f32',
        cx.read(0, []),
        cx.constant(stream, 'i32'),
        cx.read(1, []),
        cx.index(linear),
        cx.constant(word, 'i32'),
      );
    },
  },
  cost: () => 90,
  examples: [
    {
      title: 'the first word',
      inputs: [
        { dtype: 'i32', sizes: [] },
        { dtype: 'i32', sizes: [] },
      ],
      attrs: { sizes: [name('N'), num(2)], stream: 7, word: 0 },
      sizes: { N: 3 },
      values: { 0: [1], 1: [5] },
    },
    {
      title: 'the second word, a scalar',
      inputs: [
        { dtype: 'i32', sizes: [] },
        { dtype: 'i32', sizes: [] },
      ],
      attrs: { sizes: [], stream: 0, word: 1 },
      sizes: {},
      values: { 0: [-3], 1: [0] },
    },
  ],
};
