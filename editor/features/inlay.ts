/** The type after each statement, and after each line of a pipeline that takes several lines. */
import type { Callable, Expr, PipeExpr, Statement, TrainDeclaration, TrainStatement } from '../../grammar/ast.ts';
import type { Type } from '../../compiler/check/types.ts';
import type { Poly } from '../../compiler/sizes/poly.ts';
import type { Analysis } from '../analysis.ts';
import { bytesOf, showBytes, showWithSizes, whereSizesComeFrom } from './show.ts';
import { knownSizes } from './sizes.ts';
import { sizeText, typeText } from './typed.ts';
import { walk } from './walk.ts';

export interface InlayHint {
  readonly offset: number;
  readonly label: string;
  readonly tooltip: string;
}

/** `names`: `float[B, width]`; `sizes`: `float[64, 128]` where the text says them; `bytes`: with the memory it takes. */
export type HintStyle = 'names' | 'sizes' | 'bytes';

export function inlayHints(a: Analysis, start: number, end: number, style: HintStyle = 'names'): InlayHint[] {
  const known = knownSizes(a);
  const hints = new Map<number, InlayHint>();
  let home: Callable | TrainDeclaration | null = null;
  const size = (p: Poly): string => sizeText(a, home, p);
  const add = (offset: number, type: Type | undefined): void => {
    if (type === undefined || offset < start || offset > end || !worth(type)) return;
    const bytes = style === 'bytes' ? bytesOf(type, known) : null;
    const text = style === 'names' ? typeText(a, home, type) : showWithSizes(type, known, size);
    hints.set(offset, {
      offset,
      label: bytes === null ? text : `${text} ${showBytes(bytes)}`,
      tooltip: whereSizesComeFrom(type, a.sources, size),
    });
  };
  for (const d of a.module.ast.declarations) {
    if (d.kind === 'import' || d.kind === 'bad' || d.kind === 'const' || d.kind === 'checkpoint') continue;
    if (d.kind === 'storage') continue;
    if (d.span.end < start || d.span.start > end) continue;
    home = d;
    walk(d, (node) => {
      const s = node as Statement | TrainStatement;
      switch (s.kind) {
        case 'let':
          add(endOf(a, s.span.end), a.checked.lets.get(s));
          break;
        case 'assign': {
          const r = a.checked.references.get(s.name);
          const type =
            s.indices === null
              ? a.checked.types.get(s.value)
              : r?.kind === 'local' && r.binding.kind === 'value'
                ? r.binding.type
                : undefined;
          add(endOf(a, s.span.end), type);
          break;
        }
        case 'return':
        case 'expression':
        case 'minimize':
        case 'metric':
          // A declaration may be a metric too.
          if ('value' in s && s.value !== null && s.value.kind !== 'scan')
            add(endOf(a, s.span.end), a.checked.types.get(s.value));
          break;
        default:
      }
      if (node.kind === 'pipe') stages(a, node as unknown as PipeExpr, add);
      return true;
    });
  }
  return [...hints.values()].sort((x, y) => x.offset - y.offset);
}

function stages(a: Analysis, e: PipeExpr, add: (offset: number, type: Type | undefined) => void): void {
  const value: Expr = e.value;
  if (breaksAfter(a.text, value.span.end)) add(value.span.end, a.checked.types.get(value));
  if (breaksAfter(a.text, e.span.end)) add(e.span.end, a.checked.types.get(e));
}

const breaksAfter = (text: string, offset: number): boolean =>
  /^[ \t]*(\/\/[^\n]*)?\r?(\n|$)/.test(text.slice(offset, offset + 200));

/** Statements may end with blanks in a damaged text. */
function endOf(a: Analysis, offset: number): number {
  let end = offset;
  while (end > 0 && /\s/.test(a.text[end - 1]!)) end--;
  return end;
}

function worth(t: Type): boolean {
  return t.kind === 'tensor' || t.kind === 'record' || (t.kind === 'number' && t.value !== null && t.literal === null);
}
