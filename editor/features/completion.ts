/**
 * What could be written here: names in scope, arguments by name, sizes and index letters in brackets, members, words of the language, the
 * library. What stands before the pointer decides, so it works in text that does not parse.
 */
import { formatType, type Type } from '../../compiler/check/types.ts';
import { reductionWords, softDeclarations } from '../../grammar/tokens.ts';
import { BUILTIN_NAMES } from '../../compiler/check/builtins.ts';
import type { Analysis } from '../analysis.ts';
import { builtinDoc } from './builtin-docs.ts';
import { argumentName, callSite, openBracket } from './call-site.ts';
import { callableOf, type SymbolKind } from './names.ts';
import { declarationAt, visibleAt, type Visible } from './scope.ts';
import { calleeAt } from './signature-help.ts';
import { oneLine } from './show.ts';
import { blank, isProse } from './text.ts';
import { walk } from './walk.ts';

export type CompletionKind = SymbolKind | 'keyword' | 'type' | 'argument' | 'member' | 'role' | 'file';

export interface Completion {
  readonly label: string;
  readonly kind: CompletionKind;
  readonly detail: string;
  readonly doc: string | null;
  /** With `$1` for the pointer where `snippet` is set. */
  readonly insert: string;
  readonly snippet: boolean;
  /** Lower comes first. */
  readonly rank: number;
}

const TYPES = ['float', 'f32', 'f16', 'i32', 'bool'];
const CONFIG_TYPES = ['int', 'float', 'bool', 'size', 'schedule', 'mask'];
const ROLES = ['logits', 'probs', 'log_probs'];
const BODY_WORDS = ['let', 'return', 'repeat', 'scan', 'if', 'require', 'param', 'state', 'carry', 'yield'];
const TRAIN_WORDS = ['input', 'let', 'minimize', 'metric', 'optimizer', 'batch', 'epochs', 'validate', 'require'];

const completion = (label: string, kind: CompletionKind, rank: number, more: Partial<Completion> = {}): Completion => ({
  label,
  kind,
  detail: '',
  doc: null,
  insert: label,
  snippet: false,
  rank,
  ...more,
});

export function completions(a: Analysis, offset: number): Completion[] {
  const prose = isProse(a.text, offset);
  if (prose !== null) return [];
  const line = blank(a.text.slice(a.text.lastIndexOf('\n', offset - 1) + 1, offset));
  const before = line.replace(/[A-Za-z_]\w*$/, '');
  if (/\d$/.test(before) && !/\w*[A-Za-z_]\w*$/.test(line)) return [];

  const member = /([A-Za-z_]\w*)\s*\.$/.exec(before);
  if (member !== null) return members(a, member[1]!, offset);
  if (/\.\.\.$/.test(before))
    return visibleAt(a, offset)
      .filter((v) => v.kind === 'run' || v.kind === 'letter')
      .map(visible);
  if (/\bas\s+$/.test(before)) return ROLES.map((r) => completion(r, 'role', 0, { doc: builtinDoc(r) }));
  const d = declarationAt(a, offset);
  const names = visibleAt(a, offset);
  if (d === null && openBracket(blank(a.text.slice(0, offset)), offset) < 0 && /^\s*$/.test(before))
    return [...softDeclarations.keys(), 'fn', 'block', 'const', 'import'].map((w) => completion(w, 'keyword', 0));
  if (
    /(?:^|[{;])\s*(?:let|param|state|carry|input|metric|fn|block|model|train|mask|loss|const|schedule)\s+$/.test(
      before,
    ) &&
    !/:\s*$/.test(before)
  )
    return [];
  if (/^\s*optimizer\s+$/.test(before)) return names.filter((v) => v.declaration?.kind === 'optimizer').map(visible);

  const text = blank(a.text.slice(Math.max(0, offset - 8000), offset));
  const open = openBracket(text, text.length);
  const bracket = open < 0 ? '' : text[open]!;
  const inSignature = isSignature(text, open);
  if (/:\s*$/.test(before) && (inSignature || /\b(?:param|state|carry|input)\s+\w+\s*:\s*$/.test(before)))
    return [...new Set([...TYPES, ...(inSignature ? CONFIG_TYPES : [])])].map((t) =>
      completion(t, 'type', 0, { doc: builtinDoc(t) }),
    );
  if (/->\s*$/.test(before)) return TYPES.map((t) => completion(t, 'type', 0, { doc: builtinDoc(t) }));
  if (bracket === '[') return brackets(a, names, text, open);
  if (/\|>\s*(?:[A-Za-z_]\w*\s*:\s*)?$/.test(before)) return stages(names);

  const out: Completion[] = [];
  if (bracket === '(') out.push(...named(a, offset));
  if (/(?:^|[{;])\s*$/.test(before) && bracket === '') {
    const words = d?.kind === 'train' ? TRAIN_WORDS : d === null ? [] : BODY_WORDS;
    out.push(...words.map((w) => completion(w, 'keyword', 1)));
  }
  return unique([...out, ...names.map(visible), ...words()]);
}

/** A list of parameters rather than of arguments. */
function isSignature(text: string, open: number): boolean {
  if (open < 0) return false;
  const head = text.slice(text.lastIndexOf('\n', open) + 1, open);
  return /^\s*(?:fn|block|model|mask|loss|metric|optimizer|schedule)\s+[A-Za-z_]\w*\s*(?:\([^)]*\)\s*)?$/.test(head);
}

function visible(v: Visible): Completion {
  const rank = v.kind === 'letter' ? 2 : v.from === 'local' ? 3 : v.from === 'file' ? 4 : 6;
  return completion(v.name, v.kind, rank, { detail: v.detail, doc: v.doc });
}

function words(): Completion[] {
  return [
    ...BUILTIN_NAMES.map((n) => completion(n, 'builtin', 7, { doc: builtinDoc(n) })),
    ...[...reductionWords].map((n) => completion(n, 'builtin', 7, { doc: builtinDoc(n) })),
    ...['where', 'else', 'and', 'or', 'not', 'true', 'false', 'scan'].map((n) => completion(n, 'keyword', 8)),
  ];
}

/** After `|>`: layers and functions. */
function stages(names: readonly Visible[]): Completion[] {
  const able = names.filter((v) => {
    const d = v.declaration;
    if (d === null) return v.type?.kind === 'instance';
    return d.kind === 'block' || d.kind === 'fn' || d.kind === 'model';
  });
  return able.map((v) => {
    const base = visible(v);
    const d = v.declaration;
    const configured = d !== null && 'config' in d && d.config !== null && d.config.some((p) => p.default === null);
    return configured ? { ...base, insert: `${v.name}($1)`, snippet: true } : base;
  });
}

/** In `[…]`: letters of the equation, then sizes, configuration and constants. */
function brackets(a: Analysis, names: readonly Visible[], text: string, open: number): Completion[] {
  const kinds = new Set<SymbolKind>(['letter', 'size', 'run', 'config', 'const', 'value', 'parameter', 'input']);
  const inType = /\b(?:float|f32|f16|i32|bool)\s*$/.test(text.slice(0, open));
  const out = names
    .filter((v) => kinds.has(v.kind) && (!inType || v.kind !== 'letter') && v.from !== 'library')
    .map(visible);
  // The letters of this statement, also where it does not parse yet.
  const start = Math.max(text.lastIndexOf('\n', open), text.lastIndexOf(';', open), text.lastIndexOf('{', open)) + 1;
  if (!inType)
    for (const m of text.slice(start).matchAll(/[[(,]\s*(?:\.\.\.)?([a-z]\w*)(?=\s*(?:[,:)\]]|$))/g))
      out.push(completion(m[1]!, 'letter', 1, { detail: 'index' }));
  void a;
  return unique(out.sort((x, y) => x.rank - y.rank));
}

function named(a: Analysis, offset: number): Completion[] {
  const site = callSite(a.text, offset);
  if (site === null || argumentName(site.arguments.at(-1) ?? '') !== null) return [];
  const callee = calleeAt(a, site, offset);
  if (callee === null) return [];
  const given = new Set(site.arguments.map(argumentName));
  const positional =
    site.arguments.slice(0, -1).filter((x) => argumentName(x) === null).length +
    (site.piped && callee.list === callee.callable.parameters ? 1 : 0);
  return callee.list
    .filter((p, k) => k >= positional && !given.has(p.name.text))
    .map((p) =>
      completion(`${p.name.text}:`, 'argument', 0, {
        insert: `${p.name.text}: `,
        detail: oneLine(a.sources.text(p.span)),
        doc: `Argument of \`${callee.callable.name.text}\`.`,
      }),
    );
}

function members(a: Analysis, target: string, offset: number): Completion[] {
  const found = visibleAt(a, offset).find((v) => v.name === target);
  const type: Type | null = found?.type ?? null;
  if (type?.kind === 'record')
    return [...type.fields].map(([name, t]) => completion(name, 'member', 0, { detail: formatType(t) }));
  const d = found?.declaration;
  const callable = callableOf(type) ?? (d != null && 'body' in d ? d : null);
  if (callable === null) return [];
  const out: Completion[] = [];
  const leaves = a.checked.signatures.get(callable)?.leaves;
  walk(callable.body, (node) => {
    const { name, label } = node as {
      readonly name?: { readonly text?: string } | string;
      readonly label?: { readonly text?: string } | null;
    };
    if (node.kind === 'leaf' && typeof name === 'object' && name.text !== undefined) {
      const t = leaves?.get(name.text);
      out.push(completion(name.text, 'member', 0, { detail: t === undefined ? '' : formatType(t) }));
    }
    if (node.kind === 'pipe' && label?.text !== undefined)
      out.push(completion(label.text, 'member', 1, { detail: 'layer' }));
    return true;
  });
  return unique([...out, completion('params', 'member', 2, { detail: 'all its parameters' })]);
}

function unique(list: readonly Completion[]): Completion[] {
  const seen = new Set<string>();
  return list.filter((c) => !seen.has(c.label) && seen.add(c.label));
}
