/**
 * What every name in a program means, and where else it stands: the index behind definition, references, rename, hover and colours.
 *
 * Most of it is the checker's own resolution; added here are declarations, imports, named arguments, members, and labels. A symbol is known
 * by the place where its name is introduced, so that names bound anew in every round of a loop stay one symbol.
 */
import type { CallExpr, Callable, Declaration, Expr, LetStatement, Name, Parameter, Span } from '../../grammar/ast.ts';
import type { CheckResult, Reference } from '../../compiler/check/check.ts';
import type { Definition, Program, ProgramModule } from '../../compiler/check/program.ts';
import type { LocalBinding } from '../../compiler/check/scope.ts';
import type { Type } from '../../compiler/check/types.ts';
import { once } from './once.ts';
import { nodesOf, walk, type AnyNode } from './walk.ts';

export type SymbolKind =
  | 'size'
  | 'run'
  | 'letter'
  | 'value'
  | 'parameter'
  | 'config'
  | 'leaf'
  | 'input'
  | 'label'
  | 'field'
  | 'const'
  | 'function'
  | 'block'
  | 'train'
  | 'builtin';

export interface NameSymbol {
  readonly key: string;
  readonly name: string;
  readonly kind: SymbolKind;
  /** Where it is introduced; null for what is built in. */
  readonly place: Span | null;
  readonly definition: Definition | null;
  readonly binding: LocalBinding | null;
}

export interface Occurrence {
  readonly span: Span;
  readonly symbol: NameSymbol;
  /** The node that stands there: an expression, an index, a name. */
  readonly node: object;
  readonly introduces: boolean;
}

export interface Names {
  readonly symbols: ReadonlyMap<string, NameSymbol>;
  /** By file, in the order of the text; never two at one place. */
  readonly byFile: ReadonlyMap<number, readonly Occurrence[]>;
  readonly at: (file: number, offset: number) => Occurrence | null;
  readonly of: (symbol: NameSymbol) => readonly Occurrence[];
}

const keyOf = (s: Span): string => `${s.file}:${s.start}`;

export function kindOfDefinition(d: Definition): SymbolKind {
  switch (d.declaration.kind) {
    case 'const':
      return 'const';
    case 'train':
      return 'train';
    case 'block':
    case 'model':
    case 'optimizer':
      return 'block';
    default:
      return 'function';
  }
}

function kindOfBinding(b: LocalBinding): SymbolKind {
  if (b.kind !== 'value') return b.kind;
  switch (b.origin) {
    case 'parameter':
      return 'parameter';
    case 'config':
    case 'round':
      return 'config';
    case 'param':
    case 'state':
    case 'carry':
    case 'weight':
      return 'leaf';
    case 'input':
      return 'input';
    default:
      return 'value';
  }
}

export function symbolOf(r: Reference): NameSymbol | null {
  if (r.kind === 'builtin')
    return { key: `built in:${r.name}`, name: r.name, kind: 'builtin', place: null, definition: null, binding: null };
  if (r.kind === 'definition') return symbolOfDefinition(r.definition);
  const { binding } = r;
  return {
    key: keyOf(binding.span),
    name: binding.name,
    kind: kindOfBinding(binding),
    place: binding.span,
    definition: null,
    binding,
  };
}

export function symbolOfDefinition(definition: Definition): NameSymbol {
  const { name } = definition.declaration;
  return {
    key: keyOf(name.span),
    name: name.text,
    kind: kindOfDefinition(definition),
    place: name.span,
    definition,
    binding: null,
  };
}

const isName = (x: unknown): x is Name =>
  typeof x === 'object' && x !== null && 'text' in x && typeof x.text === 'string' && 'span' in x && !('kind' in x);

/** The place of the word itself: `h: heads` is an index, `h` its name. */
function wordOf(key: object): Span | null {
  if ('name' in key && isName(key.name)) return key.name.span;
  return 'span' in key ? (key.span as Span) : null;
}

/** Made a declaration at a time, when somebody asks: a pointer that moves needs one of them. */
export function indexNames(program: Program, checked: CheckResult): Names {
  const symbols = new Map<string, NameSymbol>();
  const intern = (s: NameSymbol): NameSymbol => {
    const known = symbols.get(s.key);
    if (known !== undefined && (known.binding !== null || s.binding === null)) return known;
    symbols.set(s.key, s);
    return s;
  };
  const made = new Map<Declaration, readonly Occurrence[]>();
  const occurrencesIn = (module: ProgramModule, d: Declaration): readonly Occurrence[] => {
    const known = made.get(d);
    if (known !== undefined) return known;
    const found = new Map<string, Occurrence>();
    const note = (span: Span, symbol: NameSymbol, node: object): void => {
      const key = keyOf(span);
      if (found.has(key) || span.end <= span.start) return;
      const own = intern(symbol);
      found.set(key, { span, symbol: own, node, introduces: own.place !== null && keyOf(own.place) === key });
    };
    for (const node of nodesOf(d)) {
      const reference = checked.references.get(node);
      if (reference === undefined) continue;
      const span = wordOf(node);
      const symbol = symbolOf(reference);
      if (span === null || symbol === null) continue;
      note(span, symbol, node);
      // What a body introduces is an occurrence too, whether or not the checker looked at it again.
      if (symbol.binding !== null && symbol.place !== null && within(symbol.place, d.span))
        note(symbol.place, symbol, node);
    }
    new DeclarationNames(module, checked, note).declaration(d);
    const list = [...found.values()].sort((a, b) => a.span.start - b.span.start);
    made.set(d, list);
    return list;
  };
  const all = once(() => {
    const byFile = new Map<number, readonly Occurrence[]>();
    const bySymbol = new Map<string, Occurrence[]>();
    for (const module of program.modules) {
      if (module.library) continue;
      const own = module.ast.declarations.flatMap((d) => occurrencesIn(module, d));
      byFile.set(module.ast.file, own);
      for (const o of own) push(bySymbol, o.symbol.key, o);
    }
    return { byFile, bySymbol };
  });
  return {
    get symbols() {
      all();
      return symbols;
    },
    get byFile() {
      return all().byFile;
    },
    at: (file, offset) => {
      const module = program.modules.find((m) => m.file === file);
      if (module === undefined) return null;
      const near = module.ast.declarations.filter((d) => d.span.start <= offset && offset <= d.span.end);
      return occurrenceAt(
        near.flatMap((d) => occurrencesIn(module, d)),
        offset,
      );
    },
    of: (symbol) => all().bySymbol.get(symbol.key) ?? [],
  };
}

const within = (inner: Span, outer: Span): boolean =>
  inner.file === outer.file && outer.start <= inner.start && inner.end <= outer.end;

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function occurrenceAt(list: readonly Occurrence[], offset: number): Occurrence | null {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]!.span.end < offset) low = middle + 1;
    else high = middle;
  }
  const first = list[low];
  if (first === undefined || first.span.start > offset) return null;
  // Between two words that touch (`x` and `|`), the one that begins here.
  const next = list[low + 1];
  return next !== undefined && next.span.start === offset ? next : first;
}

type Note = (span: Span, symbol: NameSymbol, node: object) => void;

/** What the checker does not record. */
class DeclarationNames {
  private readonly own: ProgramModule;
  private readonly checked: CheckResult;
  private readonly note: Note;
  private whole: Declaration | null = null;
  private within: Callable | null = null;

  constructor(own: ProgramModule, checked: CheckResult, note: Note) {
    this.own = own;
    this.checked = checked;
    this.note = note;
  }

  declaration(d: Declaration): void {
    this.whole = d;
    this.within = 'body' in d ? d : null;
    if (d.kind === 'bad' || d.kind === 'checkpoint' || d.kind === 'storage') return;
    if (d.kind === 'import') {
      for (const { name, as } of d.names) {
        const definition = this.own.names.get((as ?? name).text);
        if (definition === undefined) continue;
        this.note(name.span, symbolOfDefinition(definition), name);
        if (as !== null) this.note(as.span, symbolOfDefinition(definition), as);
      }
      return;
    }
    this.note(d.name.span, symbolOfDefinition({ declaration: d, module: this.own }), d);
    if (d.kind !== 'const' && d.kind !== 'train') {
      for (const p of d.config ?? []) this.note(p.name.span, parameterSymbol(p, 'config'), p);
      for (const p of d.parameters) this.note(p.name.span, parameterSymbol(p, 'parameter'), p);
      if (Array.isArray(d.result))
        for (const r of d.result as readonly { readonly name: Name }[])
          this.note(r.name.span, plain(r.name, 'field'), r);
    }
    for (const node of nodesOf(d)) this.node(node);
  }

  private node(node: AnyNode): void {
    switch (node.kind) {
      case 'call':
        return this.call(node as CallExpr);
      case 'pipe':
      case 'repeat':
      case 'scan': {
        const { label } = node as { readonly label?: Name | null };
        if (label != null) this.note(label.span, plain(label, 'label'), node);
        return;
      }
      case 'member': {
        const { target, name } = node as { readonly target: Expr; readonly name: Name };
        const type = this.checked.types.get(target) ?? null;
        const field = type?.kind === 'record' ? fieldOf(this.source(target), name.text) : null;
        const place = field === null ? memberPlace(type, name.text) : { span: field.span, kind: 'field' as const };
        if (place !== null)
          this.note(name.span, { ...plain(name, place.kind), key: keyOf(place.span), place: place.span }, node);
        return;
      }
      case 'return': {
        const { fields } = node as { readonly fields: readonly { readonly name: Name | null }[] | null };
        for (const f of fields ?? []) {
          const declared = f.name === null ? null : fieldOf(this.within, f.name.text);
          if (f.name !== null) this.note(f.name.span, plain(declared ?? f.name, 'field'), f);
        }
        return;
      }
      case 'let':
      case 'leaf':
      case 'input':
      case 'metric': {
        const { name } = node as { readonly name: Name };
        const kind = node.kind === 'leaf' ? 'leaf' : node.kind === 'input' ? 'input' : 'value';
        this.note(name.span, plain(name, kind), node);
        return;
      }
      default:
    }
  }

  /** The callable whose results a record holds. */
  private source(e: Expr): Callable | null {
    if (e.kind === 'name') {
      const r = this.checked.references.get(e);
      if (r?.kind === 'definition') return callableOf({ kind: 'callable', definition: r.definition });
      if (r?.kind !== 'local' || this.whole === null) return null;
      const { span } = r.binding;
      const bound = nodesOf(this.whole).find(
        (n) => n.kind === 'let' && (n as LetStatement).name.span.start === span.start,
      ) as LetStatement | undefined;
      if (bound !== undefined && bound.value !== e) return this.source(bound.value);
      return null;
    }
    if (e.kind === 'pipe') return this.source(e.stage);
    if (e.kind !== 'call') return null;
    return callableOf(this.checked.types.get(e.callee) ?? null) ?? this.source(e.callee);
  }

  private call(e: CallExpr): void {
    const named = e.arguments.filter((a) => a.name !== null);
    if (named.length === 0) return;
    const type = this.checked.types.get(e.callee) ?? null;
    const callable = callableOf(type);
    if (callable === null) return;
    const lists = type?.kind === 'callable' ? [callable.config ?? [], callable.parameters] : [callable.parameters];
    for (const a of named) {
      const p = lists.flat().find((x) => x.name.text === a.name!.text);
      if (p === undefined) continue;
      const kind = (callable.config ?? []).includes(p) ? 'config' : 'parameter';
      this.note(a.name!.span, parameterSymbol(p, kind), a);
    }
  }
}

const plain = (name: Name, kind: SymbolKind): NameSymbol => ({
  key: keyOf(name.span),
  name: name.text,
  kind,
  place: name.span,
  definition: null,
  binding: null,
});

export const parameterSymbol = (p: Parameter, kind: 'config' | 'parameter'): NameSymbol => plain(p.name, kind);

/** The declaration behind a type that can be called. */
export function callableOf(type: Type | null): Callable | null {
  if (type === null) return null;
  const definition =
    type.kind === 'callable' || type.kind === 'optimizer'
      ? type.definition
      : type.kind === 'instance'
        ? type.instance.definition
        : type.kind === 'mask'
          ? type.definition
          : null;
  const d = definition?.declaration;
  return d === undefined || d.kind === 'const' || d.kind === 'train' ? null : d;
}

/** The name of one of several declared results. */
function fieldOf(callable: Callable | null, name: string): Name | null {
  const result = callable?.result ?? null;
  if (!Array.isArray(result)) return null;
  return (result as readonly { readonly name: Name }[]).find((r) => r.name.text === name)?.name ?? null;
}

/** Where `weight` of an instance, or a labelled layer in it, is introduced. */
function memberPlace(type: Type | null, name: string): { readonly span: Span; readonly kind: SymbolKind } | null {
  const callable = callableOf(type);
  if (callable === null) return null;
  let place: { readonly span: Span; readonly kind: SymbolKind } | null = null;
  walk(callable.body, (node) => {
    if (place !== null) return false;
    const { name: own, label } = node as { readonly name?: unknown; readonly label?: unknown };
    if ((node.kind === 'leaf' || node.kind === 'let') && isName(own) && own.text === name)
      place = { span: own.span, kind: node.kind === 'leaf' ? 'leaf' : 'value' };
    else if (isName(label) && label.text === name) place = { span: label.span, kind: 'label' };
    return true;
  });
  return place;
}
