/**
 * `prettier-plugin-nn`: the language, its parser and its printer, as Prettier wants them.
 *
 * The tree that Prettier sees is one node; the printer makes the whole document of it (`print.ts` says why). A file with a syntax error is an error with a
 * place, as Prettier's own parsers give one, and is left alone.
 */
import type { Parser, Printer, SupportLanguage, SupportOptions } from 'prettier';
import { report } from '../../compiler/diagnostics/render/index.ts';
import type { Problem } from '../../compiler/diagnostics/problem.ts';
import type { Module } from '../../grammar/ast.ts';
import { parse } from '../../grammar/parse.ts';
import { moduleDoc } from './print.ts';

interface Root {
  readonly kind: 'root';
  readonly module: Module;
  readonly text: string;
}

/** Prettier reads `loc` and shows the line. */
export class NnSyntaxError extends SyntaxError {
  readonly loc: { readonly start: Place; readonly end: Place };
  readonly problems: readonly Problem[];

  constructor(text: string, problems: readonly Problem[]) {
    const first = problems[0]!;
    const { code, message, span } = report(first);
    super(`${code}: ${message}`);
    this.name = 'SyntaxError';
    this.problems = problems;
    this.loc = { start: placeAt(text, span?.start ?? 0), end: placeAt(text, span?.end ?? 0) };
  }
}

/** Both from 1. */
interface Place {
  readonly line: number;
  readonly column: number;
}

function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

const PRAGMA = /^\s*\/\/\s*@(?:format|prettier)\b/;

export const languages: SupportLanguage[] = [
  {
    name: 'nn',
    parsers: ['nn'],
    extensions: ['.nn'],
    vscodeLanguageIds: ['nn'],
    tmScope: 'source.nn',
  },
];

const parser: Parser<Root> = {
  astFormat: 'nn',
  parse: (text) => {
    const { module, problems } = parse({ id: 0, text });
    if (problems.length > 0) throw new NnSyntaxError(text, problems as unknown as readonly Problem[]);
    return { kind: 'root', module, text };
  },
  hasPragma: (text) => PRAGMA.test(text),
  locStart: () => 0,
  locEnd: (root) => root.text.length,
};

const printer: Printer<Root> = {
  print: ({ node }) => moduleDoc(node.module, node.text),
  insertPragma: (text) => `// @format\n\n${text}`,
  getVisitorKeys: () => [],
  // What `--debug-check` compares: the tree without places and comments.
  massageAstNode: (node) => ({ declarations: bare(node.module.declarations) }),
};

function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, child]) =>
      key === 'span' || key.endsWith('Span') || key === 'group' ? [] : [[key, bare(child)]],
    ),
  );
}

export const parsers = { nn: parser };
export const printers = { nn: printer };
/** Where the user's configuration says nothing: signatures of networks are long. */
export const defaultOptions: { printWidth: number } = { printWidth: 120 };
export const options: SupportOptions = {};
