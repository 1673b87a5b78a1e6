/** What figures are made with: compiled programs from files, and where pictures go. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { instantiate, type Instance, type ResultTensor } from '../../cli/artifact.ts';
import { compile, type Artifact } from '../../compiler/index.ts';

export const folder = 'docs/learn/figures';

export function save(name: string, svg: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), svg);
  console.log(`${join(folder, name)}: ${svg.length} bytes`);
}

/** A block of a program, compiled; an error is thrown as its messages. */
export function built(
  path: string,
  only: string,
  bounds: Readonly<Record<string, number>> = {},
  consts: Readonly<Record<string, number>> = {},
): Artifact {
  const result = compile(readFileSync(path, 'utf8'), { path, only, bounds, consts });
  if (!result.ok) throw new Error(result.reports.map(({ message }) => `${path}: ${message}`).join('\n'));
  return result.artifacts.get(only)!;
}

export const created = (artifact: Artifact, seed = 0): Promise<Instance> => instantiate(artifact, 'ts', seed);

export const values = (result: unknown): number[] =>
  typeof result === 'number' ? [result] : [...(result as ResultTensor).data];

/** Columns of a CSV file whose header is plain names. */
export function csvColumns(path: string): Record<string, Float32Array> {
  const [head, ...lines] = readFileSync(path, 'utf8').trim().split('\n');
  const rows = lines.map((line) => line.split(',').map(Number));
  return Object.fromEntries(head!.split(',').map((name, i) => [name, Float32Array.from(rows, (row) => row[i]!)]));
}

export const range = (from: number, to: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
