/**
 * What every reader returns: named columns of numbers. A column is a tensor whose first axis is the rows.
 *
 * A column that cannot be used (text in a cell, a number too large) does not spoil the others: its problem waits in `damaged` until an
 * input asks for it. What spoils the whole file is a problem of the reading. This file knows no format and no input.
 */
import { basename } from 'node:path';
import type { Problem } from '../../compiler/diagnostics/problem.ts';
import type { Cell } from '../../compiler/diagnostics/families/data.ts';

export type ColumnData = Float32Array | Int32Array | Uint8Array;

export interface Column {
  readonly name: string;
  readonly dtype: 'f32' | 'i32' | 'bool';
  /** First axis = rows. */
  readonly shape: readonly number[];
  readonly data: ColumnData;
  /** For sequences padded to one length: how many entries of the second axis count, per row. */
  readonly lengths?: Int32Array;
  /** The file it came from, where a dataset has several. */
  readonly source?: string;
  /** Text formats: the line (from 1) of each row. */
  readonly lines?: Uint32Array;
  /** Joined from several files: the first row, the file and the lines of each. Stands instead of `lines`. */
  readonly shards?: readonly { readonly start: number; readonly source: string; readonly lines?: Uint32Array }[];
}

export interface Dataset {
  /** First axis of the first column. Files of arrays may hold columns of other lengths: their sizes have names, and meeting the inputs compares those. */
  readonly rows: number;
  readonly columns: ReadonlyMap<string, Column>;
  readonly damaged: ReadonlyMap<string, Problem>;
  readonly source: string;
}

export type Reading =
  { readonly ok: true; readonly dataset: Dataset } | { readonly ok: false; readonly problems: readonly Problem[] };

export const failed = (...problems: Problem[]): Reading => ({ ok: false, problems });

export function datasetOf(
  columns: readonly Column[],
  source: string,
  damaged: ReadonlyMap<string, Problem> = new Map(),
): Dataset {
  return {
    rows: columns[0]?.shape[0] ?? 0,
    columns: new Map(columns.map((column) => [column.name, column])),
    damaged,
    source,
  };
}

/** The name of a file without folders, `.gz` and its format: `data/label.npy.gz` → `label`. */
export function stem(path: string): string {
  return basename(path)
    .replace(/\.gz$/i, '')
    .replace(/\.(csv|tsv|npy|npz|idx|jsonl|ndjson|safetensors)$/i, '');
}

export const elements = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

/** The cell that holds element `index` of a column. */
export function cellOf(column: Column, index: number, path: string): Cell {
  const rowSize = elements(column.shape.slice(1));
  const row = rowSize === 0 ? 0 : Math.floor(index / rowSize);
  let name = column.name;
  if (column.shape.length > 1) {
    let rest = index - row * rowSize;
    const position: number[] = [];
    for (let axis = column.shape.length - 1; axis >= 1; axis--) {
      const extent = column.shape[axis]!;
      position.unshift(rest % extent);
      rest = Math.floor(rest / extent);
    }
    name += `[${position.join(', ')}]`;
  }
  const shard = column.shards?.findLast(({ start }) => start <= row);
  if (shard !== undefined) {
    const within = row - shard.start;
    return { path: shard.source, column: name, row: within, line: shard.lines?.[within] ?? null };
  }
  return { path: column.source ?? path, column: name, row, line: column.lines?.[row] ?? null };
}
