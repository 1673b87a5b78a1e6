/** Whether a gradient comes to a value: the lints' reading of derivatives, asked of one place. */
import type { Callable, TrainDeclaration } from '../../grammar/ast.ts';
import { Context } from '../../compiler/lint/context.ts';
import { FlowReader, MARK, type Passage } from '../../compiler/lint/flow.ts';
import type { Analysis } from '../analysis.ts';

/** A statement, or the name of a parameter. Null where the reading does not follow. */
export function gradientTo(
  a: Analysis,
  home: Callable | TrainDeclaration,
  source: object | string,
): Passage | 'none' | null {
  // Only what names mean is asked of it: no body has to be indexed.
  const reader = new FlowReader(new Context({ ...a.program, modules: [] }, a.checked, false));
  if (typeof source !== 'string') reader.mark = source;
  if (home.kind === 'train' && !home.statements.some((s) => s.kind === 'minimize')) return null;
  const flows =
    home.kind === 'train' ? reader.train(home).loss : reader.summary({ declaration: home, module: a.module }).result;
  if (reader.unknown) return null;
  return flows.get(typeof source === 'string' ? `:${source}` : MARK) ?? 'none';
}
