/**
 * Problems of the data family: code → facts. The prose is in `../render/data.ts`.
 *
 * NN52x: data that do not meet a program's inputs. NN90x, NN91x: files and options. Rows count from 0, as an index does; lines from 1, as an editor does.
 * Their spans are null: the place is in the facts, in the user's own names (input, column, file).
 */
import type { SafetensorsProblem } from '../../../runtime/safetensors.ts';

/** One value in a file. `line` is null where the file has no lines. */
export interface Cell {
  readonly path: string;
  readonly column: string;
  readonly row: number;
  readonly line: number | null;
}

/** Where a size got a value: axis `axis` of `column`, bound to `input`. */
export interface SizeSeen {
  readonly value: number;
  readonly input: string;
  readonly column: string;
  readonly axis: number;
  readonly path: string;
}

export interface DataProblems {
  /** No column has the input's name. */
  NN521: {
    readonly input: string;
    readonly columns: readonly string[];
    readonly nearest: string | null;
    readonly path: string;
  };
  /** A column's values are not of the input's type. */
  NN522: {
    readonly input: string;
    readonly wants: string;
    readonly has: string;
    readonly cell: Cell;
    readonly value: string;
  };
  /** A column's shape is not the input's. `axis` names the guilty axis when there is one. */
  NN523: {
    readonly input: string;
    readonly wants: string;
    readonly column: string;
    readonly path: string;
    readonly shape: readonly number[];
    readonly axis: { readonly index: number; readonly text: string; readonly value: number } | null;
  };
  /** A named size has two values. */
  NN524: { readonly size: string; readonly first: SizeSeen; readonly second: SizeSeen };
  /** An index outside its bound. `count` values are. */
  NN525: {
    readonly input: string;
    readonly cell: Cell;
    readonly value: number;
    readonly bound: number;
    readonly boundText: string;
    readonly count: number;
  };
  /** NaN or infinity in an input. `count` values are. */
  NN526: { readonly input: string; readonly cell: Cell; readonly value: string; readonly count: number };
  /** A column was read in another shape. */
  NN527: {
    readonly input: string;
    readonly column: string;
    readonly path: string;
    readonly from: readonly number[];
    readonly to: readonly number[];
    readonly wants: string;
  };
  /** A size in an input that no column determines. */
  NN528: { readonly input: string; readonly wants: string; readonly text: string };
  /** Data without rows. */
  NN529: { readonly path: string };

  /** A file that cannot be read. */
  NN901: { readonly path: string; readonly reason: string };
  /** A file of unknown format. */
  NN902: { readonly path: string };
  /** A file that is not what its format demands. */
  NN903: { readonly path: string; readonly format: string; readonly what: string };
  /** A line of CSV with too few or too many fields. */
  NN904: { readonly path: string; readonly line: number; readonly expected: number; readonly found: number };
  /** A quote that does not end, or text after the closing one. */
  NN905: { readonly path: string; readonly line: number; readonly unclosed: boolean };
  /** A cell that is not a number. */
  NN906: { readonly cell: Cell; readonly text: string };
  /** A number that the compiled program cannot hold. */
  NN907: { readonly cell: Cell; readonly value: string; readonly type: 'i32' | 'f32' };
  /** A nested array whose shape differs from the first row's. */
  NN908: { readonly cell: Cell; readonly expected: string; readonly found: string };
  /** A line that is not a JSON object. */
  NN909: { readonly path: string; readonly line: number; readonly reason: string };
  /** Two columns of one name. */
  NN910: { readonly column: string; readonly paths: readonly string[] };
  /** An element type without a counterpart. */
  NN911: { readonly path: string; readonly column: string; readonly type: string };
  /** Numbered columns with a gap. */
  NN912: { readonly path: string; readonly column: string; readonly missing: string };
  /** A `--data` option that says nothing, or a header that cannot be. */
  NN913: { readonly text: string; readonly reason: string };
  /** A file with several columns where one was asked for. */
  NN914: { readonly path: string; readonly name: string; readonly columns: readonly string[] };
  /** A malformed safetensors file. */
  NN915: { readonly path: string; readonly problem: SafetensorsProblem };
  /** Files that share some columns but not all, or in other shapes. */
  NN916: { readonly paths: readonly string[]; readonly column: string; readonly why: 'missing' | 'shape' };
  /** A JSON line without a key that the others have. */
  NN917: { readonly cell: Cell };
}
