/** Layers of the library by what their signatures say, for repairs: a name of a layer stands in the library alone. */
import type { Dim } from '../../grammar/ast.ts';
import type { Program } from '../check/program.ts';

const size = (d: Dim | undefined): string | null =>
  d?.kind === 'size' && d.value.kind === 'name' ? d.value.name : null;

/** The first block of the library that keeps all axes but the last, to which its only needed argument gives the width: `(out: int)(x: float[...S, D]) -> float[...S, out]`. */
export function widthLayer(program: Program): string | null {
  for (const { ast, library } of program.modules) {
    if (!library) continue;
    for (const d of ast.declarations) {
      if (d.kind !== 'block' || d.config === null) continue;
      const [width, ...rest] = d.config;
      if (width?.type?.dtype.text !== 'int' || width.default !== null || rest.some((p) => p.default === null)) continue;
      const given = d.parameters.length === 1 ? d.parameters[0]!.type?.shape : null;
      const made = d.result !== null && 'shape' in d.result ? d.result.shape : null;
      if (given?.length !== 2 || made?.length !== 2 || given[0]!.kind !== 'run' || made[0]!.kind !== 'run') continue;
      if (size(made[1]) === width.name.text && size(given[1]) !== width.name.text) return d.name.text;
    }
  }
  return null;
}
