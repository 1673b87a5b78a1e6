/** Pages of what only a build shows, and of its options. */
import { commands, contents, NET, ROWS, type Shown } from './shown.ts';

const net = { 'net.nn': NET };
const train = 'nnc train net.nn --data train.csv';
const weights = 'nnc-out/Fit/weights.safetensors';
/** The same command on a wrong and a mended program. */
const program = (wrong: string, mended: string, command = 'nnc build net.nn'): Shown =>
  contents({}, { 'net.nn': `${wrong}\n` }, { 'net.nn': `${mended}\n` }, command);

const first = (code: string): string =>
  `The checker says ${code} first, whose page has programs; no program is known that comes past it to this report.`;

export const shownBuilds = {
  NN150: { none: first('NN107') },
  NN151: { none: first('NN104') },
  NN152: { none: first('NN123') },
  NN520: commands(
    { 'sum.nn': 'model Sum(x: float[T, 8]) -> float[8] {\n  let s[d] = sum[t] x[t, d]\n  return s\n}\n' },
    'nnc build sum.nn',
    'nnc build sum.nn --bound T=1024',
  ),
  NN530: commands(net, 'nnc build net.nn --only Fit --memory 100B', 'nnc build net.nn --only Fit --memory 1MB'),
  NN790: commands(net, 'nnc build net.nn --only Nett', 'nnc build net.nn --only Net'),
  NN791: program(
    NET.replace('optimizer SGD(lr: 0.1)', 'optimizer SGD(lr: 0.1)\n  optimizer Adam() for Net'),
    NET.replace('optimizer SGD(lr: 0.1)', 'optimizer Adam() for Net'),
    'nnc build net.nn --only Fit',
  ),
  NN792: commands(net, 'nnc build net.nn --only Net --weights int5', 'nnc build net.nn --only Net --weights int4'),
  NN793: commands(
    { ...net, 'train.csv': ROWS },
    [`${train} --out a`, `${train} --seed 2 --out b`, 'nnc compare a b --data train.csv --layer hidden --neighbours 1'],
    [`${train} --out a`, `${train} --seed 2 --out b`, 'nnc compare a b --data train.csv --layer out --neighbours 1'],
  ),
  NN794: commands(
    net,
    'nnc build net.nn --only Net --weights out.weight=int4:32',
    'nnc build net.nn --only Net --weights out.weight=int8',
  ),
  NN795: commands(net, 'nnc build net.nn --only Fit --weights int8', 'nnc build net.nn --only Net --weights int8'),
  NN802: program(
    NET.replace('optimizer SGD(lr: 0.1)', 'optimizer SGD(lr: 0.1) for Net.out'),
    NET.replace('optimizer SGD(lr: 0.1)', 'optimizer SGD(lr: 0.1) for "out.*"'),
    'nnc build net.nn --only Fit',
  ),
  NN803: program(
    `block Cell(x: float[B, D]) -> float[B, D] {
  carry seen: float[B, D] = x
  seen = 0.5 * seen + x
  return seen
}

model M(x: float[B, T, 3]) -> float[B, T, 3] {
  require T <= 16
  let cell = Cell()
  return scan x_t over x along T {
    yield cell(2 * x_t)
  }
}`,
    `block Cell(x: float[B, D]) -> float[B, D] {
  carry seen: float[B, D] = 0
  seen = 0.5 * seen + x
  return seen
}

model M(x: float[B, T, 3]) -> float[B, T, 3] {
  require T <= 16
  let cell = Cell()
  return scan x_t over x along T {
    yield cell(2 * x_t)
  }
}`,
    'nnc build net.nn --bound B=8',
  ),
  NN804: commands(
    { 'wide.nn': 'model Wide(x: float[B, 1000]) -> float[B, 1000] { return x |> out: Linear(1000) }\n' },
    'nnc build wide.nn --bound B=600000 --target wasm',
    'nnc build wide.nn --bound B=400000 --target wasm',
  ),
  NN805: program(
    `model A(x: float[N, 2]) -> float[N, 1] { return x |> a: Linear(1) }
model C(x: float[N, 2]) -> float[N, 1] { return x |> c: Linear(1) }

train Fit {
  input x: float[N, 2]
  minimize mean(A(x) ^ 2) + mean(C(x) ^ 2) + sum((A.params - C.params) ^ 2)
  optimizer SGD()
  batch N = 8
}`,
    `model A(x: float[N, 2]) -> float[N, 1] { return x |> out: Linear(1) }
model C(x: float[N, 2]) -> float[N, 1] { return x |> out: Linear(1) }

train Fit {
  input x: float[N, 2]
  minimize mean(A(x) ^ 2) + mean(C(x) ^ 2) + sum((A.params - C.params) ^ 2)
  optimizer SGD()
  batch N = 8
}`,
    'nnc build net.nn --only Fit',
  ),
  NN806: program(
    `train Fit {
  input x: float[N, 2]
  minimize max((x |> out: Linear(1)) ^ 2)
  optimizer SGD()
  batch N = 64 in 4 parts
}`,
    `train Fit {
  input x: float[N, 2]
  minimize mean((x |> out: Linear(1)) ^ 2)
  optimizer SGD()
  batch N = 64 in 4 parts
}`,
  ),
  NN807: commands(
    { 'plus.nn': 'model Plus(x: float[N]) -> float[N] { return x + 1.0 }\n' },
    'nnc build plus.nn --bound N=536870912 --target wgsl',
    'nnc build plus.nn --bound N=1048576 --target wgsl',
  ),
  NN808: program(
    `model Net(x: float[B, 4]) -> float[B, 6] { return x |> out: Linear(6) }

checkpoint other for Net {
  out.weight[(a: 4 b), d] = "w"[d, a, b]
}`,
    `model Net(x: float[B, 4]) -> float[B, 6] { return x |> out: Linear(6) }

checkpoint other for Net {
  out.weight[(a: 3 b), d] = "w"[d, a, b]
}`,
    'nnc build net.nn --bound B=8',
  ),
  NN809: program(
    `model Net(x: float[B, 4]) -> float[B, 6] { return x |> out: Linear(6) |> tanh |> up: Linear(6) }

checkpoint other for Net {
  out.bias = "up.bias"
}`,
    `model Net(x: float[B, 4]) -> float[B, 6] { return x |> out: Linear(6) |> tanh |> up: Linear(6) }

checkpoint other for Net {
  out.bias = "first.bias"
}`,
    'nnc build net.nn --bound B=8',
  ),
  NN924: commands(
    {
      'net.nn': NET.replace(
        'model Net(x: float[B, 2]) -> float[B, 3] { return x |> out: Linear(3) }',
        `const width = 8

model Net(x: float[B, 2]) -> float[B, 3] { return x |> hidden: Linear(width) |> relu |> out: Linear(3) }`,
      ),
      'train.csv': ROWS,
    },
    [`${train}`, `nnc run net.nn --const width=4 --weights ${weights} --data train.csv`],
    [`${train}`, `nnc run net.nn --weights ${weights} --data train.csv`],
  ),
} as const satisfies Readonly<Record<string, Shown>>;
