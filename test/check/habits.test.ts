/** What people write who come from elsewhere: one report, which says how it is written here, and a fix that compiles where there is one. */
import { describe, expect, it } from 'vitest';
import { applyEdits } from '../../compiler/check/fixes.ts';
import { codes, diagnoseText, rendered } from '../lint/support.ts';

const body = (line: string): string => `model M(x: float[B, T, 8], w: float[8, 4]) -> float[B, T, 8] {
  let v[b, t, o] = sum[d] x[b, t, d] * w[d, o]
  ${line}
  return tanh(x) + mean(v)
}`;
const train = (line: string, optimizer = 'Adam()'): string => `train Fit {
  input x: float[B, 8]
  input label: i32[B] < 4
  let z = x |> Linear(4)
  ${line}
  optimizer ${optimizer}
  batch B = 8
}`;
const loss = 'minimize cross_entropy(z, label)';

/** Name, program, codes, and how the text around the place reads after the first fix (null where there is none). */
const habits: readonly (readonly [string, string, readonly string[], string | null])[] = [
  [
    'a product of matrices',
    body('let y = x @ w').replace('mean(v)', 'mean(v) + mean(y)'),
    ['NN001'],
    'let y[n, i, j] = sum[k] x[n, i, k] * w[k, j]',
  ],
  [
    'a new name without let',
    body('y = relu(x)').replace('mean(v)', 'mean(y)').replace('let v', 'let _v'),
    ['NN704'],
    'let y = relu(x)',
  ],
  [
    'the last place as -1',
    body('let y[b, d] = x[b, -1, d]').replace('mean(v)', 'mean(v) + mean(y)'),
    ['NN103'],
    'x[b, T - 1, d]',
  ],
  ['a list', body('let y = [x, x]').replace('mean(v)', 'mean(v) + mean(y)'), ['NN726'], null],
  ['learning_rate', train(loss, 'Adam(learning_rate: 1e-3)'), ['NN708'], 'Adam(lr: 1e-3)'],
  ['arguments with =', train(loss, 'Adam(lr=1e-3, eps=1e-8)'), ['NN020', 'NN020'], 'Adam(lr: 1e-3'],
  ['weight_decay', train(loss, 'AdamW(weight_decay: 0.1)'), ['NN708'], 'AdamW(decay: 0.1)'],
  ['betas', train(loss, 'Adam(betas: 0.9)'), ['NN708'], null],
  ['epoch', train(`${loss}\n  epoch 10`), ['NN020'], 'epochs 10'],
  ['loss for minimize', train('loss cross_entropy(z, label)'), ['NN020'], 'minimize cross_entropy'],
  ['batch_size', train(`${loss}\n  batch_size 4`), ['NN006'], null],
  ['a power with **', body('let y = x ** 2').replace('mean(v)', 'mean(v) + mean(y)'), ['NN020'], 'let y = x ^ 2'],
  ['None', body('let y = None').replace('mean(v)', 'mean(v) + mean(y)'), ['NN704'], null],
  ['True', body('let y = x |> Linear(8, bias: True)').replace('mean(v)', 'mean(v) + mean(y)'), ['NN704'], 'bias: true'],
  ['self', body('let y = self.relu(x)').replace('mean(v)', 'mean(v) + mean(y)'), ['NN704'], 'let y = relu(x)'],
  ['nn.Linear', body('let y = x |> nn.Linear(8)').replace('mean(v)', 'mean(v) + mean(y)'), ['NN704'], 'x |> Linear(8)'],
  ['torch.tanh', body('let y = torch.tanh(x)').replace('mean(v)', 'mean(v) + mean(y)'), ['NN704'], 'let y = tanh(x)'],
  [
    'floor division in an index',
    body('let y[b, t, d: 8] = x[b, t, d // 2]').replace('mean(v)', 'mean(v) + mean(y)'),
    ['NN003'],
    null,
  ],
  [
    'floor division in a size',
    body('let E = 8 // 2\n  let y = x |> Linear(E)').replace('mean(v)', 'mean(v) + mean(y)'),
    ['NN135'],
    'let E = floor(8 / 2)',
  ],
  ['a method', body('let y = x.transpose(1, 2)').replace('mean(v)', 'mean(v) + mean(y)'), ['NN715'], null],
  ['shape', body('let y = x.shape').replace('mean(v)', 'mean(v) + mean(y)'), ['NN715'], null],
  ['a for loop', body('for i in range(3) { x = relu(x) }'), ['NN006'], null],
  ['a function in Python', 'def f(x) { return x }', ['NN021'], null],
  ['a class', 'class Net(nn.Module) { }', ['NN021'], null],
  ['a lambda', body('let f = lambda x: x'), ['NN006'], null],
  ['var', body('var y = relu(x)'), ['NN006'], null],
  ['const in a body', body('const y = 3'), ['NN006'], null],
  ['a conditional with ?', body('let y = x > 0 ? x : 0').replace('mean(v)', 'mean(v) + mean(y)'), ['NN001'], null],
  ['a conditional with if', body('let y = x if x > 0 else 0').replace('mean(v)', 'mean(v) + mean(y)'), ['NN006'], null],
  [
    'a double ampersand',
    body('let y = float(x > 0 && x < 1)').replace('mean(v)', 'mean(v) + mean(y)'),
    ['NN020'],
    'x > 0 and x < 1',
  ],
  ['three equals signs', body('let y = float(x === x)').replace('mean(v)', 'mean(v) + mean(y)'), ['NN006'], null],
  ['a double plus', body('let y = x; y++'), ['NN006'], null],
  [
    'a layer for an activation',
    body('let y = x |> ReLU').replace('mean(v)', 'mean(v) + mean(y)'),
    ['NN704'],
    'x |> relu',
  ],
  ['a loss as a class', train('minimize CrossEntropyLoss(z, label)'), ['NN704'], 'minimize cross_entropy(z, label)'],
  ['int64', 'model M(x: int64[B]) -> float[B] { return float(x) }', ['NN704'], 'x: i32[B]'],
  ['a Tensor', 'model M(x: Tensor[B, 8]) -> float[B, 8] { return x }', ['NN704'], null],
  [
    'padding, kernel_size',
    'model M(x: float[B, 3, 8, 8]) -> float[B, 4, 8, 8] { return x |> Conv2d(4, kernel_size: 3, pad: 1) }',
    ['NN708'],
    'kernel: 3',
  ],
  [
    'p of Dropout',
    body('let y = x |> Dropout(p: 0.1)').replace('mean(v)', 'mean(v) + mean(y)'),
    ['NN708'],
    'Dropout(rate: 0.1)',
  ],
  [
    'in_features',
    body('let y = x |> Linear(in_features: 8, out: 8)').replace('mean(v)', 'mean(v) + mean(y)'),
    ['NN708'],
    null,
  ],
  [
    'num_heads',
    body('let y = x |> MultiHeadAttention(num_heads: 2)').replace('mean(v)', 'mean(v) + mean(y)'),
    ['NN708'],
    'MultiHeadAttention(heads: 2)',
  ],
  ['elif', body('if training { x = relu(x) } elif T > 2 { x = tanh(x) }'), ['NN006'], null],
  [
    'several results',
    'model M(x: float[B, 8]) -> (low: float[B, 8], top: float[B, 8]) {\n  return relu(x), x\n}\n',
    ['NN006'],
    null,
  ],
  [
    'several results in brackets',
    'model M(x: float[B, 8]) -> (low: float[B, 8], top: float[B, 8]) {\n  return (relu(x), x)\n}\n',
    ['NN006'],
    null,
  ],
  [
    'sizes after with',
    body('let y[b, (t s), d] = x[b, (t s), d] with s: 2').replace('mean(v)', 'mean(v) + mean(y)'),
    ['NN006'],
    null,
  ],
  ['part of a name', body('let y = norm(x)').replace('mean(v)', 'mean(v) + mean(y)'), ['NN704'], null],
  ['print', body('print(x)'), ['NN704'], null],
  ['a slice', body('let y = x[:, 0:3]').replace('mean(v)', 'mean(v) + mean(y)'), ['NN006'], null],
];

describe('habits of other systems', () => {
  it.each(habits)('%s', async (name, text, expected, after) => {
    const found = diagnoseText(text);
    expect(codes(found), rendered(found)).toEqual(expected);
    const fix = found.problems[0]!.fixes[0];
    if (after === null) expect(fix).toBeUndefined();
    else {
      const mended = applyEdits(text, fix!, found.program.entry.ast.file);
      expect(mended).toContain(after);
      expect(codes(diagnoseText(mended))).toEqual(expected.slice(1));
    }
    await expect(`${text}\n\n${'='.repeat(60)}\n${rendered(found)}`).toMatchFileSnapshot(
      `golden/habits/${name.replace(/[^a-z0-9]+/gi, '-')}.txt`,
    );
  });
});
