/**
 * A module of the standard library whose contents are known beforehand (`library.generated.ts`): its names are there at once, a declaration is parsed
 * when somebody asks for it. A program uses a tenth of the library, and parsing all of it would be a tenth of compiling a large model.
 *
 * Its texts have no problems (tests hold it to that), so nothing is reported late. What is parsed is as of a parse of the whole file, but that
 * spans are relative to their piece, as in a file that is being edited (`kept.ts`).
 */
import type { Module } from '../../grammar/ast.ts';
import { parse } from '../../grammar/parse.ts';
import { Place } from '../../grammar/place.ts';
import type { Definition, NamedDeclaration, ProgramModule } from './program.ts';

/** Pieces of a text that can be parsed by themselves: names that are declared there, first and last offset. */
export type Contents = readonly (readonly [names: readonly string[], from: number, to: number])[];

export function knownModule(
  { id, path, text }: { readonly id: number; readonly path: string; readonly text: string },
  contents: Contents,
): ProgramModule {
  const parsed = new Map<number, Module>();
  const piece = (k: number): Module => {
    let found = parsed.get(k);
    if (found === undefined) {
      const [, from, to] = contents[k]!;
      const place = new Place(id);
      found = parse({ id, text: text.slice(from, to) }, place).module;
      place.offset = from;
      parsed.set(k, found);
    }
    return found;
  };
  const names = new Map<string, Definition>();
  let whole: Module | null = null;
  const module: ProgramModule = {
    path,
    file: id,
    get ast() {
      return (whole ??= joined(
        id,
        text,
        contents.map((_, k) => piece(k)),
      ));
    },
    library: true,
    names,
    checkpoints: [],
  };
  for (const [k, [own]] of contents.entries())
    for (const name of own)
      names.set(name, {
        get declaration() {
          return piece(k).declarations.find((d): d is NamedDeclaration => 'name' in d && d.name.text === name)!;
        },
        module,
      });
  return module;
}

function joined(file: number, text: string, parts: readonly Module[]): Module {
  const lineStarts = [0];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) lineStarts.push(i + 1);
  return {
    file,
    declarations: parts.flatMap((p) => p.declarations),
    comments: parts.flatMap((p) => p.comments),
    lineStarts,
    span: { file, start: 0, end: text.length },
  };
}
