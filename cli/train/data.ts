/** Data for a run: opened, met with the inputs by name, and laid out for the training loop. Everything that is wrong is reported at once. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Problem } from '../../compiler/diagnostics/problem.ts';
import type { Column, Columns } from '../../runtime/fit.ts';
import type { Inputs } from '../artifact.ts';
import { meetInputs, openOptions, type InputSpec } from '../data/index.ts';
import { located } from '../files.ts';
import { solveSizes, type Wanted } from '../inputs.ts';
import type { Io } from '../io.ts';
import { refuse, refuseProblems } from '../problems.ts';

export interface RunData {
  /** Inputs whose first axis is the rows. */
  readonly columns: Columns;
  /** Inputs that every step takes whole. */
  readonly whole: Inputs;
  readonly rows: number;
  /** Sizes as these data have them; the batch's size is the number of rows. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Warnings and notes of the meeting. */
  readonly remarks: readonly Problem[];
}

const dataFile = /\.(csv|tsv|npy|npz|idx|jsonl|ndjson|safetensors)(\.gz)?$/i;

/** Files beside a program, by convention: for `digits.nn`, `data/digits-train.*` (else `data/digits.*`) and `data/digits-test.*`. */
export function beside(
  io: Io,
  program: string,
  part: 'train' | 'test',
): { readonly files: readonly string[]; readonly looked: readonly string[] } {
  const stem = basename(program).replace(/\.nn$/, '');
  const folder = join(dirname(program), 'data');
  const wanted = part === 'train' ? [`${stem}-train`, stem] : [`${stem}-test`];
  let names: string[] = [];
  try {
    names = readdirSync(located(io, folder)).sort();
  } catch {
    // No such folder: nothing lies there.
  }
  for (const name of wanted) {
    const files = names.filter((file) => dataFile.test(file) && file.replace(dataFile, '') === name);
    if (files.length > 0) return { files: files.map((file) => join(folder, file)), looked: [] };
  }
  return { files: [], looked: wanted.map((name) => `${join(folder, name)}.*`) };
}

/** `image=images.npy/255` or a plain path, located in the command's folder. */
const locatedOption = (io: Io, text: string): string => {
  const match = /^([A-Za-z_]\w*=)?(.*)$/s.exec(text)!;
  return (match[1] ?? '') + (match[2] === '' ? '' : located(io, match[2]!));
};

/** Opens files and meets the inputs; problems end the command. */
export function openRunData(io: Io, texts: readonly string[], { specs, batch }: Wanted): RunData {
  if (specs.length === 0) return nothing;
  for (const spec of specs) {
    const at = batch === null ? -1 : spec.dims.indexOf(batch.size);
    if (batch !== null && at > 0) refuse('NN928', { input: spec.name, wants: dimsText(spec), size: batch.size });
  }
  const reading = openOptions(texts.map((text) => locatedOption(io, text)));
  if (!reading.ok) return refuseProblems(reading.problems);
  const met = meetInputs(reading.dataset, specs, solveSizes(reading.dataset, specs));
  if (!met.ok) return refuseProblems(met.problems);
  const columns: Record<string, Column> = {};
  const whole: Record<string, Column['data']> = {};
  for (const spec of specs) {
    const { data, shape } = met.bound.get(spec.name)!;
    if (batch !== null && spec.dims[0] === batch.size) columns[spec.name] = { data, shape: shape.slice(1) };
    else whole[spec.name] = data;
  }
  const rows = batch === null ? 1 : (met.sizes.get(batch.size) ?? 1);
  return { columns, whole, rows, sizes: met.sizes, remarks: met.problems };
}

/** These rows of every column, in this order; a row may come several times. */
export function selectRows(columns: Columns, rows: Uint32Array): Columns {
  return Object.fromEntries(
    Object.entries(columns).map(([name, { data, shape }]) => {
      const size = shape.reduce((n, extent) => n * extent, 1);
      const length = rows.length * size;
      const taken =
        data instanceof Float32Array
          ? new Float32Array(length)
          : data instanceof Int32Array
            ? new Int32Array(length)
            : new Uint8Array(length);
      rows.forEach((row, i) => taken.set(data.subarray(row * size, (row + 1) * size), i * size));
      return [name, { data: taken, shape }];
    }),
  );
}

/** For a program without inputs: one step an epoch. */
const nothing: RunData = { columns: {}, whole: {}, rows: 1, sizes: new Map(), remarks: [] };

const dimsText = ({ dims }: InputSpec): string =>
  `[${dims.map((dim) => (typeof dim === 'object' ? dim.text : String(dim))).join(', ')}]`;

/** The loop counts rows by columns: where no input has rows it gets a column that no program reads. */
export const countable = (columns: Columns): Columns =>
  Object.keys(columns).length > 0 ? columns : { '': { data: new Float32Array(1), shape: [] } };
