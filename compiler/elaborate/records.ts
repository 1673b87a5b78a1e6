/**
 * Parameters as values: `m.params`, `m.state`, `m.carry` are records of leaves by path, with leafwise arithmetic; `m with r`, `m with { selector |> f }`,
 * `eval(m)` and `frozen(m)` are the same layer reading other leaves. What a layer then rebinds is its own: a carry that is read through f is written as ever.
 *
 * A record is a function from paths to tensors and knows its paths only as far as they have been met: `Core() with Llama.core.params` takes what its
 * body asks for. Where all paths are needed (a sum over them, a gradient) the program is elaborated again if more turn up (`elaborate.ts`).
 */
import type { LeafStatement, PipeExpr, Span, WithExpr } from '../../grammar/ast.ts';
import { differentiate } from '../differentiate/differentiate.ts';
import type { Node } from '../graph/types.ts';
import { asTensor, binary } from './arithmetic.ts';
import { evaluateCall, evaluatePipe } from './calls.ts';
import { joinPath, refuse, type Elaboration } from './elaboration.ts';
import { evaluate } from './expressions.ts';
import { asInstance, instantiate, leafType, persistentLeaf } from './instances.ts';
import { Scope } from './scope.ts';
import { tensor, type InstanceValue, type LeavesValue, type Value } from './values.ts';

export type LeafSort = 'param' | 'state' | 'carry';

/** Who asks for a leaf: enough to make it where it is not known yet. */
export interface Ask {
  readonly statement: LeafStatement;
  readonly scope: Scope;
  readonly sort: LeafSort;
}

/** What a layer reads in place of its own leaves. */
export interface Override {
  /** Of the layer: below it paths are relative. */
  readonly base: string;
  /** The leaf at this path, or null where the layer's own stays. */
  readonly take: (cx: Elaboration, path: string, ask: Ask, own: () => Node) => Node | null;
}

const SORTS: Readonly<Record<string, LeafSort>> = { params: 'param', state: 'state', carry: 'carry' };
export const isRecordName = (name: string): boolean => name in SORTS;

const below = (base: string, path: string): string | null =>
  base === '' ? path : path.startsWith(`${base}.`) ? path.slice(base.length + 1) : null;

// ------------------------------------------------------------------------------------------------------------------- reading leaves

/** The leaf as the body sees it: its own, unless what it is called through says otherwise. */
export function seenLeaf(
  cx: Elaboration,
  overrides: readonly Override[],
  path: string,
  ask: Ask,
  own: () => Node,
): { readonly node: Node; readonly isOwn: boolean } {
  let value = own;
  let changed = false;
  for (const o of overrides) {
    const relative = below(o.base, path);
    if (relative === null) continue;
    const before = value;
    const taken = o.take(cx, relative, ask, before);
    if (taken === null) continue;
    changed = true;
    value = () => taken;
  }
  const node = value();
  return { node, isOwn: !changed };
}

/** `m.params` of the layer at `path`. */
export function leavesAt(
  cx: Elaboration,
  path: string,
  name: string,
  overrides: readonly Override[],
  store: number | null,
): LeavesValue {
  const sort = SORTS[name]!;
  if (sort === 'carry') {
    const prefix = `~store ${store} ${path === '' ? '' : `${path}.`}`;
    return {
      kind: 'leaves',
      get: (p) => cx.current.get(prefix + p) ?? null,
      paths: () => [...cx.current.keys()].flatMap((k) => (k.startsWith(prefix) ? [k.slice(prefix.length)] : [])),
    };
  }
  const known = (): string[] =>
    [...cx.unit.leaves.values()].flatMap(({ leaf }) => {
      const relative = leaf.kind === sort ? below(path, leaf.path) : null;
      return relative === null ? [] : [relative];
    });
  return {
    kind: 'leaves',
    get: (p, ask) => {
      if (ask !== null && ask.sort !== sort) return null;
      const full = joinPath(path, p);
      const record = cx.unit.leaves.get(full);
      if (record !== undefined && record.leaf.kind !== sort) return null;
      if (record === undefined && ask === null) return null;
      const own = (): Node =>
        cx.leaf(record ?? persistentLeaf(cx, ask!.statement, ask!.scope, full, sort === 'param' ? 'param' : 'state'));
      const asked = ask ?? { statement: record!.statement, scope: record!.scope, sort };
      return seenLeaf(cx, overrides, full, asked, own).node;
    },
    paths: () => {
      const found = known();
      cx.unit.listings.push({ count: found.length, recount: () => known().length });
      return found;
    },
  };
}

// ------------------------------------------------------------------------------------------------------------------- arithmetic

/** Applies `f` to the leaves of every path; what is no record goes in as it is. */
export function leafwise(values: readonly Value[], span: Span, f: (leaves: readonly Value[]) => Value): LeavesValue {
  const records = values.filter((v) => v.kind === 'leaves');
  const get: LeavesValue['get'] = (path, ask) => {
    const at = values.map((v): Value | null => {
      if (v.kind !== 'leaves') return v;
      const node = v.get(path, ask);
      return node === null ? null : tensor(node);
    });
    if (at.every((v, k) => v === null || values[k]!.kind !== 'leaves')) return null;
    if (at.includes(null))
      return refuse('NN805', span, { what: `\`${path}\` is in one of the two records and not in the other` });
    const result = f(at as Value[]);
    if (result.kind !== 'tensor') return refuse('NN805', span, { what: `what is made of \`${path}\` is no tensor` });
    return result.node;
  };
  return { kind: 'leaves', get, paths: () => records[0]!.paths() };
}

/** All leaves of a record. */
export function entriesOf(record: LeavesValue): [string, Node][] {
  return record.paths().flatMap((p): [string, Node][] => {
    const node = record.get(p, null);
    return node === null ? [] : [[p, node]];
  });
}

export function recordOf(entries: ReadonlyMap<string, Node>): LeavesValue {
  return { kind: 'leaves', get: (p) => entries.get(p) ?? null, paths: () => [...entries.keys()] };
}

/** sum(r), max(r), …: over every element of every leaf. */
export function reduceRecord(
  cx: Elaboration,
  record: LeavesValue,
  span: Span,
  one: (v: Value) => Value,
  join: '+' | '*' | 'min' | 'max' | 'and' | 'or',
  both: (a: Value, b: Value) => Value,
): Value {
  const parts = entriesOf(record).map(([, node]) => one(tensor(node)));
  // Nothing is known of it yet: there is another round (see `settled`).
  if (parts.length === 0) return tensor(cx.builder.constant(0, 'f32'));
  return parts.reduce((a, b) => (join === 'min' || join === 'max' ? both(a, b) : binary(cx, null, join, a, b, span)));
}

/** The gradient by every leaf, a record again. */
export function recordGradient(cx: Elaboration, y: Node, by: LeavesValue): LeavesValue {
  const entries = entriesOf(by);
  const b = cx.builder;
  const found = differentiate(
    b,
    b.local(y),
    entries.map(([, n]) => b.local(n)),
  );
  return recordOf(new Map(entries.map(([p, n], k) => [p, found[k] ?? b.zeros(n.type)])));
}

// ------------------------------------------------------------------------------------------------------------------------- with

/** The layer that a value names: an instance, or a model as the network it is. */
export function networkOf(cx: Elaboration, v: Value, span: Span): InstanceValue {
  if (v.kind === 'instance') return v;
  const d = v.kind === 'definition' ? v.definition : null;
  if (d !== null && d.declaration.kind === 'model') {
    const path = cx.networkPath(d.declaration.name.text);
    return instantiate(cx, d.declaration, d.module, [], path, span);
  }
  return refuse('NN802', span, { what: 'something that is no layer or network' });
}

export function withOverride(instance: InstanceValue, take: Override['take']): InstanceValue {
  return { ...instance, overrides: [...instance.overrides, { base: instance.path, take }] };
}

export const frozen = (instance: InstanceValue): InstanceValue =>
  withOverride(instance, (cx, _path, ask, own) => (ask.sort === 'param' ? cx.builder.stopGradient(own()) : null));

export function evaluateWith(cx: Elaboration, e: WithExpr, scope: Scope, label: string | null): Value {
  const target =
    e.target.kind === 'call' ? evaluateCall(cx, e.target, scope, null, label) : evaluate(cx, e.target, scope, null);
  const instance = networkOf(cx, target, e.target.span);
  if (e.record !== null) {
    const record = evaluate(cx, e.record, scope, null);
    if (record.kind !== 'leaves')
      return refuse('NN802', e.record.span, { what: 'something that is no record of leaves' });
    const { span } = e.record;
    return withOverride(instance, (inner, path, ask) => {
      const node = record.get(path, ask);
      return node === null ? null : fitting(inner, node, ask, path, span);
    });
  }
  return (e.edits ?? []).reduce((made, edit) => withEdit(cx, made, edit, scope), instance);
}

/** A leaf of another shape than the body declares would fail somewhere inside it. */
function fitting(cx: Elaboration, node: Node, ask: Ask, path: string, span: Span): Node {
  const b = cx.builder;
  const local = b.local(node);
  const type = leafType(cx, ask.statement, ask.scope);
  const same = local.type.sizes.length === type.sizes.length && local.type.sizes.every((s, k) => s === type.sizes[k]);
  if (!same || local.type.dtype !== type.dtype)
    return refuse('NN805', span, { what: `\`${path}\` has another shape or type than the layer declares` });
  return local;
}

/** `selector |> f`: the leaves that the selector names go through f, which may be a layer with parameters of its own. */
function withEdit(cx: Elaboration, instance: InstanceValue, edit: WithExpr['target'], scope: Scope): InstanceValue {
  const stages: PipeExpr[] = [];
  let first = edit;
  while (first.kind === 'pipe') {
    stages.unshift(first);
    first = first.value;
  }
  const text = first.kind === 'string' ? first.value : pathText(first);
  if (text === null || stages.length === 0)
    return refuse('NN802', edit.span, { what: 'a change that is not written `"path" |> f`' });
  // A whole sort of leaves by its word; by path, parameters and states.
  const sort = first.kind === 'name' ? SORTS[text] : undefined;
  const pattern = pathPattern(text);
  const names = (path: string, ask: Ask): boolean =>
    sort === undefined ? ask.sort !== 'carry' && pattern.test(path) : ask.sort === sort;
  cx.unit.selectors.set(first, cx.unit.selectors.get(first) ?? { text, matched: false, below: instance.path });
  return withOverride(instance, (inner, path, ask, own) => {
    if (!names(path, ask)) return null;
    cx.unit.selectors.get(first)!.matched = true;
    const full = joinPath(instance.path, path);
    // Parameters of f stand below the leaf that it changes.
    return inner.withPath(full, () =>
      asInstance(inner, { ...instance, overrides: [] }, () => {
        let value: Value = tensor(own());
        for (const stage of stages) {
          const room = new Scope(scope.module, scope);
          room.set(LEAF, value);
          const name = { kind: 'name', name: LEAF, span: first.span } as const;
          value = evaluatePipe(inner, { ...stage, value: name }, room, null);
        }
        const { type } = own();
        const node = asTensor(inner, value, edit.span, type.dtype);
        return fitting(inner, node, ask, path, edit.span);
      }),
    );
  });
}

/** No name of a program. */
const LEAF = '(leaf)';

/** `h.attn.weight` as a path. */
function pathText(e: WithExpr['target']): string | null {
  if (e.kind === 'name') return e.name;
  if (e.kind !== 'member') return null;
  const target = pathText(e.target);
  return target === null ? null : `${target}.${e.name.text}`;
}

/** `*` within a segment, `**` across. */
export function pathPattern(text: string): RegExp {
  const pattern = text
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*/g, '§')
    .replace(/\*/g, '[^.]*')
    .replace(/§/g, '.*');
  return new RegExp(`^${pattern}$`);
}
