/** Paths, addresses and positions: what the compiler calls a file and an offset, and what the protocol calls a URI and a position. */
import type { Location, Range } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Span } from '../grammar/ast.ts';
import type { Analysis } from './analysis.ts';

/** Between the addresses of the client and the compiler's paths. Paths have `/`; what is no file keeps its address as its path. */
export interface Addresses {
  readonly path: (uri: string) => string;
  readonly uri: (path: string) => string;
}

const documents = new WeakMap<Analysis, Map<number, TextDocument>>();

/** A file of a program as a document, for its lines. */
export function documentOf(a: Analysis, file: number): TextDocument {
  let own = documents.get(a);
  if (own === undefined) documents.set(a, (own = new Map()));
  let document = own.get(file);
  if (document === undefined) {
    const source = a.sources.get(file);
    own.set(file, (document = TextDocument.create(source.path, 'nn', 0, source.text)));
  }
  return document;
}

export function rangeOf(a: Analysis, span: Span): Range {
  const document = documentOf(a, span.file);
  return { start: document.positionAt(span.start), end: document.positionAt(span.end) };
}

export function locationOf(a: Analysis, span: Span, addresses: Addresses): Location {
  return { uri: addresses.uri(a.sources.get(span.file).path), range: rangeOf(a, span) };
}
