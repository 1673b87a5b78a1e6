/**
 * Simplification: named rewrite rules (`arithmetic.ts`, `movement.ts`, `contractions.ts`) and loop passes (`loops.ts`), in turns until neither
 * finds anything, bodies of loops included. What a rule may do is said in `rule.ts`.
 */
import type { Origins } from '../graph/origin.ts';
import type { Graph } from '../graph/types.ts';
import { arithmeticRules } from './arithmetic.ts';
import { contractionRules } from './contractions.ts';
import { simplifyLoops } from './loops.ts';
import { movementRules } from './movement.ts';
import { rewrite, type Trace } from './rewrite.ts';
import type { Rule } from './rule.ts';

export const rules: readonly Rule[] = [...arithmeticRules, ...movementRules, ...contractionRules];

/** Names of the rewrites of loops, which are no rules on single nodes. */
export const loopRules = [
  'scan_save',
  'scan_share',
  'scan_prune',
  'scan_constant_carry',
  'scan_operands',
  'scan_yield_of_operand',
  'scan_single_round',
  'scan_sum_outside',
  'scan_map_outside',
  'scan_yield_outside',
] as const;

const TURNS = 8;

/** An equal graph that computes less. `trace` is told of every rewrite. */
export function simplify(graph: Graph, origins: Origins, trace: Trace = () => undefined): Graph {
  const known = new Map<Graph, Graph>();
  const whole = (g: Graph): Graph => {
    const before = known.get(g);
    if (before !== undefined) return before;
    let current = g;
    for (let turn = 0; turn < TURNS; turn++) {
      const rewritten = rewrite(current, origins, rules, trace);
      const next = simplifyLoops(rewritten, { origins, trace, body: whole });
      const settled = next === rewritten;
      current = next;
      if (settled) break;
    }
    known.set(g, current);
    known.set(current, current);
    return current;
  };
  return whole(graph);
}
