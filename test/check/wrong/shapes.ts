/** Sizes and shapes, broadcasting, roles, masks and derivatives. */
import { train, type Wrong } from './case.ts';

export const wrongShapes: readonly Wrong[] = [
  // Sizes and shapes
  {
    name: 'two arguments of different size',
    text: `fn add(a: float[B, D], b: float[B, D]) -> float[B, D] = a + b
model M(x: float[B, 8], y: float[B, 9]) -> float[B, 8] { add(x, y) }`,
    expected: ['NN101 2'],
  },
  {
    name: 'sizes that happen to agree',
    text: `fn add(a: float[B, D], b: float[B, D]) -> float[B, D] = a + b
block M(x: float[B, D], y: float[B, E]) -> float[B, D] { add(x, y) }`,
    expected: ['NN101 2'],
  },
  {
    name: 'a weight shared by two widths',
    text: `model M(x: float[B, 8], y: float[B, 9]) -> float[B, 4] {
  let shared = Linear(4)
  return shared(x) + shared(y)
}`,
    expected: ['NN119 3'],
  },
  {
    name: 'a contraction over the wrong axis',
    text: `fn scores(q: float[B, T, D], k: float[B, S, D]) -> float[B, T, S] {
  let s[b, t, s] = sum[d] q[b, t, d] * k[b, d, s]
  return s
}`,
    expected: ['NN102 2'],
  },
  {
    name: 'a product of matrices that do not meet',
    text: `model M(x: float[B, 8], w: float[10, 9]) -> float[B, 10] {
  let y[b, o] = sum[d] x[b, d] * w[o, d]
  return y
}`,
    expected: ['NN102 2'],
  },
  {
    name: 'two constants of one value',
    text: `const width = 64, inner = 64
block M(x: float[B, width]) -> float[B, inner] { x }`,
    expected: ['NN109 2'],
  },
  {
    name: 'a shift without an else',
    text: `fn previous(x: float[B, T]) -> float[B, T] {
  let y[b, t: T] = x[b, t - 1]
  return y
}`,
    expected: ['NN103 2'],
    fixes: ['say what stands outside'],
  },
  {
    name: 'a window that leaves the picture',
    text: `fn pairs(x: float[B, T]) -> float[B, T] {
  let y[b, t: T] = sum[k: 2] x[b, t + k]
  return y
}`,
    expected: ['NN103 2'],
    fixes: ['say what stands outside'],
  },
  {
    name: 'a gather without a bound',
    text: `fn look(table: float[V, D], id: i32[B]) -> float[B, D] {
  let y[b, d] = table[id[b], d]
  return y
}`,
    expected: ['NN103 2'],
    fixes: ['say what stands outside'],
  },
  {
    name: 'a constant index outside',
    text: `fn third(x: float[B, 2]) -> float[B] {
  let y[b] = x[b, 2]
  return y
}`,
    expected: ['NN103 2'],
    fixes: ['say what stands outside'],
  },
  {
    name: 'an index without an extent',
    text: `fn double(x: float[N]) -> float[2 * N] {
  let y[i] = x[floor(i / 2)]
  return y
}`,
    expected: ['NN104 2'],
  },
  {
    name: 'heads that need not divide the width',
    text: `block Heads(heads: int)(x: float[B, T, D]) -> float[B, T, D] {
  let y[b, t, h: heads, e] = x[b, t, (h e)]
  let z[b, t, (h e)] = y[b, t, h, e]
  return z
}`,
    expected: ['NN105 2'],
  },
  {
    name: 'a group of another product',
    text: `fn squash(x: float[B, 12]) -> float[B, 3, 5] {
  let y[b, i: 3, j: 5] = x[b, (i j)]
  return y
}`,
    expected: ['NN105 2'],
  },
  {
    name: 'a picture where rows are needed',
    text: `model M(image: float[B, 8, 8]) -> float[B, 10] { image |> flatten |> Linear(10) }`,
    expected: ['NN106 1'],
  },
  {
    name: 'a requirement that never holds',
    text: `block Split(heads: int)(x: float[B, D]) -> float[B, D] {
  require D % heads == 0, "the heads must divide the width"
  return x
}
model M(x: float[B, 10]) -> float[B, 10] { x |> Split(3) }`,
    expected: ['NN107 5'],
  },
  {
    name: 'a requirement lifted through two blocks',
    text: `block Split(heads: int)(x: float[B, D]) -> float[B, D] {
  require D % heads == 0
  return x
}
block Middle(heads: int)(x: float[B, D]) -> float[B, D] { x |> Split(heads) }
model M(x: float[B, 10]) -> float[B, 10] { x |> Middle(4) }`,
    expected: ['NN107 6'],
  },
  {
    name: 'a window larger than the picture',
    text: `block Window(kernel: int)(x: float[B, H]) -> float[B, H - kernel + 1] {
  require H >= kernel, "the window must fit"
  let y[b, i: H - kernel + 1] = sum[k: kernel] x[b, i + k]
  return y
}
model M(x: float[B, 4]) -> float[B, 1] { x |> Window(5) |> Linear(1) }`,
    expected: ['NN107 6'],
  },
  {
    name: 'half of an odd size',
    text: `fn evens(x: float[N]) -> float[floor(N / 2)] {
  let y[i: N / 2] = x[2 * i]
  return y
}`,
    expected: ['NN108 2'],
  },
  {
    name: 'a result of another width',
    text: `block Twice(x: float[B, D]) -> float[B, D] { x |> Linear(2 * D) }`,
    expected: ['NN109 1'],
  },
  {
    name: 'a flattened picture counted wrongly',
    text: `block Classify(x: float[B, 1568]) -> float[B, 10] { x |> Linear(10) }
model M(image: float[B, 1, 28, 28]) -> float[B, 10] {
  let y = image |> Conv2d(32, pad: 1) |> relu |> max_pool(2) |> flatten
  return Classify(y)
}`,
    expected: ['NN101 4'],
  },
  {
    name: 'a skip connection that loses a row',
    text: `fn halve(x: float[B, C, H, W]) -> float[B, C, floor(H / 2), floor(W / 2)] {
  let y[b, c, i: floor(H / 2), j: floor(W / 2)] = x[b, c, 2 * i, 2 * j]
  return y
}
fn double(x: float[B, C, H, W]) -> float[B, C, 2 * H, 2 * W] {
  let y[b, c, i: 2 * H, j: 2 * W] = x[b, c, floor(i / 2), floor(j / 2)]
  return y
}
model M(x: float[B, 3, H, W]) -> float[B, 3, H, W] { x + double(halve(x)) }`,
    expected: ['NN202 9'],
  },
  {
    name: 'a carry that changes its shape',
    text: `block Wide(x: float[B, D]) -> float[B, D] {
  carry h: float[B, D] = 0
  h = x |> Linear(2 * D)
  return h
}`,
    expected: ['NN110 3'],
  },
  {
    name: 'a where without an else',
    text: `fn positive(x: float[N]) -> float[N] {
  let y[n] = x[n] where x[n] > 0
  return y
}`,
    expected: ['NN111 2'],
  },
  {
    name: 'the maximum of nothing',
    text: `fn top(score: float[E], target: i32[E] < N, x: float[N]) -> float[N] {
  let y[n: N] = max[e where target[e] == n] score[e]
  return y + x
}`,
    expected: ['NN111 2'],
  },
  {
    name: 'a whole tensor in an equation',
    text: `fn scale(x: float[B, D], w: float[D]) -> float[B, D] {
  let y[b, d] = x[b, d] * w
  return y
}`,
    expected: ['NN112 2'],
  },
  {
    name: 'an index too few',
    text: `fn first(x: float[B, T, D]) -> float[B, D] {
  let y[b, d] = x[b, d]
  return y
}`,
    expected: ['NN113 2'],
  },
  {
    name: 'branches of different rank',
    text: `block M(deep: bool)(x: float[B, D]) -> float[B, D] {
  let y = x
  if deep { y = mean(x) }
  return y
}`,
    expected: ['NN114 3'],
  },
  {
    name: 'rounds that double the width',
    text: `block Deep(n: int)(x: float[B, D]) -> float[B, D] {
  repeat n { x = x |> Linear(2 * D) }
  return x
}`,
    expected: ['NN115 2'],
  },
  {
    name: 'a guard on another index',
    text: `fn f(x: float[B, T], on: bool[B]) -> float[B] {
  let y[b] = sum[t where on[b]] x[b, t]
  return y
}`,
    expected: ['NN116 2'],
  },
  {
    name: 'a softmax that loses its axis',
    text: `fn f(x: float[B, C]) -> float[B] {
  let y[b] = softmax[c] x[b, c]
  return y
}`,
    expected: ['NN117 2'],
  },
  {
    name: 'a scan along two axes at once',
    text: `block Sums(x: float[T, T]) -> float[T, T] {
  return scan v over x along T {
    carry total: float[T] = 0
    total = total + v
    yield total
  }
}`,
    expected: ['NN118 2'],
  },
  {
    name: 'a layer of half a unit',
    text: `model M(x: float[B, 8]) -> float[B, 4] { x |> Linear(4.5) }`,
    expected: ['NN120 1'],
  },
  {
    name: 'a size only in a product',
    text: `fn f(x: float[A * C]) -> float[A] {
  let y[a: A] = x[a]
  return y
}`,
    expected: ['NN121 1'],
  },
  {
    name: 'an index twice on the left',
    text: `fn f(x: float[N]) -> float[N, N] {
  let y[i, i] = x[i]
  return y
}`,
    expected: ['NN122 2'],
  },
  {
    name: 'noise of no shape',
    text: `fn noise(x: float[B, D]) -> float[B, D] {
  let n = normal()
  return x + n
}`,
    expected: ['NN123 2'],
  },
  {
    name: 'tokens that may be any integer',
    text: `model M(token: i32[B, T]) -> float[B, T, 8] { token |> Embedding(100, 8) }`,
    expected: ['NN124 1'],
  },
  {
    name: 'integers where floats are needed',
    text: `model M(count: i32[B, 4]) -> float[B, 2] { count |> Linear(2) }`,
    expected: ['NN124 1'],
    fixes: ['convert it with `float`'],
  },
  {
    name: 'labels of more classes than the logits have',
    text: `model M(x: float[N, 3]) -> float[N, 9] { x |> Linear(9) }
train Fit {
  input x: float[N, 3]
  input label: i32[N] < 10
  minimize cross_entropy(M(x), label)
  optimizer Adam()
}`,
    expected: ['NN124 5'],
  },
  {
    name: 'a loss for each example',
    text: train('  minimize M(x) ^ 2'),
    expected: ['NN125 4'],
    fixes: ['take the mean'],
  },
  {
    name: 'the gradient of a vector',
    text: `fn f(x: float[N]) -> float[N] = grad(x ^ 2, wrt: x)`,
    expected: ['NN125 1'],
    fixes: ['sum it first'],
  },
  {
    name: 'a float as an index',
    text: `fn f(x: float[N], w: float[N]) -> float[N] {
  let y[n] = x[w[n]] else 0
  return y
}`,
    expected: ['NN126 2'],
  },
  {
    name: 'a run as a number',
    text: `fn f(x: float[...S]) -> float[...S] = x * S`,
    expected: ['NN127 1'],
  },
  // Broadcasting
  {
    name: 'predictions [N, 1] against targets [N]',
    text: train(`  input y: float[N]
  minimize mean((M(x) - y) ^ 2)`),
    expected: ['NN201 5'],
  },
  {
    name: 'predictions [N, 1] against targets [N] in a loss',
    text: train(`  input y: float[N]
  minimize mean_squared_error(M(x), y)`),
    expected: ['NN106 5'],
  },
  {
    name: 'weights of examples on channels',
    text: `fn f(x: float[B, D], w: float[B]) -> float[B, D] = x * w`,
    expected: ['NN202 1'],
  },
  {
    name: 'a bias that fits two axes',
    text: `fn f(x: float[N, N], w: float[N]) -> float[N, N] = x * w`,
    expected: ['NN203 1'],
  },
  // Roles
  {
    name: 'probabilities into a cross entropy',
    text: `train Fit {
  input x: float[N, 3]
  input label: i32[N] < 10
  let p = softmax(x |> Linear(10))
  minimize cross_entropy(p, label)
  optimizer Adam()
}`,
    expected: ['NN301 5'],
    fixes: ['leave the softmax out: the callee takes logits'],
  },
  {
    name: 'a network that ends in a softmax, trained with cross entropy',
    text: `model M(x: float[B, 8]) -> float[B, 10] { x |> Linear(10) |> softmax }
train Fit {
  input x: float[B, 8]
  input label: i32[B] < 10
  minimize cross_entropy(M(x), label)
  optimizer Adam()
}`,
    expected: ['NN301 5'],
  },
  {
    name: 'a softmax twice',
    text: `model M(x: float[B, 8]) -> float[B, 10] {
  let p = x |> Linear(10) |> softmax
  let q[b, c] = softmax[c] p[b, c]
  return q
}`,
    expected: ['NN303 3'],
  },
  {
    name: 'the logarithm of a softmax',
    text: `model M(x: float[B, 8]) -> float[B, 10] { log(softmax(x |> Linear(10))) }`,
    expected: ['NN304 1'],
    fixes: ['take log_softmax'],
  },
  // Masks
  {
    name: 'a mask by a wrong position',
    text: `mask near(q, k) = abs(q - k) < 4
fn f(x: float[T, T]) -> float[T, T] {
  let y[t, s] = x[t, s] where near(query: t, k: s) else 0
  return y
}`,
    expected: ['NN401 3'],
  },
  {
    name: 'a mask added to scores',
    text: `fn f(score: float[T, S], on: bool[T, S]) -> float[T, S] = score + on`,
    expected: ['NN402 1'],
    fixes: ['take it as 0 or 1 with `float`'],
  },
  // Derivatives
  {
    name: 'a derivative by an integer',
    text: `fn f(x: float[N], n: i32[N]) -> float[N] = grad(sum(x * n), wrt: n)`,
    expected: ['NN601 1'],
  },
];
