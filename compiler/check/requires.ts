/**
 * Requirements: `require` in a body, its discharge at a call, and lifting (rule 10).
 *
 * A requirement that a call can neither prove nor refute and that speaks only of the caller's own sizes and configuration becomes the
 * caller's, to be shown by its callers in turn; a model's remaining ones are checked against the data. Equality of axes never lifts.
 */
import type { RequireStatement, Span } from '../../grammar/ast.ts';
import type { Poly } from '../sizes/poly.ts';
import { checkCondition } from './choices.ts';
import type { Condition } from './conditions.ts';
import { conditionNames, conjuncts, formatCondition, hasOpaque, substituteCondition } from './conditions.ts';
import { chain, judgement } from './report.ts';
import type { Frame, Requirement } from './session.ts';
import type { Why } from './types.ts';

/** Whether everything the condition names belongs to this body's signature (or to the inputs of a train block). */
export function ownCondition(f: Frame, c: Condition): boolean {
  if (hasRunTimeData(f, c)) return false;
  const own = new Set<string>(f.signature?.sizes ?? f.inputSizes);
  for (const p of [...(f.signature?.config ?? []), ...(f.signature?.parameters ?? [])])
    if (p.type.kind === 'number') own.add(p.name);
  for (const run of f.signature?.runs ?? []) own.add(`size(${run})`);
  for (const n of conditionNames(c)) if (!own.has(n) && !f.session.constValues.has(n)) return false;
  return true;
}

function hasRunTimeData(f: Frame, c: Condition): boolean {
  if (c.kind === 'opaque') return !c.build;
  if (c.kind === 'and' || c.kind === 'or') return c.parts.some((p) => hasRunTimeData(f, p));
  return false;
}

/** Shows, lifts or reports one requirement of a callee. False after a report. */
export function discharge(
  f: Frame,
  callee: string,
  r: Requirement,
  sizes: ReadonlyMap<string, Poly>,
  flags: ReadonlyMap<string, Condition>,
  span: Span,
): boolean {
  const whole = substituteCondition(r.condition, sizes, flags);
  for (const [k, condition] of conjuncts(whole).entries()) {
    const verdict = f.know.decide(condition);
    if (verdict.kind === 'proved') continue;
    if (verdict.kind !== 'refuted' && ownCondition(f, condition)) {
      const lifted = f.under(condition);
      f.need({
        condition: lifted,
        message: r.message,
        span: r.span,
        chain: [{ name: callee, span }, ...r.chain],
      });
      f.know.assume(condition);
      continue;
    }
    const original = conjuncts(r.condition)[k] ?? r.condition;
    const whys: (Why | null)[] = [];
    f.report('NN107', span, {
      callee,
      condition: formatCondition(original),
      instantiated: showCondition(f, condition),
      message: r.message,
      judgement: judgement(verdict),
      requireSpan: r.span,
      chain: [...r.chain.map((c) => ({ text: `required by ${c.name}`, span: c.span })), ...chain(f, ...whys)],
    });
    return false;
  }
  return true;
}

export function showCondition(f: Frame, c: Condition): string {
  const text = formatCondition(c);
  const values = formatCondition(f.know.withDefinitions(c));
  return values === text ? text : `${text} (${values})`;
}

/** `require c`: a fact from here on; what it says about own sizes belongs to the signature. */
export function checkRequire(f: Frame, s: RequireStatement): void {
  const checked = f.whole(() => checkCondition(f, s.condition));
  if (checked === null) return;
  const { condition, type } = checked;
  if (type.kind === 'tensor') {
    const what = type.shape.length > 0 ? 'a bool of each element' : 'a value of the data';
    f.report('NN722', s.condition.span, { what: 'the condition of `require`', type: what });
    return;
  }
  for (const part of conjuncts(condition)) {
    const verdict = f.know.decide(part);
    if (verdict.kind === 'refuted' && !hasOpaque(part)) {
      // Within a block this is a contradiction of its own; a const makes it plainly false.
      f.report('NN107', s.condition.span, {
        callee: f.callable?.name.text ?? 'this block',
        condition: formatCondition(part),
        instantiated: showCondition(f, part),
        message: s.message,
        judgement: judgement(verdict),
        requireSpan: null,
        chain: [],
      });
      return;
    }
    if (verdict.kind !== 'proved') f.need({ condition: f.under(part), message: s.message, span: s.span, chain: [] });
    f.know.assume(part);
  }
}
