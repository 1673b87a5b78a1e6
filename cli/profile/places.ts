/** Where a step of a profile comes from: the user's own line, and the whole way there, through models, blocks and the library. */
import type { OriginId, Origins } from '../../compiler/graph/origin.ts';
import type { Sources } from '../../compiler/index.ts';

export interface Place {
  readonly place: string;
  /** The line's text. */
  readonly text: string;
}

export interface Way {
  /** In the user's own text: out of the library, up to the call. */
  readonly line: Place;
  /** Outermost first; what follows of one line stands once. */
  readonly frames: readonly Place[];
  /** Whether it is part of a derivative. */
  readonly gradient: boolean;
}

export function wayOf(origins: Origins, origin: OriginId, sources: Sources): Way {
  const place = (span: (typeof origins.rows)[number]['span']): Place => {
    const { line } = sources.position(span.file, span.start);
    const { path, text } = sources.get(span.file);
    return { place: `${path}:${line}`, text: text.split('\n')[line - 1]?.trim() ?? '' };
  };
  const frames: Place[] = [];
  let own: Place | null = null;
  let gradient = false;
  for (
    let row = origins.rows[origin];
    row !== undefined;
    row = row.parent === null ? undefined : origins.rows[row.parent]
  ) {
    const here = place(row.span);
    if (frames.at(-1)?.place !== here.place) frames.push(here);
    if (own === null && !sources.get(row.span.file).library) own = here;
    if (/gradient/.test(row.via)) gradient = true;
  }
  frames.reverse();
  return { line: own ?? frames[0] ?? { place: '', text: '' }, frames, gradient };
}
