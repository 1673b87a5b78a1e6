/**
 * Opens data files: picks the reader by content first and extension second, unpacks .gz, joins several files, maps columns to files.
 *
 * `--data image=train-images-idx3-ubyte.gz/255` names a column, its file and a scale: `/255` divides, `*0.5` multiplies; the result is f32.
 * A file that really has such a name wins over the reading as a scale.
 */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { problem, type Problem } from '../../compiler/diagnostics/problem.ts';
import { readCsv, type CsvOptions } from './csv.ts';
import { datasetOf, failed, type Column, type Dataset, type Reading } from './dataset.ts';
import { looksLikeIdx, readIdx } from './idx.ts';
import { readJsonLines } from './json-lines.ts';
import { looksLikeNpy, readNpy, readNpz } from './npy.ts';
import { scaled } from './numbers.ts';
import { looksLikeSafetensors, readSafetensors } from './safetensors.ts';
import { looksLikeZip } from './zip.ts';

export type OpenOptions = CsvOptions;

/**
 * Several files are one dataset: with the same columns their rows follow one another (shards), with other columns they stand side by side.
 */
export function openData(paths: string | readonly string[], options: OpenOptions = {}): Reading {
  const list = typeof paths === 'string' ? [paths] : paths;
  const datasets: Dataset[] = [];
  const problems: Problem[] = [];
  for (const path of list) {
    const reading = openFile(path, options);
    if (reading.ok) datasets.push(reading.dataset);
    else problems.push(...reading.problems);
  }
  if (problems.length > 0) return { ok: false, problems };
  if (datasets.length === 0) return failed(problem('NN913', null, { text: '', reason: 'no file is named' }));
  return datasets.length === 1 ? { ok: true, dataset: datasets[0]! } : join(datasets);
}

/** `--data` options: either all plain paths, or all `name=path`. */
export function openOptions(texts: readonly string[], options: OpenOptions = {}): Reading {
  // An equals sign in a folder's name is not a mapping.
  const mapping = texts.map((text) => /^([A-Za-z_]\w*)=(.*)$/s.exec(text));
  if (mapping.every((match) => match === null)) return openData(texts, options);
  const files = new Map<string, string>();
  for (const [i, match] of mapping.entries()) {
    const text = texts[i]!;
    if (match === null) {
      const reason = 'it names no column, but another one does (write name=path)';
      return failed(problem('NN913', null, { text, reason }));
    }
    if (match[2] === '') return failed(problem('NN913', null, { text, reason: 'no file follows the =' }));
    if (files.has(match[1]!)) return failed(problem('NN913', null, { text, reason: `${match[1]} is named twice` }));
    files.set(match[1]!, match[2]!);
  }
  return openColumns(files, options);
}

/** One column from each file, renamed. A file with several columns gives the one of that name. */
export function openColumns(files: ReadonlyMap<string, string>, options: OpenOptions = {}): Reading {
  const columns: Column[] = [];
  const damaged = new Map<string, Problem>();
  const problems: Problem[] = [];
  const opened = new Map<string, Reading>();
  for (const [name, text] of files) {
    const { path, scale } = scaleOf(text);
    if (scale !== null && (!Number.isFinite(scale.by) || scale.by === 0)) {
      problems.push(
        problem('NN913', null, { text: `${name}=${text}`, reason: 'the scale is not a number other than 0' }),
      );
      continue;
    }
    let reading = opened.get(path);
    if (reading === undefined) {
      reading = openFile(path, options);
      opened.set(path, reading);
      if (!reading.ok) problems.push(...reading.problems);
    }
    if (!reading.ok) continue;
    const { dataset } = reading;
    const names = [...dataset.columns.keys(), ...dataset.damaged.keys()];
    const key = names.includes(name) ? name : names.length === 1 ? names[0]! : null;
    const column = key === null ? undefined : dataset.columns.get(key);
    if (key === null) problems.push(problem('NN914', null, { path, name, columns: names }));
    else if (column === undefined) damaged.set(name, dataset.damaged.get(key)!);
    else {
      const renamed = { ...column, name };
      const result = scale === null ? renamed : scaled(renamed, scale.by, scale.divide);
      columns.push(result);
    }
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, dataset: datasetOf(columns, [...new Set(opened.keys())].join(', '), damaged) };
}

/** `images.idx/255` → the path and the scale behind it. */
export function scaleOf(text: string): { path: string; scale: { by: number; divide: boolean } | null } {
  const match = /^(.+)([/*])([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.exec(text);
  if (match === null || existsSync(text)) return { path: text, scale: null };
  return { path: match[1]!, scale: { by: Number(match[3]), divide: match[2] === '/' } };
}

/** Reads one file whose bytes are here already: what `openData` does after reading it, for tests and for data from elsewhere. */
export function readData(bytes: Uint8Array, path: string, options: OpenOptions = {}): Reading {
  let content = bytes;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      content = gunzipSync(bytes);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      return failed(problem('NN903', null, { path, format: 'gzip', what }));
    }
  }
  const name = path.replace(/\.gz$/i, '').toLowerCase();
  if (content.length === 0) return failed(problem('NN529', null, { path }));
  // By content: these begin with bytes that no text begins with.
  if (looksLikeNpy(content)) return readNpy(content, path);
  if (looksLikeZip(content)) return readNpz(content, path);
  if (looksLikeIdx(content)) return readIdx(content, path);
  if (looksLikeSafetensors(content)) return readSafetensors(content, path);
  // By name: damaged files still get the report of their format.
  if (name.endsWith('.npy')) return readNpy(content, path);
  if (name.endsWith('.npz')) return readNpz(content, path);
  if (name.endsWith('.safetensors')) return readSafetensors(content, path);
  if (/\.idx$|-ubyte$/.test(name)) return readIdx(content, path);
  if (/\.(jsonl|ndjson)$/.test(name)) return readJsonLines(content, path);
  const text = isText(content);
  if (text && /\.(csv|tsv)$/.test(name)) return readCsv(content, path, options);
  if (text && /^\s*\{/.test(new TextDecoder().decode(content.subarray(0, 64)))) return readJsonLines(content, path);
  return text ? readCsv(content, path, options) : failed(problem('NN902', null, { path }));
}

function openFile(path: string, options: OpenOptions): Reading {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return failed(problem('NN901', null, { path, reason: reasonOf(error) }));
  }
  return readData(bytes, path, options);
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'reading it is not allowed';
    case 'EISDIR':
      return 'it is a folder';
    case 'ERR_FS_FILE_TOO_LARGE':
      return 'it is larger than 2 GiB; split it into several files';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

/** No zero bytes and no control characters but tab, line breaks and form feed in the first kilobytes. */
function isText(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 4096).every((c) => c >= 32 || (c >= 9 && c <= 13));
}

function join(datasets: readonly Dataset[]): Reading {
  const source = datasets.map((dataset) => dataset.source).join(', ');
  const namesOf = (dataset: Dataset) => [...dataset.columns.keys(), ...dataset.damaged.keys()];
  const first = datasets[0]!;
  const others = datasets.slice(1);
  const shared = namesOf(first).find((name) => others.some((other) => namesOf(other).includes(name)));
  if (shared !== undefined) return stack(datasets, source);
  const columns: Column[] = [];
  const damaged = new Map<string, Problem>();
  const owner = new Map<string, string>();
  for (const dataset of datasets) {
    for (const name of namesOf(dataset)) {
      const before = owner.get(name);
      if (before !== undefined)
        return failed(problem('NN910', null, { column: name, paths: [before, dataset.source] }));
      owner.set(name, dataset.source);
    }
    columns.push(...dataset.columns.values());
    for (const [name, damage] of dataset.damaged) damaged.set(name, damage);
  }
  return { ok: true, dataset: datasetOf(columns, source, damaged) };
}

/** Shards: the rows of the second file follow those of the first. */
function stack(datasets: readonly Dataset[], source: string): Reading {
  const columns: Column[] = [];
  const damaged = new Map<string, Problem>();
  const names = new Set(datasets.flatMap((dataset) => [...dataset.columns.keys(), ...dataset.damaged.keys()]));
  for (const name of names) {
    const damage = datasets.map((dataset) => dataset.damaged.get(name)).find((found) => found !== undefined);
    if (damage !== undefined) {
      damaged.set(name, damage);
      continue;
    }
    const parts: Column[] = [];
    for (const dataset of datasets) {
      const part = dataset.columns.get(name);
      if (part === undefined) {
        const holder = datasets.find((other) => other.columns.has(name))!;
        return failed(problem('NN916', null, { paths: [holder.source, dataset.source], column: name, why: 'missing' }));
      }
      parts.push(part);
    }
    const rowShape = parts[0]!.shape.slice(1);
    const odd = parts.findIndex((part) => part.shape.slice(1).join() !== rowShape.join());
    if (odd >= 0) {
      const paths = [datasets[0]!.source, datasets[odd]!.source];
      return failed(problem('NN916', null, { paths, column: name, why: 'shape' }));
    }
    columns.push(stackColumn(name, parts, rowShape, source));
  }
  return { ok: true, dataset: datasetOf(columns, source, damaged) };
}

function stackColumn(name: string, parts: readonly Column[], rowShape: readonly number[], source: string): Column {
  const dtypes = new Set(parts.map((part) => part.dtype));
  const dtype = dtypes.size === 1 ? parts[0]!.dtype : dtypes.has('f32') ? 'f32' : 'i32';
  const size = parts.reduce((sum, part) => sum + part.data.length, 0);
  const rows = parts.reduce((sum, part) => sum + part.shape[0]!, 0);
  const data = dtype === 'f32' ? new Float32Array(size) : dtype === 'i32' ? new Int32Array(size) : new Uint8Array(size);
  const shards: { start: number; source: string; lines?: Uint32Array }[] = [];
  let at = 0;
  let start = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
    shards.push({ start, source: part.source ?? source, ...(part.lines === undefined ? {} : { lines: part.lines }) });
    start += part.shape[0]!;
  }
  return { name, dtype, shape: [rows, ...rowShape], data, source, shards };
}
