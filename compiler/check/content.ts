/**
 * A hash of what a value says: two values with one hash may stand for each other in every later question.
 *
 * Trees count by their place and text, definitions by their name, polynomials by identity (they are interned), places relative to the piece
 * of text they lie in. 64 bits of two multiplicative hashes: a collision is not to be expected.
 */
import type { Span } from '../../grammar/ast.ts';
import { PlacedSpan } from '../../grammar/place.ts';
import type { Sources } from '../source/source.ts';

const isSpan = (x: object): x is Span =>
  x instanceof PlacedSpan || ('file' in x && 'start' in x && 'end' in x && typeof x.start === 'number');

export function contentHash(value: unknown, sources: Sources): string {
  const known = new Map<object, string>();

  const place = (s: Span): string => {
    const text = sources.text(s);
    return s instanceof PlacedSpan
      ? `@${s.place.id}:${s.from}:${s.to}${text}`
      : `@f${s.file}:${s.start}:${s.end}${text}`;
  };

  const of = (v: unknown): string => {
    if (typeof v !== 'object' || v === null) return `${typeof v}:${String(v)}`;
    const old = known.get(v);
    if (old !== undefined) return old;
    // What contains itself counts as "itself" inside.
    known.set(v, 'itself');
    const made = digest(object(v));
    known.set(v, made);
    return made;
  };

  const object = (v: object): string => {
    if (isSpan(v)) return place(v);
    if ('parts' in v && 'id' in v) return `poly:${String(v.id)}`;
    if ('declaration' in v && 'module' in v) {
      const { declaration, module } = v as { declaration: { name: { text: string } }; module: { path: string } };
      return `definition:${module.path}:${declaration.name.text}`;
    }
    if ('kind' in v && 'span' in v && isSpan(v.span as object)) return `tree:${String(v.kind)}${place(v.span as Span)}`;
    if (Array.isArray(v)) return `[${v.map(of).join()}]`;
    if (v instanceof Map) return `map{${[...v].map(([k, x]) => `${of(k)}=${of(x)}`).join()}}`;
    if (v instanceof Set) return `set{${[...v].map(of).join()}}`;
    return `{${Object.entries(v)
      .map(([k, x]) => `${k}=${of(x)}`)
      .join()}}`;
  };

  return of(value);
}

function digest(text: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 2654435761);
    b = Math.imul(b ^ c, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return `${(a >>> 0).toString(36)}.${(b >>> 0).toString(36)}`;
}
