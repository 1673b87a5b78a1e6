/**
 * What a program keeps between two states of its texts, so that an editor pays for a keystroke what changed: the trees of untouched pieces
 * (declarations), their places, and the identity of what a top-level name means.
 *
 * Belongs to one entry file. A newer load moves places and definitions, so of all the programs loaded with one `Kept` only the last is
 * valid; `tentatively` tries another text and goes back. Which parts of a check may be kept is decided in `units.ts`.
 */
import type { Module, Span } from '../../grammar/ast.ts';
import { parse, type ParseResult } from '../../grammar/parse.ts';
import { pieces } from '../../grammar/pieces.ts';
import { Place, PlacedSpan } from '../../grammar/place.ts';
import type { Problem } from '../diagnostics/problem.ts';
import { Tables } from './tables.ts';
import type { Definition, NamedDeclaration, Program, ProgramModule } from './program.ts';

interface KeptPiece {
  readonly text: string;
  readonly place: Place;
  readonly parsed: ParseResult;
}

type Open<T> = { -readonly [K in keyof T]: T[K] };

export class Kept {
  private files = new Map<string, readonly KeptPiece[]>();
  private definitions = new Map<string, Definition>();
  /** What was found out about the trees. */
  tables = new Tables();
  private loaded = { files: new Set<string>(), definitions: new Set<string>() };

  /** The tree of a file; pieces that it shares with its last state are not parsed again. */
  parse(path: string, file: number, text: string): { readonly module: Module; readonly problems: readonly Problem[] } {
    const own = this.renewed(this.files.get(path) ?? [], pieces(text), file);
    this.files.set(path, own);
    this.loaded.files.add(path);
    const problems: Problem[] = [];
    for (const [k, piece] of own.entries())
      for (const p of piece.parsed.problems as unknown as readonly Problem[])
        problems.push(p.code === 'NN003' && p.data.before === null ? closedBy(p, own[k + 1]) : p);
    const lineStarts = [0];
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) lineStarts.push(i + 1);
    const module: Module = {
      file,
      declarations: own.flatMap((p) => p.parsed.module.declarations),
      comments: own.flatMap((p) => p.parsed.module.comments),
      lineStarts,
      span: { file, start: 0, end: text.length },
    };
    return { module, problems };
  }

  private renewed(
    old: readonly KeptPiece[],
    now: readonly { readonly text: string; readonly offset: number }[],
    file: number,
  ): KeptPiece[] {
    // An exact match first (moved declarations too), then a changed piece takes the place of one that is gone.
    const byText = new Map<string, KeptPiece[]>();
    for (const p of old) {
      const same = byText.get(p.text);
      if (same === undefined) byText.set(p.text, [p]);
      else same.push(p);
    }
    const matched = now.map(({ text }) => byText.get(text)?.shift() ?? null);
    const gone = [...byText.values()].flat().map((p) => p.place);
    gone.sort((a, b) => a.offset - b.offset);
    return now.map(({ text, offset }, k) => {
      let piece = matched[k]!;
      if (piece === null) {
        const place = gone.shift() ?? new Place(file);
        place.offset = 0;
        place.file = file;
        piece = { text, place, parsed: parse({ id: file, text }, place) };
      }
      piece.place.file = file;
      piece.place.offset = offset;
      return piece;
    });
  }

  /** What a name of a module means: one object for as long as the name is declared, whatever its declaration becomes. */
  definition(declaration: NamedDeclaration, module: ProgramModule): Definition {
    const key = `${module.path}\n${declaration.name.text}`;
    this.loaded.definitions.add(key);
    const known = this.definitions.get(key);
    if (known === undefined) {
      const made = { declaration, module };
      this.definitions.set(key, made);
      return made;
    }
    (known as Open<Definition>).declaration = declaration;
    (known as Open<Definition>).module = module;
    return known;
  }

  /** Forgets what the load that is now complete did not touch. */
  prune(): void {
    for (const path of this.files.keys()) if (!this.loaded.files.has(path)) this.files.delete(path);
    for (const key of this.definitions.keys()) if (!this.loaded.definitions.has(key)) this.definitions.delete(key);
    this.loaded = { files: new Set(), definitions: new Set() };
  }

  /** Runs `f`, which may load other texts, and then is as before. */
  tentatively<T>(f: () => T): T {
    const files = new Map(this.files);
    const { tables } = this;
    this.tables = new Tables();
    const places = [...files.values()].flat().map(({ place }) => ({ place, file: place.file, offset: place.offset }));
    const definitions = [...this.definitions].map(([key, d]) => ({ key, d, ...d }));
    try {
      return f();
    } finally {
      this.files = files;
      this.tables = tables;
      for (const { place, file, offset } of places) {
        place.file = file;
        place.offset = offset;
      }
      this.definitions = new Map();
      for (const { key, d, declaration, module } of definitions) {
        (d as Open<Definition>).declaration = declaration;
        (d as Open<Definition>).module = module;
        this.definitions.set(key, d);
      }
    }
  }

  /** The same facts with places that move with the text, as those of the trees do. */
  anchoredIn<T>(value: T, program: Program): T {
    if (typeof value !== 'object' || value === null || value instanceof PlacedSpan) return value;
    if (Array.isArray(value)) {
      const items = (value as readonly unknown[]).map((v) => this.anchoredIn(v, program));
      return (items.every((v, k) => v === value[k]) ? value : items) as T;
    }
    if (Object.getPrototypeOf(value) !== Object.prototype || ('kind' in value && 'span' in value)) return value;
    if ('file' in value && 'start' in value && 'end' in value) {
      const span = value as unknown as Span;
      return this.anchored(program.sources.get(span.file).path, span) as T;
    }
    const entries = Object.entries(value as object).map(
      ([k, v]) => [k, this.anchoredIn(v as unknown, program), v as unknown] as const,
    );
    return entries.every(([, now, before]) => now === before)
      ? value
      : (Object.fromEntries(entries.map(([k, now]) => [k, now])) as T);
  }

  /** A span that moves with the piece it lies in, where the file is kept in pieces. */
  private anchored(path: string, span: Span): Span {
    const piece = this.files
      .get(path)
      ?.find(({ place, text }) => place.offset <= span.start && span.end <= place.offset + text.length);
    return piece === undefined
      ? span
      : piece.place.span(span.start - piece.place.offset, span.end - piece.place.offset);
  }
}

/** What is still open at the end of a piece was closed by the word that begins the next one. */
function closedBy(p: Extract<Problem, { code: 'NN003' }>, next: KeptPiece | undefined): Problem {
  if (next === undefined) return p;
  const word = /^(?:[ \t]*\/\/.*\n)*/.exec(next.text)![0].length;
  const length = /^\w+/.exec(next.text.slice(word))?.[0].length ?? 0;
  return { ...p, data: { ...p.data, before: next.place.span(word, word + length) } };
}
