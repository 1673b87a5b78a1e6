/** What a model's signature says of its result: whether numbers are logits, probabilities or their logarithms. */
import type { Callable } from '../../grammar/ast.ts';

export type Role = 'none' | 'logits' | 'probs' | 'log_probs';

export function resultRole({ result }: Callable): Role {
  const type = result !== null && 'dtype' in result ? result : null;
  const role = type?.role?.name.text;
  return role === 'logits' || role === 'probs' || role === 'log_probs' ? role : 'none';
}
