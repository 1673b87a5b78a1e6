/**
 * What is visible at an offset, found from the text's structure alone: it works where the checker could not, as in the line being typed.
 * Types are taken from the checker wherever it had one.
 */
import type {
  Callable,
  Declaration,
  Index,
  Parameter,
  RepeatStatement,
  ScanExpr,
  Statement,
  TrainDeclaration,
  TrainStatement,
  TypeExpr,
} from '../../grammar/ast.ts';
import type { Type } from '../../compiler/check/types.ts';
import type { Analysis } from '../analysis.ts';
import type { SymbolKind } from './names.ts';
import { kindOfDefinition } from './names.ts';
import { signatureText } from './show.ts';
import { typeText } from './typed.ts';
import { walk } from './walk.ts';

export interface Visible {
  readonly name: string;
  readonly kind: SymbolKind;
  /** Its type or signature; empty where unknown. */
  readonly detail: string;
  readonly doc: string | null;
  readonly type: Type | null;
  readonly declaration: Declaration | null;
  /** Of the document itself, of a file it imports, or of the library. */
  readonly from: 'local' | 'file' | 'library';
}

type AnyStatement = Statement | TrainStatement;

/** The declaration around an offset. One that is not finished reaches to the next. */
export function declarationAt(a: Analysis, offset: number): Callable | TrainDeclaration | null {
  let found: Declaration | null = null;
  for (const d of a.module.ast.declarations) {
    if (d.span.start > offset) break;
    if (d.span.end >= offset || d.kind === 'bad' || endsOpen(a.text, d.span.end)) found = d;
    else found = null;
  }
  if (
    found === null ||
    found.kind === 'import' ||
    found.kind === 'const' ||
    found.kind === 'bad' ||
    found.kind === 'checkpoint' ||
    found.kind === 'storage'
  )
    return null;
  return found;
}

const endsOpen = (text: string, end: number): boolean =>
  text[end - 1] !== '}' && text.slice(end).trimStart().startsWith('}');

/** Nearest first; a name stands once. */
export function visibleAt(a: Analysis, offset: number): Visible[] {
  const seen = new Map<string, Visible>();
  const add = (v: Visible): void => {
    if (!seen.has(v.name)) seen.set(v.name, v);
  };
  const d = declarationAt(a, offset);
  const local = (name: string, kind: SymbolKind, type: Type | null, text = ''): void => {
    if (name === '') return;
    const detail = type !== null && type.kind !== 'error' ? typeText(a, d, type) : text;
    add({ name, kind, detail, doc: null, type, declaration: null, from: 'local' });
  };
  if (d !== null) {
    const bodies = d.kind === 'train' ? d.statements : d.body.statements;
    const locals: (() => void)[] = [];
    new Locals(a, offset, (name, kind, type, text) => locals.push(() => local(name, kind, type, text))).statements(
      bodies,
    );
    // The latest binding of a name is the one that counts.
    for (const make of locals.reverse()) make();
    if (d.kind !== 'train') parameters(a, d, local);
    else
      for (const s of d.statements)
        if (s.kind === 'input') for (const name of sizesOf(s.type)) local(name, 'size', null);
  }
  for (const [name, definition] of a.module.names)
    addDefinition(a, add, name, definition.declaration, kindOfDefinition(definition), 'file');
  for (const [name, definition] of a.program.library)
    addDefinition(a, add, name, definition.declaration, kindOfDefinition(definition), 'library');
  return [...seen.values()];
}

function addDefinition(
  a: Analysis,
  add: (v: Visible) => void,
  name: string,
  d: Parameters<typeof signatureText>[1],
  kind: SymbolKind,
  from: Visible['from'],
): void {
  const type = d.kind === 'const' ? (a.checked.consts.get(d) ?? null) : null;
  add({ name, kind, detail: signatureText(a.sources, d), doc: d.doc, type, declaration: d, from });
}

function parameters(
  a: Analysis,
  d: Callable,
  local: (name: string, kind: SymbolKind, type: Type | null, text?: string) => void,
): void {
  const signature = a.checked.signatures.get(d);
  const each = (
    list: readonly Parameter[],
    kind: 'parameter' | 'config',
    types: readonly { readonly name: string; readonly type: Type }[],
  ): void => {
    for (const p of list) {
      const type = types.find((t) => t.name === p.name.text)?.type ?? null;
      local(p.name.text, kind, type, p.type === null ? '' : a.sources.text(p.type.span));
    }
  };
  each(d.config ?? [], 'config', signature?.config ?? []);
  each(d.parameters, 'parameter', signature?.parameters ?? []);
  for (const p of [...(d.config ?? []), ...d.parameters]) {
    for (const name of sizesOf(p.type)) local(name, 'size', null);
    for (const dim of p.type?.shape ?? []) if (dim.kind === 'run') local(dim.name.text, 'run', null);
  }
}

/** Upper-case names in the shape of a type: the sizes it may introduce. */
export function sizesOf(t: TypeExpr | null): string[] {
  const found: string[] = [];
  for (const dim of t?.shape ?? [])
    walk(dim, (node) => {
      if (node.kind === 'name' && /^[A-Z]/.test((node as { name?: string }).name ?? ''))
        found.push((node as { name: string }).name);
      return true;
    });
  return found;
}

type AddLocal = (name: string, kind: SymbolKind, type: Type | null, text?: string) => void;

/** Bindings before an offset, through the blocks around it. */
class Locals {
  private readonly a: Analysis;
  private readonly offset: number;
  private readonly add: AddLocal;

  constructor(a: Analysis, offset: number, add: AddLocal) {
    this.a = a;
    this.offset = offset;
    this.add = add;
  }

  statements(list: readonly AnyStatement[]): void {
    for (const s of list) {
      if (s.span.start > this.offset) return;
      // A statement that lacks its end goes on to the end of its line.
      const inside = s.span.end >= this.offset || /^[ \t]+$/.test(this.a.text.slice(s.span.end, this.offset));
      switch (s.kind) {
        case 'let':
        case 'leaf': {
          // An equation's indices live in it only.
          if (inside) this.letters(s);
          else this.add(s.name.text, s.kind === 'leaf' ? 'leaf' : 'value', this.a.checked.lets.get(s) ?? null);
          this.scans(s);
          break;
        }
        case 'input':
          if (!inside) this.add(s.name.text, 'input', null, this.a.sources.text(s.type.span));
          break;
        case 'if':
          this.block(s.then);
          if (s.otherwise !== null) this.block(s.otherwise);
          break;
        case 'repeat':
          if (inside) this.repeat(s);
          break;
        default:
          if (inside) this.letters(s);
          this.scans(s);
      }
    }
  }

  private block(list: readonly Statement[]): void {
    const first = list[0];
    const last = list.at(-1);
    if (first === undefined || last === undefined) return;
    if (first.span.start <= this.offset && last.span.end >= this.offset) this.statements(list);
  }

  private repeat(s: RepeatStatement): void {
    if (s.variable !== null) this.add(s.variable.text, 'config', null, 'int');
    this.statements(s.body);
  }

  private scans(s: AnyStatement): void {
    walk(s, (node) => {
      if (node.kind !== 'scan') return true;
      const scan = node as unknown as ScanExpr;
      if (scan.span.end < this.offset) {
        for (const inner of scan.body)
          if (inner.kind === 'yield' && inner.name !== null)
            this.add(inner.name.text, 'value', this.a.checked.lets.get(inner) ?? null);
        return false;
      }
      for (const { variable } of scan.sources) this.add(variable.text, 'value', this.typeOfName(variable));
      if (scan.variable !== null) this.add(scan.variable.text, 'config', null, 'int');
      this.statements(scan.body);
      return false;
    });
  }

  private typeOfName(name: object): Type | null {
    const r = this.a.checked.references.get(name);
    return r?.kind === 'local' && r.binding.kind === 'value' ? r.binding.type : null;
  }

  /** Indices of the equation around the offset. */
  private letters(s: AnyStatement): void {
    const left = 'indices' in s ? s.indices : null;
    for (const i of left ?? []) this.index(i);
    walk(s, (node) => {
      if (node.kind === 'reduce')
        for (const i of (node as unknown as { readonly indices: readonly Index[] }).indices) this.index(i);
      return node.kind !== 'scan';
    });
  }

  private index(i: Index): void {
    if (i.kind === 'expression') return;
    for (const part of i.kind === 'group' ? i.parts : [i]) this.add(part.name.text, 'letter', null, 'index');
  }
}
