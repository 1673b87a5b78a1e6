/**
 * Wrong programs, each with the codes and lines that must be reported, nothing else. The rendered reports are in `golden/`.
 * Most are mistakes that people make in other systems; there, many of them run.
 */
export interface Wrong {
  readonly name: string;
  readonly text: string;
  readonly expected: readonly string[];
  /** Titles of the fixes that passed their own check. */
  readonly fixes?: readonly string[];
}

const train = (body: string, model = 'model M(x: float[N, 3]) -> float[N, 1] { x |> Linear(1) }'): string => `${model}
train Fit {
  input x: float[N, 3]
${body}
  optimizer Adam()
}`;

export const wrong: readonly Wrong[] = [
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
  // Names, calls
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
