/** Pages of data that do not meet a program, and of files that cannot be read. */
import { commands, contents, NET, ROWS, type Shown } from './shown.ts';

const net = { 'net.nn': NET };
const train = 'nnc train net.nn --data train.csv';
const csv = (wrong: string, mended: string): Shown =>
  contents(net, { 'train.csv': wrong }, { 'train.csv': mended }, train);

export const shownData = {
  NN521: csv('x.0,x.1,lable\n0,1,0\n1,0,1\n', 'x.0,x.1,label\n0,1,0\n1,0,1\n'),
  NN522: csv('x.0,x.1,label\n0,1,0\n1,0,1.5\n', 'x.0,x.1,label\n0,1,0\n1,0,1\n'),
  NN523: csv('x.0,x.1,x.2,label\n0,1,1,0\n1,0,1,1\n', 'x.0,x.1,label\n0,1,0\n1,0,1\n'),
  NN524: contents(
    { ...net, 'x.csv': 'x.0,x.1\n0,1\n1,0\n1,1\n' },
    { 'labels.csv': 'label\n0\n1\n' },
    { 'labels.csv': 'label\n0\n1\n2\n' },
    'nnc train net.nn --data x.csv labels.csv',
  ),
  NN525: csv('x.0,x.1,label\n0,1,1\n1,0,2\n1,1,3\n', 'x.0,x.1,label\n0,1,0\n1,0,1\n1,1,2\n'),
  NN526: contents(
    { ...net, 'train.csv': ROWS },
    { 'new.csv': 'x.0,x.1\n0,1\n1,nan\n' },
    { 'new.csv': 'x.0,x.1\n0,1\n1,0.5\n' },
    [train, 'nnc run net.nn --weights nnc-out/Fit/weights.safetensors --data new.csv'],
  ),
  NN527: {
    none: 'It is a note for programs that read data through `meetInputs`: commands print errors and warnings, and a flat row of as many elements is the usual form of a picture in a table.',
  },
  NN528: contents(
    {
      'grid.nn': `train Fit {
  input x: float[B, H, W]
  input y: float[B]
  require H <= 8
  require W <= 8

  let m[b] = mean[i, j] x[b, i, j]
  let z[b, k: 1] = m[b]
  let f = z |> Linear(1)
  minimize mean[b] (f[b, 0] - y[b]) ^ 2
  optimizer SGD(lr: 0.1)
  batch B = 2
  epochs 2
}
`,
    },
    { 'train.jsonl': '{"x": [0, 1, 1, 0], "y": 1}\n{"x": [1, 0, 0, 1], "y": 2}\n' },
    { 'train.jsonl': '{"x": [[0, 1], [1, 0]], "y": 1}\n{"x": [[1, 0], [0, 1]], "y": 2}\n' },
    'nnc train grid.nn --data train.jsonl',
  ),
  NN529: csv('x.0,x.1,label\n', 'x.0,x.1,label\n0,1,0\n1,0,1\n'),

  NN901: commands({ ...net, 'train.csv': ROWS }, 'nnc train net.nn --data trian.csv', train),
  NN902: contents(
    net,
    { 'train.xlsx': '\u00d0\u00cf\u0011\u00e0 a workbook' },
    { 'train.csv': ROWS },
    'nnc train net.nn --data train.*',
  ),
  NN903: contents(
    net,
    { 'x.npy': 'numbers\n', 'label.csv': '0\n1\n' },
    {
      'x.npy': {
        python: "numpy.save('x.npy', numpy.array([[0, 1], [1, 0]], numpy.float32))",
        base64: npy("'<f4'", '(2, 2)', [0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0, 0]),
      },
      'label.csv': '0\n1\n',
    },
    'nnc train net.nn --data x=x.npy --data label=label.csv',
  ),
  NN907: csv('x.0,x.1,label\n0,1,0\n1,0,3000000000\n', 'x.0,x.1,label\n0,1,0\n1,0,2\n'),
  NN911: contents(
    { ...net, 'label.csv': '0\n' },
    {
      'x.npy': {
        python: "numpy.save('x.npy', numpy.array([[0, 1j]], numpy.complex64))",
        base64: npy("'<c8'", '(1, 2)', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f]),
      },
    },
    {
      'x.npy': {
        python: "numpy.save('x.npy', abs(numpy.array([[0, 1j]], numpy.complex64)))",
        base64: npy("'<f4'", '(1, 2)', [0, 0, 0, 0, 0, 0, 0x80, 0x3f]),
      },
    },
    'nnc train net.nn --data x=x.npy --data label=label.csv',
  ),
  NN913: commands({ ...net, 'train.csv': ROWS }, 'nnc train net.nn --data x=', train),
  NN914: commands(
    {
      ...net,
      'x.csv': 'x.0,x.1\n0,1\n1,0\n',
      'notes.csv': 'class,who\n0,7\n1,8\n',
      'classes.csv': 'class\n0\n1\n',
    },
    'nnc train net.nn --data x=x.csv label=notes.csv',
    'nnc train net.nn --data x=x.csv label=classes.csv',
  ),
  NN915: commands(
    { ...net, 'train.csv': ROWS, 'weights.safetensors': 'weights\n' },
    'nnc run net.nn --weights weights.safetensors --data train.csv',
    [train, 'nnc run net.nn --weights nnc-out/Fit/weights.safetensors --data train.csv'],
  ),
  NN916: contents(
    { ...net, 'a.csv': 'x.0,x.1,label\n0,1,0\n1,0,1\n' },
    { 'b.csv': 'x.0,x.1\n1,1\n0,0\n' },
    { 'b.csv': 'x.0,x.1,label\n1,1,2\n0,0,0\n' },
    'nnc train net.nn --data a.csv b.csv',
  ),
} as const satisfies Readonly<Record<string, Shown>>;

/** A .npy file of version 1. */
function npy(descr: string, shape: string, bytes: readonly number[]): string {
  const header = `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117, ' ');
  const text = `\x93NUMPY\x01\x00${String.fromCharCode(118, 0)}${header}\n${String.fromCharCode(...bytes)}`;
  return btoa(text);
}
