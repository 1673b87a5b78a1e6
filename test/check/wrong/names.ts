/** Names, calls, parameters, training. */
import { train, type Wrong } from './case.ts';

export const wrongNames: readonly Wrong[] = [
  {
    name: 'a const twice',
    text: `const width = 8
const width = 9`,
    expected: ['NN701 2'],
  },
  {
    name: 'a misspelt layer',
    text: `model M(x: float[B, 8]) -> float[B, 4] { x |> Liner(4) }`,
    expected: ['NN704 1'],
    fixes: ['write `Linear`'],
  },
  {
    name: 'a misspelt variable',
    text: `fn f(input: float[N]) -> float[N] {
  let hidden = 2 * input
  return hiden
}`,
    expected: ['NN704 3'],
    fixes: ['write `hidden`'],
  },
  {
    name: 'a misspelt type',
    text: `fn f(x: flaot[N]) -> float[N] = x`,
    expected: ['NN704 1'],
    fixes: ['write `float`'],
  },
  {
    name: 'a second let of one name',
    text: `fn f(x: float[N]) -> float[N] {
  let y = 2 * x
  let y = 3 * y
  return y
}`,
    expected: ['NN705 3'],
  },
  {
    name: 'an index named as a const',
    text: `const d = 4
fn f(x: float[N]) -> float[N] {
  let y[d] = x[d]
  return y
}`,
    expected: ['NN705 3'],
  },
  {
    name: 'an unused let',
    text: `fn f(x: float[N]) -> float[N] {
  let y = 2 * x
  return x
}`,
    expected: ['NN706 2'],
  },
  {
    name: 'an argument too many',
    text: `model M(x: float[B, 8]) -> float[B, 8] { relu(x, 3) }`,
    expected: ['NN707 1'],
  },
  {
    name: 'a misspelt argument',
    text: `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4, bais: false) }`,
    expected: ['NN708 1'],
    fixes: ['write `bias`'],
  },
  {
    name: 'an argument twice',
    text: `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4, out: 5) }`,
    expected: ['NN709 1'],
  },
  {
    name: 'a missing argument',
    text: `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear() }`,
    expected: ['NN710 1'],
  },
  {
    name: 'a tensor called',
    text: `fn f(x: float[N]) -> float[N] = x(0)`,
    expected: ['NN711 1'],
  },
  {
    name: 'a number for a mask',
    text: `block A(keep: mask)(x: float[B, D]) -> float[B, D] { x |> Linear(D) }
model M(x: float[B, 8]) -> float[B, 8] { x |> A(3) }`,
    expected: ['NN712 2'],
  },
  {
    name: 'tensors before the configuration',
    text: `model M(x: float[B, 8]) -> float[B, 4] { Linear(x, 4) }`,
    expected: ['NN713 1'],
  },
  {
    name: 'a label twice',
    text: `model M(x: float[B, 8]) -> float[B, 8] { x |> a: Linear(8) |> a: Linear(8) }`,
    expected: ['NN714 1'],
  },
  {
    name: 'a misspelt member',
    text: `model M(x: i32[B] < 9) -> float[B, 4] {
  let e = Embedding(9, 4)
  return e(x) + sum(e.weights)
}`,
    expected: ['NN715 3'],
    fixes: ['write `weight`'],
  },
  {
    name: 'a parameter rebound',
    text: `block M(x: float[B, D]) -> float[B, D] {
  param w: float[D] = 1
  w = 2 * w
  return x * w
}`,
    expected: ['NN716 3'],
  },
  {
    name: 'a body without a value',
    text: `fn f(x: float[N]) -> float[N] {
  let y = 2 * x
}`,
    expected: ['NN717 1'],
  },
  {
    name: 'a recursion without an end',
    text: `block R(depth: int)(x: float[B, D]) -> float[B, D] {
  return x |> R(depth - 1)
}`,
    expected: ['NN718 2'],
  },
  {
    name: 'a train block without an optimizer',
    text: `model M(x: float[N, 1]) -> float[N, 1] { x |> Linear(1) }
train Fit {
  input x: float[N, 1]
  minimize mean(M(x) ^ 2)
}`,
    expected: ['NN719 2'],
  },
  {
    name: 'a batch of no size',
    text: train(`  minimize mean(M(x) ^ 2)
  batch B = 64`),
    expected: ['NN704 5'],
    fixes: ['write `N`'],
  },
  {
    name: 'a checkpoint path that matches nothing',
    text: `model M(x: float[N, 3]) -> float[N, 1] { x |> out: Linear(1) }
checkpoint other for M { outt.weight[o, d] = "w"[d, o] }`,
    expected: ['NN720 2'],
  },
  {
    name: 'a parameter in a function',
    text: `fn f(x: float[N]) -> float[N] {
  param w: float[N] = 1
  return x * w
}`,
    expected: ['NN721 2'],
  },
  {
    name: 'an if on data',
    text: `fn f(x: float[N]) -> float[N] {
  if sum(x) > 0 { return x }
  return 0 * x
}`,
    expected: ['NN722 2'],
  },
  {
    name: 'a result of a new size',
    text: `block M(x: float[B, D]) -> float[B, E] { x |> Linear(4) }`,
    expected: ['NN723 1'],
  },
  {
    name: 'a yield after until without an else',
    text: `model M(x: float[B]) -> float[B, 8] {
  let y = x
  scan n in 8 {
    yield trace[b, n] = y[b]
    y = y / 2
    until all(y < 1)
  }
  return trace
}`,
    expected: ['NN725 4'],
    fixes: ['fill with 0'],
  },
  {
    name: 'an else of a yield that only a round knows',
    text: `model M(x: float[B, T, 3]) -> float[B, T, 3] {
  return scan x_t over x along T {
    let h = tanh(x_t)
    yield h else 2 * h
    until all(h > 0)
  }
}`,
    expected: ['NN725 4'],
  },
  {
    name: 'until in a reversed scan',
    text: `model M(x: float[B, T, 3]) -> float[B, T, 3] {
  return scan x_t over x along T reversed {
    yield x_t else 0
    until all(x_t > 0)
  }
}`,
    expected: ['NN721 4'],
  },
  {
    name: 'a record that does not begin as parameters',
    text: `model Net(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
train Fit {
  input x: float[N, 2]
  state average: record = 0.5 * Net.params
  minimize mean(Net(x) ^ 2)
  average = 0.9 * average + 0.1 * Net.params
  optimizer SGD()
}`,
    expected: ['NN727 4'],
  },
  {
    name: 'a record beside a tensor',
    text: `model Net(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
train Fit {
  input x: float[N, 2]
  minimize mean(Net(x) ^ 2) + sum(Net.params * x)
  optimizer SGD()
}`,
    expected: ['NN712 4'],
  },
  {
    name: 'with something that is no record',
    text: `model Net(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
train Fit {
  input x: float[N, 2]
  let other = Net with 0.5
  minimize mean(other(x) ^ 2)
  optimizer SGD()
}`,
    expected: ['NN712 4'],
  },
  {
    name: 'a stage of the gradient that gives a number',
    text: `model Net(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
train Fit {
  input x: float[N, 2]
  minimize mean(Net(x) ^ 2)
  gradient |> sum
  optimizer SGD()
}`,
    expected: ['NN712 5'],
  },
  {
    name: 'a batch that does not go into its parts',
    text: `model Net(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
train Fit {
  input x: float[N, 2]
  minimize mean(Net(x) ^ 2)
  optimizer SGD()
  batch N = 64 in 5 parts
}`,
    expected: ['NN719 6'],
    fixes: ['write 65'],
  },
  {
    name: 'validation by split and by folds',
    text: `model Net(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
train Fit {
  input x: float[N, 2]
  minimize mean(Net(x) ^ 2)
  optimizer SGD()
  batch N = 64
  validate(split: 0.1, folds: 5)
}`,
    expected: ['NN719 7'],
  },
  {
    name: 'an objective over no network',
    text: `model Net(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
train Fit {
  input x: float[N, 2]
  minimize mean(Net(x) ^ 2) over Linear
  optimizer SGD()
}`,
    expected: ['NN712 4'],
  },
  {
    name: 'every nothing',
    text: `model Net(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
train Fit {
  input x: float[N, 2]
  minimize mean(Net(x) ^ 2) every 0
  optimizer SGD()
}`,
    expected: ['NN120 4'],
  },
  {
    name: 'two independent mistakes',
    text: `fn f(x: float[B, D], w: float[B]) -> float[B, D] = x * w
model M(x: float[B, 8]) -> float[B, 4] { x |> Liner(4) }`,
    expected: ['NN202 1', 'NN704 2'],
  },
  {
    name: 'one mistake with many users',
    text: `model M(x: float[B, 8]) -> float[B, 4] {
  let h = x |> Liner(16) |> relu
  let g[b, n] = h[b, n] * h[b, n]
  let s[b] = sum[n] g[b, n]
  let y[b, n: 4] = s[b] + g[b, n]
  return y |> Linear(4)
}`,
    expected: ['NN704 2'],
  },
  {
    name: 'argmax over two indices',
    text: `model M(x: float[B, 3, 4]) -> i32[B] {
  let y[b] = argmax[i, j] x[b, i, j]
  return y
}`,
    expected: ['NN721 2'],
  },
  {
    name: 'a mask of several statements',
    text: `mask near(size: int)(q, k) {
  let d = abs(q - k)
  return d < size
}
model M(x: float[B, T, 4]) -> float[B, T, 4] { x |> MultiHeadAttention(2, keep: near(2)) }`,
    expected: ['NN721 2'],
  },
  {
    name: 'a require on data',
    text: `model M(x: float[B, 3]) -> float[B, 3] {
  require all(x > 0)
  return x
}`,
    expected: ['NN722 2'],
  },
  {
    name: 'a misspelt function in an edit of parameters',
    text: `fn halved(w: float[...S]) -> float[...S] = w / 2
model Net(x: float[B, 8]) -> float[B, 4] { return x |> Linear(4) }
train Fit {
  input x: float[B, 8]
  let thin = frozen(Net) with { "*.weight" |> havled }
  minimize mean(thin(x) ^ 2)
  optimizer Adam()
  batch B = 16
}`,
    expected: ['NN704 5'],
    fixes: ['write `halved`'],
  },
  {
    name: 'a size that differs in the branches',
    text: `block Mix(on: bool)(x: float[B, 10]) -> float[B, 10] {
  let y[b, c: 11] = x[b, 0]
  if on { y = x }
  return y
}`,
    expected: ['NN109 4'],
  },
  {
    name: 'an optimizer of whole numbers',
    text: `optimizer Plain(lr: schedule = 0.1)(w: f32[...S], g: i32[...S]) {
  w -= lr * g
}`,
    expected: ['NN124 1'],
    fixes: ['write `f32`'],
  },
];
