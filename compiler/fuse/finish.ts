import type { ExprTable } from '../kernel/expr.ts';
import type { Draft } from './assemble.ts';
export function finish(draft: Draft, _table: ExprTable): Draft {
  return draft;
}
