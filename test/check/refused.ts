/** Programs that the checker accepts and that cannot be built, with what is reported: `CODE line`. */
export const refused: readonly {
  readonly name: string;
  readonly text: string;
  readonly expected: readonly string[];
}[] = [
  {
    name: 'a carry that begins with a value of one round',
    text: `block Cell(x: float[B, D]) -> float[B, D] {
  carry seen: float[B, D] = x
  seen = 0.5 * seen + x
  return seen
}
model M(x: float[B, T, 3]) -> float[B, T, 3] {
  let cell = Cell()
  return scan x_t over x along T {
    yield cell(2 * x_t)
  }
}`,
    expected: ['NN803 2'],
  },
  {
    name: 'an equation of a checkpoint map that does not divide',
    text: `model M(x: float[B, 4]) -> float[B, 6] { x |> out: Linear(6) }
checkpoint other for M {
  out.weight[(a: 4 b), d] = "w"[d, a, b]
}`,
    expected: ['NN808 3'],
  },
  {
    name: 'two parameters with one name in another file',
    text: `model M(x: float[B, 4]) -> float[B, 6] { x |> out: Linear(6) |> up: Linear(6) }
checkpoint other for M {
  out.bias = "up.bias"
}`,
    expected: ['NN809 2'],
  },
  {
    name: 'a selector of with that names nothing',
    text: `model Net(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
train Fit {
  input x: float[N, 2]
  let moved = frozen(Net) with { "b.*" |> tanh }
  minimize mean((Net(x) - moved(x)) ^ 2)
  optimizer SGD()
}`,
    expected: ['NN720 4'],
  },
  {
    name: 'records of two networks that are not alike',
    text: `model A(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
model C(x: float[N, 2]) -> float[N, 1] { x |> c: Linear(1) }
train Fit {
  input x: float[N, 2]
  minimize mean(A(x) ^ 2) + mean(C(x) ^ 2) + sum((A.params - C.params) ^ 2)
  optimizer SGD()
}`,
    expected: ['NN805 5'],
  },
  {
    name: 'parameters of another width',
    text: `block Wide(n: int)(x: float[N, D]) -> float[N, n] { x |> out: Linear(n) }
model A(x: float[N, 2]) -> float[N, 3] { let core = Wide(3); core(x) }
model C(x: float[N, 2]) -> float[N, 3] {
  let y = A(x)
  let core = Wide(4) with A.core.params
  let z[n, k: 3] = core(x)[n, k] + y[n, k]
  return z
}`,
    expected: ['NN805 5'],
  },
  {
    name: 'a loss over the greatest of the batch, in parts',
    text: `model Net(x: float[N, 2]) -> float[N, 1] { x |> a: Linear(1) }
train Fit {
  input x: float[N, 2]
  minimize max(Net(x))
  optimizer SGD()
  batch N = 64 in 4 parts
}`,
    expected: ['NN806 4'],
  },
  {
    name: 'a model with a run of axes',
    text: 'model M(x: float[...S]) -> float[...S] { return relu(x) }',
    expected: ['NN801 1'],
  },
  {
    name: 'a model with a number of the build as input',
    text: `model M(x: float[B, 3],
        times: int) -> float[B, 3] { return x * times }`,
    expected: ['NN801 2'],
  },
  {
    name: 'a model with a mask as input',
    text: `model M(x: float[B, T, 4],
        keep: mask) -> float[B, T, 4] { return x |> MultiHeadAttention(2, keep: keep) }`,
    expected: ['NN801 2'],
  },
  {
    name: 'a model with a configuration that nobody gives',
    text: `model M(hidden: int)(x: float[B, 3]) -> float[B, 3] { return x |> Linear(hidden) |> tanh |> Linear(3) }`,
    expected: ['NN801 1'],
  },
];
