/** The prose of broadcasting (NN2xx). */
import type { CheckProblems } from '../families/check.ts';
import type { ProseTable } from '../problem.ts';
import { explain, places, stateIt, table, verdict } from './prose.ts';

type Family = Pick<CheckProblems, Extract<keyof CheckProblems, `NN2${string}`>>;

export const broadcastProse: ProseTable<Family> = {
  NN201: {
    severity: 'error',
    title: 'a pairing that nobody meant',
    explain: explain(
      `[N, 1] next to [N] would pair every element with every other: [N, N]. NumPy and its kin do so silently; it is the most costly of silent mistakes,
because the loss still falls. Here an axis is never repeated because it happens to be 1.`,
      `model M(x: float[N, 3]) -> float[N, 1] { x |> Linear(1) }
train Fit {
  input x: float[N, 3]
  input y: float[N]
  minimize mean((M(x) - y) ^ 2)
  optimizer Adam()
}`,
      `model M(x: float[N, 3]) -> float[N, 1] { x |> Linear(1) }
train Fit {
  input x: float[N, 3]
  input y: float[N]
  let error[n] = M(x)[n, 0] - y[n]
  minimize mean(error ^ 2)
  optimizer Adam()
}`,
    ),
    render: ({ operator, shapes, pairing, chain }) => ({
      message: `\`${operator}\` would pair every element of one side with every element of the other: ${pairing}`,
      label: `[${shapes.left.join(', ')}] ${operator} [${shapes.right.join(', ')}]`,
      related: places(chain),
      notes: [
        table(shapes),
        'an axis of size 1 is never repeated silently; say in an equation which elements belong together: `let d[n] = a[n, 0] - b[n]`',
      ],
    }),
  },
  NN202: {
    severity: 'error',
    title: 'shapes that do not combine',
    explain: explain(
      'Two tensors combine elementwise if their shapes are equal, if one is a scalar, or if one is a trailing part of the other.',
      `fn f(x: float[B, D], w: float[B]) -> float[B, D] = x * w`,
      `fn f(x: float[B, D], w: float[B]) -> float[B, D] {
  let y[b, d] = x[b, d] * w[b]
  return y
}`,
    ),
    render: ({ operator, shapes, judgement, chain }) => {
      const k = shapes.axis;
      const fromEnd = k === null ? 0 : shapes.left.length - k;
      const [a, b] = [shapes.left.at(-fromEnd) ?? '', shapes.right.at(-fromEnd) ?? ''];
      return {
        message: `the sides of \`${operator}\` do not combine: [${shapes.left.join(', ')}] and [${shapes.right.join(', ')}]`,
        label: k === null ? 'different shapes' : `${a} against ${b}`,
        related: places(chain),
        notes: [
          table(shapes),
          ...(k === null ? [] : verdict(judgement, `${a} == ${b}`)),
          ...(k === null ? [] : stateIt(judgement, `${a} == ${b}`)),
        ],
      };
    },
  },
  NN203: {
    severity: 'error',
    title: 'a trailing part that could be meant twice',
    explain: explain(
      'Where the size of the smaller shape stands twice in the larger, only an equation can say which axis is meant.',
      `fn f(x: float[N, N], w: float[N]) -> float[N, N] = x * w`,
      `fn f(x: float[N, N], w: float[N]) -> float[N, N] {
  let y[i, j] = x[i, j] * w[j]
  return y
}`,
    ),
    render: ({ operator, shapes, size }) => ({
      message: `\`${operator}\`: ${size} stands twice in the larger shape, so it is open which axis is meant`,
      label: `[${shapes.left.join(', ')}] ${operator} [${shapes.right.join(', ')}]`,
      notes: [table(shapes), 'say it in an equation: `let y[i, j] = x[i, j] * w[j]`'],
    }),
  },
};
