/**
 * The side tables of a check: what it says of each node of the trees. Every entry is logged for the declaration in whose check it is
 * made, so that it can be taken out, or made again, with all others of that declaration.
 *
 * In an editor one set of tables serves a program from keystroke to keystroke: entries of declarations that did not change stay where they are.
 */
import type { Callable, Declaration, Expr, ScanExpr, Span, TrainDeclaration } from '../../grammar/ast.ts';
import type { Poly } from '../sizes/poly.ts';
import type { Reference, Signature } from './session.ts';
import type { TrainInfo } from './train.ts';
import type { Type } from './types.ts';

type TableName =
  | 'types'
  | 'signatures'
  | 'scanAxes'
  | 'references'
  | 'bodyChecks'
  | 'lets'
  | 'consts'
  | 'constValues'
  | 'trains'
  | 'softmaxes';

export type Write = readonly [table: TableName, key: unknown, value: unknown];

/** Their keys are not nodes but names and places, which several states of a text can share: made anew in each check. */
export const isPassing = (table: TableName): boolean => table === 'constValues' || table === 'softmaxes';

export class Table<K, V> extends Map<K, V> {
  private readonly tables: Tables;
  private readonly named: TableName;

  constructor(tables: Tables, named: TableName) {
    super();
    this.tables = tables;
    this.named = named;
  }

  override set(key: K, value: V): this {
    this.tables.log([this.named, key, value]);
    return super.set(key, value);
  }

  repeat(key: unknown, value: unknown): void {
    super.set(key as K, value as V);
  }

  remove(key: unknown): void {
    super.delete(key as K);
  }
}

/** Span of a softmax call → span of what it was given; by place, since a span is made anew with its text. */
class Softmaxes {
  private readonly tables: Tables;
  private readonly entries = new Map<string, Span>();

  constructor(tables: Tables) {
    this.tables = tables;
  }

  get(call: Span): Span | undefined {
    return this.entries.get(`${call.file}:${call.start}:${call.end}`);
  }

  set(call: Span, given: Span): void {
    this.tables.log(['softmaxes', call, given]);
    this.repeat(call, given);
  }

  repeat(call: unknown, given: unknown): void {
    const { file, start, end } = call as Span;
    this.entries.set(`${file}:${start}:${end}`, given as Span);
  }

  clear(): void {
    this.entries.clear();
  }
}

export class Tables {
  /** Set by the session that writes. */
  log: (write: Write) => void = () => undefined;
  /** What is in the tables, by declaration. */
  readonly written = new Map<Declaration, readonly Write[]>();
  readonly types = new Table<Expr, Type>(this, 'types');
  readonly signatures = new Table<Callable, Signature>(this, 'signatures');
  readonly scanAxes = new Table<ScanExpr, readonly number[]>(this, 'scanAxes');
  readonly references = new Table<object, Reference>(this, 'references');
  readonly bodyChecks = new Table<Callable, number>(this, 'bodyChecks');
  readonly lets = new Table<object, Type>(this, 'lets');
  readonly consts = new Table<object, Type | 'checking'>(this, 'consts');
  /** Internal name of a literal constant → its value: a definition, used where it decides (types.ts has the rule). */
  readonly constValues = new Table<string, Poly>(this, 'constValues');
  readonly trains = new Table<TrainDeclaration, TrainInfo>(this, 'trains');
  readonly softmaxes = new Softmaxes(this);

  /** A new check begins. */
  begin(): void {
    this.constValues.clear();
    this.softmaxes.clear();
  }

  repeat(writes: readonly Write[]): void {
    for (const [table, key, value] of writes) this[table].repeat(key, value);
  }

  remove(declaration: Declaration): void {
    for (const [table, key] of this.written.get(declaration) ?? [])
      if (table !== 'constValues' && table !== 'softmaxes') this[table].remove(key);
    this.written.delete(declaration);
  }
}
