/** Pages of command lines: files, options, weights, trainings and studies. */
import { commands, contents, NET, ROWS, type Shown } from './shown.ts';

const net = { 'net.nn': NET };
const both = { ...net, 'train.csv': ROWS };
const train = 'nnc train net.nn --data train.csv';
const weights = 'nnc-out/Fit/weights.safetensors';
const run = `nnc run net.nn --weights ${weights} --data train.csv`;

const tuned = 'nnc build net.nn --only Net --target wasm';
const words = (width: string): string => `train Fit {
  input word: i32[B] < 2
  input next: i32[B] < 2

  minimize cross_entropy(word |> table: Embedding(2, ${width}) |> Linear(2), next)
  optimizer SGD(lr: 0.1)
  batch B = 2
  epochs 2
}
`;

export const shownOptions = {
  NN900: commands(both, `${train} --epoch 3`, `${train} --epochs 3`),
  NN920: commands(net, 'nnc check nett.nn', 'nnc check net.nn'),
  NN921: commands(both, `${train} --out train.csv`, `${train} --out first`),
  NN922: commands(
    {
      'net.nn': `${NET}
train Slow {
  input x: float[B, 2]
  input label: i32[B] < 3

  minimize cross_entropy(Net(x), label)
  optimizer SGD(lr: 0.01)
  batch B = 2
  epochs 2
}
`,
      'train.csv': ROWS,
    },
    train,
    `${train} --only Slow`,
  ),
  NN923: commands(both, 'nnc train net.nn', train),
  NN925: commands(both, [train, `${train} --resume --seed 7 --epochs 4`], [train, `${train} --resume --epochs 4`]),
  NN926: contents(
    { 'train.csv': ROWS },
    { 'net.nn': NET.replace('lr: 0.1', 'lr: 1e30').replace('cross_entropy(Net(x), label)', 'mean(Net(x) ^ 4)') },
    { 'net.nn': NET.replace('cross_entropy(Net(x), label)', 'mean(Net(x) ^ 4)') },
    train,
  ),
  NN927: contents(
    { 'net.nn': NET.replace('  epochs 2\n', '  epochs 2\n  validate(split: 0.2)\n') },
    { 'train.csv': 'x.0,x.1,label\n0,1,0\n' },
    { 'train.csv': ROWS },
    train,
  ),
  NN928: contents(
    { 'train.jsonl': '{"x": [0, 1]}\n{"x": [1, 0]}\n' },
    {
      'net.nn': `train Fit {
  input x: float[2, B]

  let z[b, k] = x[k, b]
  minimize mean((z |> Linear(1)) ^ 2)
  optimizer SGD(lr: 0.1)
  batch B = 2
  epochs 2
}
`,
    },
    {
      'net.nn': `train Fit {
  input x: float[B, 2]

  minimize mean((x |> Linear(1)) ^ 2)
  optimizer SGD(lr: 0.1)
  batch B = 2
  epochs 2
}
`,
    },
    'nnc train net.nn --data train.jsonl',
  ),
  NN929: commands(both, [train, `${run} --out scores.xlsx`], [train, `${run} --out scores.csv`]),
  NN930: commands(
    {
      'net.nn': NET.replace('{ return x', '{\n  require B <= 3, "at most three rows at once"\n  return x').replace(
        ' }\n\ntrain',
        '\n}\n\ntrain',
      ),
      'train.csv': ROWS,
      'three.csv': 'x.0,x.1\n0,1\n1,0\n1,1\n',
    },
    [train, `nnc run net.nn --weights ${weights} --data train.csv --batch 4`],
    [train, `nnc run net.nn --weights ${weights} --data three.csv`],
  ),
  NN932: commands({}, 'nnc explain NN950', 'nnc explain NN104'),
  NN933: commands(net, 'nnc build net.nn --bound N=64', 'nnc build net.nn --bound B=64'),
  NN934: commands(
    both,
    'nnc study net.nn --data train.csv --holdout 0.5 --retrainings 2 --prediction scores',
    'nnc study net.nn --data train.csv --holdout 0.5 --retrainings 2',
  ),
  NN935: commands(
    both,
    [`${train} --out a`, 'nnc compare a b --data train.csv --neighbours 1'],
    [`${train} --out a`, `${train} --seed 2 --out b`, 'nnc compare a b --data train.csv --neighbours 1'],
  ),
  NN936: commands(
    net,
    'nnc profile net.nn --only Net --program step --seconds 1',
    'nnc profile net.nn --only Net --program forward --seconds 1',
  ),
  NN943: commands(both, `${train} --only Net`, `${train} --only Fit`),
  NN944: contents(
    net,
    { 'train.csv': 'x.0,x.1,label\n0,1,0\n1,nan,1\n' },
    { 'train.csv': 'x.0,x.1,label\n0,1,0\n1,0.5,1\n' },
    train,
  ),
  NN945: commands(
    net,
    ['nnc build net.nn --only Net --out dist', 'nnc build net.nn --only Net --out dist --target wasm'],
    ['nnc build net.nn --only Net --out dist', 'nnc build net.nn --only Net --out dist-wasm --target wasm'],
  ),
  NN931: contents(
    { 'train.csv': 'word,next\n0,1\n1,0\n' },
    { 'net.nn': words('100000000000000') },
    { 'net.nn': words('1000') },
    train,
  ),
  NN937: commands(
    {
      'net.nn': `const width = 8

${NET.replace('|> out', '|> hidden: Linear(width) |> relu |> out')}`,
      'train.csv': ROWS,
    },
    [train, `${train} --const width=4 --from ${weights}`],
    [train, `${train} --from ${weights} --out again`],
  ),
  NN938: { none: 'Whether it is said is a matter of the machine: no program and no data bring it about.' },
  NN939: commands(
    { 'song.txt': 'la la la' },
    'nnc tokens song.txt -o song.safetensors',
    'nnc tokens song.txt --window 4 -o song.safetensors',
  ),
  NN940: commands(
    {
      'net.nn': `${NET}
checkpoint other for Net {
  out.weight[o, i] = "kernel"[i, o]
  out.bias = "bias"
}
`,
      'train.csv': ROWS,
    },
    `${train} --checkpoint another`,
    `${train} --checkpoint other`,
  ),
  NN941: commands(
    {
      'powers.nn': `model Powers(x: float[B], N: size) -> float[B, N] {
  require N <= 8
  let y[b, n: N] = x[b] ^ n
  return y
}
`,
      'x.csv': 'x\n2\n3\n',
      'none.safetensors': { python: "safetensors.numpy.save_file({}, 'none.safetensors')", base64: 'AgAAAAAAAAB7fQ==' },
    },
    'nnc run powers.nn --data x.csv --weights none.safetensors',
    'nnc run powers.nn --data x.csv --weights none.safetensors --size N=3',
  ),
  NN946: { none: 'Whether it is said is a matter of the device: no program and no data bring it about.' },
  NN947: {
    files: net,
    wrong: { files: { 'net.tune.json': '{"format": "nnc tun' }, commands: [tuned] },
    mended: { commands: [tuned] },
  },
  NN948: {
    files: net,
    wrong: {
      files: {
        'net.tune.json': '{ "format": "nnc tuning 2", "compiler": "0.0.1", "machine": "abacus", "kernels": [] }',
      },
      commands: [tuned],
    },
    mended: { commands: [tuned] },
  },
  NN949: commands(
    { 'net.nn': 'model Net(x: float[B, 64]) -> float[B, 64] { return x |> out: Linear(64) }\n' },
    ['nnc tune net.nn --bound B=64 --seconds 1', 'nnc build net.nn --bound B=32 --target wasm'],
    ['nnc tune net.nn --bound B=32 --seconds 1', 'nnc build net.nn --bound B=32 --target wasm'],
  ),
  NN999: { none: 'No input should bring this about. Where one does, it is a bug.' },
} as const satisfies Readonly<Record<string, Shown>>;
