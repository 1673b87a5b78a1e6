/**
 * Which parameters are kept in fewer bytes, and how: `int8` (a scale for every row), `int8:64` and `int4:32` (a scale for every 64 or 32 elements of
 * a row), `f16`; for all, or by path: `h.*.attn.**=int8`. The first rule that matches a path decides. Only parameters of two or more axes
 * are stored smaller: biases and scales of normalisations weigh nothing.
 */
import { asConst } from '../sizes/poly.ts';
import type { Leaf, Unit } from '../graph/types.ts';
import { problem, type Problem } from '../diagnostics/problem.ts';
import type { Storage } from '../../runtime/plan.ts';

export interface StoredAs {
  readonly as: Storage;
  /** Elements a scale, in row-major order; the row's length where the rule says none. */
  readonly group: number;
}

/** `pattern=spec`, or a spec for all. In order. */
export type StoreRules = readonly string[];

interface Rule {
  readonly text: string;
  readonly pattern: string | null;
  /** Null: whole. */
  readonly as: Storage | null;
  /** Null: a row. */
  readonly group: number | null;
  /** Where it stands in the source. */
  readonly span: Problem['span'];
  matched: boolean;
}

const names = new Map<string, Storage | null>([
  ['f32', null],
  ['f16', 'f16'],
  ['int8', 'i8'],
  ['int4', 'i4'],
]);

export const storeWanted = 'f32, f16, int8, int8:GROUP or int4:GROUP, or PATTERN=one of them';

export function parseRule(text: string): Omit<Rule, 'matched' | 'span'> | null {
  const match = /^(?:([^=]+)=)?([a-z]+\d+)(?::(\d+))?$/.exec(text.trim());
  const as = names.get(match?.[2] ?? '');
  if (match === null || as === undefined) return null;
  const given = match[3] === undefined ? null : Number(match[3]);
  if ((as === 'f16' || as === null) && given !== null) return null;
  if (given !== null && (given < 2 || given % 2 !== 0)) return null;
  return { text, pattern: match[1]?.trim() ?? null, as, group: given ?? (as === 'i4' ? 32 : null) };
}

/** `*` within a segment, `**` across: as in `optimizer … for "h.*.weight"`. */
function matches(pattern: string, path: string): boolean {
  const source = pattern
    .split('**')
    .map((part) =>
      part
        .split('*')
        .map((s) => s.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
        .join('[^.]*'),
    )
    .join('.*');
  return new RegExp(`^${source}$`).test(path);
}

/**
 * What a unit stores smaller, by path, and what is wrong with the rules: those of this build, then those of the source. A trained parameter cannot be
 * stored so.
 */
export function chooseStorage(
  unit: Unit,
  texts: StoreRules,
): {
  readonly stored: ReadonlyMap<string, StoredAs>;
  readonly problems: readonly Problem[];
  readonly unused: readonly string[];
} {
  const all = [...texts.map((rule) => ({ rule, span: null })), ...unit.storage];
  const rules = all.flatMap(({ rule: text, span }): Rule[] => {
    const rule = parseRule(text);
    return rule === null ? [] : [{ ...rule, span, matched: false }];
  });
  const stored = new Map<string, StoredAs>();
  const problems: Problem[] = [];
  for (const leaf of unit.leaves) {
    if (!isStorable(leaf)) continue;
    const rule = rules.find((r) => r.pattern === null || matches(r.pattern, leaf.path));
    if (rule === undefined) continue;
    rule.matched = true;
    if (rule.as === null) continue;
    const made = storageOf(leaf, rule);
    if (typeof made !== 'string') stored.set(leaf.path, made);
    // A rule for all takes what it can; one that names a parameter is meant.
    else if (rule.pattern !== null)
      problems.push(problem('NN794', rule.span, { path: leaf.path, rule: rule.text, why: made }));
  }
  if (unit.kind === 'train' && stored.size > 0) {
    problems.push(problem('NN795', null, { unit: unit.name, path: [...stored.keys()][0]!, count: stored.size }));
    stored.clear();
  }
  for (const { matched, span, text, pattern } of rules) {
    // A build that says something itself may leave the source nothing to say.
    if (matched || span === null || texts.length > 0) continue;
    const taken = unit.leaves.some((l) => isStorable(l) && (pattern === null || matches(pattern, l.path)));
    const found = problem('NN794', span, { path: null, rule: text, why: taken ? TAKEN : IDLE });
    problems.push(taken ? { ...found, severity: 'warning' } : found);
  }
  return { stored, problems, unused: rules.filter((r) => !r.matched && r.span === null).map((r) => r.text) };
}

const isStorable = ({ kind, type }: Leaf): boolean =>
  kind === 'param' && type.dtype === 'f32' && type.sizes.length >= 2;

const TAKEN = 'entries before it take all that it is about';
export const IDLE = 'it is about no parameter of two or more axes';

function storageOf(leaf: Leaf, { as, group }: Rule): StoredAs | string {
  const extents = leaf.type.sizes.map((s) => asConst(s));
  if (extents.includes(null)) return 'its shape is not known before it runs';
  const row = (extents as number[]).slice(1).reduce((n, extent) => n * extent, 1);
  if (as === null) throw new Error('a rule for whole parameters');
  if (as === 'f16') return { as, group: 0 };
  const own = group ?? row;
  if (row % own !== 0) return `groups of ${own} do not divide its rows of ${row}`;
  if (as === 'i4' && own % 2 !== 0) return `its rows of ${row} have no whole bytes`;
  return { as, group: own };
}
