/**
 * Facts of reports that no text of a program causes by itself, as their producers make them; each in every form that its wording has. The type
 * holds the table to every code of these families: a new one without facts does not compile.
 */
import type { CliProblems } from '../../cli/problems.ts';
import type { BuildProblems } from '../../compiler/diagnostics/families/build.ts';
import type { Cell, DataProblems } from '../../compiler/diagnostics/families/data.ts';
import type { PlanProblems } from '../../compiler/diagnostics/families/plan.ts';

type Families = BuildProblems & DataProblems & PlanProblems & CliProblems;
type Table = { readonly [C in keyof Families]: readonly [Families[C], ...Families[C][]] };

const csv = (column: string, row: number): Cell => ({ path: 'train.csv', column, row, line: row + 2 });
const npy = (column: string, row: number): Cell => ({ path: 'train.npz', column, row, line: null });

export const facts: Table = {
  // Builds
  NN150: [
    { condition: 'D % heads == 0', message: null, values: ['2', '0'] },
    { condition: 'T <= 1024', message: 'at most 1024 positions', values: [] },
  ],
  NN151: [{ index: 't' }],
  NN152: [{ name: 'normal' }],
  NN520: [{ size: 'T', unit: 'Sum' }],
  NN530: [
    {
      unit: 'Fit',
      program: 'step',
      bound: 64 * 2 ** 20,
      least: 100 * 2 ** 20,
      persistent: 12 * 2 ** 20,
      largest: [
        { name: 'hidden', bytes: 40 * 2 ** 20, span: null },
        { name: 'scores', bytes: 20 * 2 ** 20, span: null },
      ],
    },
  ],
  NN790: [
    { name: 'Fitt', known: ['Fit', 'Net'] },
    { name: null, known: [] },
  ],
  NN791: [
    { what: 'no optimizer', name: 'Fit' },
    { what: 'unmatched parameter', name: 'out.weight' },
    { what: 'empty selector', name: 'hidden.*' },
  ],
  NN792: [{ option: 'bounds.B', value: '0', wanted: 'a whole number from 1' }],
  NN793: [{ path: 'hiden', model: 'Net', known: ['hidden', 'out'] }],
  NN794: [
    { path: 'out.weight', rule: 'int4:32', why: 'its last axis of 10 does not divide by 32' },
    { path: null, rule: 'enc.*=int8', why: 'no parameter has such a path' },
  ],
  NN795: [{ unit: 'Fit', path: 'hidden.weight', count: 3 }],
  NN801: [{ feature: 'a run of axes', instead: 'write its axes: `float[B, 3]`' }],
  NN802: [{ what: 'a pipe into something that is not callable' }],
  NN803: [{ name: 'h' }],
  NN804: [
    { target: 'wgsl', unit: 'Fit', what: 'a loop that ends early' },
    { target: 'wasm', unit: 'Fit', what: 'a tensor of f16' },
  ],
  NN805: [{ what: '`a` has no leaf `out.bias`' }],
  NN806: [{ op: 'max', parts: 4 }],
  NN807: [
    {
      unit: 'Fit',
      what: 'the table `wte.weight`',
      over: 'binding',
      needed: 1200 * 2 ** 20,
      limit: 128 * 2 ** 20,
      bindings: 8,
    },
    { unit: 'Fit', what: 'k12', over: 'buffers', needed: 11, limit: 8, bindings: 8 },
  ],
  NN808: [{ path: 'out.weight', what: 'the letter `d` stands on one side only' }],
  NN809: [{ name: 'w', first: 'a.weight', second: 'b.weight' }],

  // Data that do not meet the inputs
  NN521: [
    { input: 'image', columns: ['imge', 'label'], nearest: 'imge', path: 'train.csv' },
    { input: 'image', columns: ['a', 'b'], nearest: null, path: 'train.csv' },
  ],
  NN522: [{ input: 'label', wants: 'i32[B] < 10', has: 'numbers with fractions', cell: csv('label', 4), value: '2.5' }],
  NN523: [
    {
      input: 'image',
      wants: 'float[B, H, W]',
      column: 'image',
      path: 'train.npz',
      shape: [1797, 8, 9],
      axis: { index: 2, text: 'W', value: 8 },
    },
    { input: 'image', wants: 'float[B, 8, 8]', column: 'image', path: 'train.npz', shape: [1797, 64], axis: null },
  ],
  NN524: [
    {
      size: 'T',
      first: { value: 12, input: 'source', column: 'source', axis: 1, path: 'a.npz' },
      second: { value: 14, input: 'target', column: 'target', axis: 1, path: 'a.npz' },
    },
  ],
  NN525: [
    { input: 'label', cell: csv('label', 17), value: 10, bound: 10, boundText: '10', count: 1 },
    { input: 'token', cell: npy('token', 3), value: -1, bound: 5000, boundText: 'vocab', count: 12 },
  ],
  NN526: [
    { input: 'x', cell: csv('x.1', 2), value: 'NaN', count: 1 },
    { input: 'x', cell: npy('x', 0), value: 'Infinity', count: 40 },
  ],
  NN527: [
    { input: 'image', column: 'image', path: 'train.csv', from: [1797, 64], to: [1797, 8, 8], wants: 'float[B, 8, 8]' },
  ],
  NN528: [{ input: 'x', wants: 'float[B, 2 * K]', text: '2 * K' }],
  NN529: [{ path: 'train.csv' }],

  // Files of data
  NN901: [{ path: 'train.csv', reason: 'there is no such file' }],
  NN902: [{ path: 'train.xlsx' }],
  NN903: [{ path: 'train.npy', format: 'NPY', what: 'it does not begin with \\x93NUMPY' }],
  NN904: [
    { path: 'train.csv', line: 7, expected: 65, found: 64 },
    { path: 'train.csv', line: 7, expected: 2, found: 3 },
  ],
  NN905: [
    { path: 'train.csv', line: 3, unclosed: true },
    { path: 'train.csv', line: 3, unclosed: false },
  ],
  NN906: [{ cell: csv('age', 0), text: 'n/a' }],
  NN907: [
    { cell: csv('id', 5), value: '3000000000', type: 'i32' },
    { cell: npy('x', 5), value: '1e300', type: 'f32' },
  ],
  NN908: [{ cell: { path: 'd.jsonl', column: 'x', row: 4, line: 5 }, expected: '[3]', found: '[2]' }],
  NN909: [{ path: 'd.jsonl', line: 2, reason: 'Unexpected token } in JSON' }],
  NN910: [
    { column: 'label', paths: ['a.csv', 'b.csv'] },
    { column: 'label', paths: ['a.csv'] },
  ],
  NN911: [{ path: 'd.npz', column: 'z', type: 'complex64' }],
  NN912: [{ path: 'd.csv', column: 'image', missing: '.7' }],
  NN913: [{ text: 'x=', reason: 'a file belongs behind the `=`' }],
  NN914: [{ path: 'd.npz', name: 'image', columns: ['a', 'b'] }],
  NN915: [
    { path: 'w.safetensors', problem: { kind: 'short', bytes: 4 } },
    { path: 'w.safetensors', problem: { kind: 'header length', length: 1000, bytes: 100 } },
    { path: 'w.safetensors', problem: { kind: 'header text', reason: 'Unexpected end of JSON input' } },
    { path: 'w.safetensors', problem: { kind: 'metadata', key: 'nnc' } },
    { path: 'w.safetensors', problem: { kind: 'duplicate name', name: 'out.weight' } },
    { path: 'w.safetensors', problem: { kind: 'entry', name: 'out.weight', field: 'shape' } },
    { path: 'w.safetensors', problem: { kind: 'unknown type', name: 'out.weight', dtype: 'F8' } },
    { path: 'w.safetensors', problem: { kind: 'outside', name: 'out.weight', begin: 0, end: 400, bytes: 100 } },
  ],
  NN916: [
    { paths: ['a.csv', 'b.csv'], column: 'label', why: 'missing' },
    { paths: ['a.npz', 'b.npz'], column: 'image', why: 'shape' },
  ],
  NN917: [{ cell: { path: 'd.jsonl', column: 'label', row: 3, line: 4 } }],

  // The command line
  NN900: [{ message: "unknown option '--epoch'" }],
  NN920: [{ path: 'net.nn', reason: 'there is no such file' }],
  NN921: [{ path: 'out/Fit.js', reason: 'permission denied' }],
  NN922: [
    { path: 'net.nn', kind: 'train block', known: [] },
    { path: 'net.nn', kind: 'model', known: ['Encoder', 'Decoder'] },
  ],
  NN923: [{ path: 'net.nn', inputs: ['image: float[B, 8, 8]', 'label: i32[B] < 10'], looked: ['data/net-train.*'] }],
  NN924: [
    {
      path: 'w.safetensors',
      unit: 'Net',
      missing: [{ name: 'out.bias', type: 'f32[10]' }],
      surplus: [{ name: 'head.bias', type: 'f32[10]' }],
      wrong: [{ name: 'out.weight', has: 'f32[10, 32]', wants: 'f32[10, 64]' }],
    },
  ],
  NN925: [
    {
      path: 'nnc-out/Fit',
      reason: 'its data were others',
      advice: 'give the same --data, or begin anew without --resume',
    },
  ],
  NN926: [
    { epoch: 3, step: 41, kept: 2, saved: 2 },
    { epoch: 3, step: 41, kept: null, saved: 2 },
    { epoch: 1, step: 2, kept: null, saved: 0 },
  ],
  NN927: [{ rows: 1, reason: 'none is left to validate with' }],
  NN928: [{ input: 'x', wants: 'float[8, B]', size: 'B' }],
  NN929: [{ path: 'out.npy', reason: '.npy holds one tensor, and there are two' }],
  NN930: [{ unit: 'Net', reasons: ['index 12 of token is not below 10', 'row 3'] }],
  NN931: [{ unit: 'Fit', bytes: 9 * 2 ** 30 }],
  NN932: [
    { code: 'NN1', nearest: [] },
    { code: 'NN140', nearest: ['NN104', 'NN130'] },
  ],
  NN933: [
    { what: 'const', name: 'widht', path: 'net.nn', known: ['width'] },
    { what: 'size', name: 'Q', path: 'net.nn', known: [] },
  ],
  NN934: [{ reason: 'there are no rows to test on', advice: 'give --test FILE or --holdout 0.2' }],
  NN935: [{ reason: 'a has no value `hidden`', advice: 'it has `first`, `out`' }],
  NN936: [{ unit: 'Fit', program: 'forwards', known: ['step', 'evaluate'] }],
  NN937: [
    { path: 'w.safetensors', unit: 'Fit', reason: 'they are those of another network', notes: ['missing: out.bias'] },
  ],
  NN938: [
    { unit: 'Fit', lacks: 'package' },
    { unit: 'Fit', lacks: 'adapter' },
  ],
  NN939: [{ reason: 'the weights hold no tokenizer', advice: 'train on data that `nnc tokens` made' }],
  NN940: [{ path: 'theirs.safetensors', checkpoint: 'other', reasons: ['there is no tensor layers.0.up.kernel'] }],
  NN941: [{ model: 'Write', size: 'N' }],
  NN943: [
    { name: 'Net', is: 'model', kind: 'train block', path: 'net.nn', known: ['Fit'] },
    { name: 'Net', is: 'model', kind: 'train block', path: 'net.nn', known: [] },
  ],
  NN944: [{ places: ['input x holds NaN in column x.1, row 2 (line 4 of train.csv)'] }],
  NN945: [{ path: 'dist/Fit.js', was: 'ts', target: 'wasm' }],
  NN946: [{ device: 'llvmpipe' }],
  NN947: [{ path: 'net.tune.json', reason: 'it ends in the middle' }],
  NN948: [
    { path: 'net.tune.json', what: 'machine', was: 'x86-64, 8 cores', is: 'arm64, 4 cores' },
    { path: 'net.tune.json', what: 'compiler', was: '0.1.0', is: '0.2.0' },
  ],
  NN949: [
    { path: 'net.tune.json', unit: 'Fit', of: 12, gone: ['linear_relu', 'grad_linear_relu'], wrong: [] },
    { path: 'net.tune.json', unit: 'Fit', of: 1, gone: ['linear'], wrong: [] },
    { path: 'net.tune.json', unit: 'Fit', of: 12, gone: [], wrong: ['linear_relu: sum: tiles of 9 rows'] },
    {
      path: 'net.tune.json',
      unit: 'Fit',
      of: 12,
      gone: ['softmax'],
      wrong: ['linear_relu: sum: tiles of 9 rows', 'linear_2: sum: 3 vectors together'],
    },
  ],
  NN999: [{ message: 'cannot read properties of null' }],
};
