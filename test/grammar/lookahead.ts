/**
 * A strong-LL(k) check of a Chevrotain grammar.
 *
 * Chevrotain compares the alternatives of OR with one another, without what follows the rule, and never asks whether an optional or
 * repeated part can also be skipped. Here every choice, including enter-or-leave of OPTION and MANY, must be decided by at most `k`
 * tokens, where an alternative that is shorter than that is continued by all that may follow its rule (FOLLOW). FIRST and FOLLOW are the
 * textbook's fixpoints over truncated words.
 */
import {
  Alternation,
  NonTerminal,
  Option,
  Repetition,
  RepetitionMandatory,
  RepetitionMandatoryWithSeparator,
  RepetitionWithSeparator,
  Terminal,
  type CstParser,
  type IProduction,
  type Rule,
  type TokenType,
} from 'chevrotain';

/** Words of token names, joined by spaces; the empty word is ''. */
type Words = ReadonlySet<string>;

const depth = 2;
const empty: Words = new Set(['']);

/** Chevrotain's types hide the parts of an alternative. */
const partsOf = (production: IProduction): IProduction[] =>
  'definition' in production ? (production.definition as IProduction[]) : [];

const lengthOf = (word: string): number => (word === '' ? 0 : word.split(' ').length);

function concatenate(left: Words, right: Words, k: number): Words {
  const result = new Set<string>();
  for (const a of left) {
    const room = k - lengthOf(a);
    if (room <= 0) {
      result.add(a.split(' ').slice(0, k).join(' '));
      continue;
    }
    for (const b of right) {
      if (b === '') result.add(a);
      else {
        const rest = b.split(' ').slice(0, room).join(' ');
        result.add(a === '' ? rest : `${a} ${rest}`);
      }
    }
  }
  return result;
}

const union = (sets: readonly Words[]): Words => new Set(sets.flatMap((set) => [...set]));

function truncate(words: Words, k: number): Words {
  return new Set([...words].map((word) => (word === '' ? '' : word.split(' ').slice(0, k).join(' '))));
}

/** A category stands for its members; members that the grammar never names alone are one symbol. */
function symbols(grammar: readonly Rule[], vocabulary: readonly TokenType[]): (type: TokenType) => Words {
  const named = new Set<string>();
  const visit = (production: IProduction): void => {
    if (production instanceof NonTerminal) return;
    if (production instanceof Terminal) named.add(production.terminalType.name);
    if ('separator' in production) named.add((production.separator as TokenType).name);
    if ('definition' in production) (production.definition as IProduction[]).forEach(visit);
  };
  grammar.forEach((rule) => rule.definition.forEach(visit));
  const expand = (type: TokenType): Words => {
    const inner = vocabulary.filter((member) => member.CATEGORIES?.includes(type));
    if (inner.length === 0) return new Set([type.name]);
    return union(
      inner.map((member) => {
        if (vocabulary.some((other) => other.CATEGORIES?.includes(member))) return expand(member);
        return new Set([named.has(member.name) ? member.name : `other-${type.name}`]);
      }),
    );
  };
  return expand;
}

export interface Conflict {
  readonly rule: string;
  readonly choice: string;
  readonly word: string;
}

/** The choices that `k` (2 or 3) tokens do not decide. */
export function conflicts(parser: CstParser, tokens: readonly TokenType[], k: 2 | 3): Conflict[] {
  const rules = Object.values(parser.getGAstProductions());
  const symbolsOf = symbols(rules, tokens);
  const first = new Map<string, Words>(rules.map((rule) => [rule.name, new Set<string>()]));
  const follow = new Map<string, Words>(rules.map((rule) => [rule.name, new Set<string>()]));

  const sequence = (list: readonly IProduction[], limit: number): Words =>
    list.reduce<Words>((words, production) => concatenate(words, firstOf(production, limit), limit), empty);

  /** One round of a repetition, and what a further round begins with. */
  const repeated = (body: Words, separator: Words, limit: number): Words => {
    let words = body;
    for (let n = 0; n < limit; n++)
      words = union([words, concatenate(words, concatenate(separator, body, limit), limit)]);
    return words;
  };

  const firstOf = (production: IProduction, limit: number): Words => {
    if (production instanceof Terminal) return symbolsOf(production.terminalType);
    if (production instanceof NonTerminal) {
      const known = first.get(production.nonTerminalName)!;
      if (limit <= depth) return truncate(known, limit);
      return deepFirst(production.nonTerminalName, limit);
    }
    if (production instanceof Alternation)
      return union(production.definition.map((alternative) => sequence(partsOf(alternative), limit)));
    const body = 'definition' in production ? sequence(production.definition as IProduction[], limit) : empty;
    if (production instanceof Option) return union([empty, body]);
    if (production instanceof Repetition) return union([empty, repeated(body, empty, limit)]);
    if (production instanceof RepetitionMandatory) return repeated(body, empty, limit);
    if (production instanceof RepetitionWithSeparator) {
      return union([empty, repeated(body, symbolsOf(production.separator), limit)]);
    }
    if (production instanceof RepetitionMandatoryWithSeparator)
      return repeated(body, symbolsOf(production.separator), limit);
    return body;
  };

  // FIRST_3 by a fixpoint of its own, when asked for.
  const deep = new Map<string, Words>();
  let deepDone = false;
  const deepFirst = (name: string, limit: number): Words => {
    if (!deepDone && deep.size === 0) {
      for (const rule of rules) deep.set(rule.name, new Set());
      fixpoint(deep, (rule) => sequence(rule.definition, limit));
      deepDone = true;
    }
    return deep.get(name)!;
  };

  const fixpoint = (table: Map<string, Words>, next: (rule: Rule) => Words): void => {
    for (let changed = true; changed;) {
      changed = false;
      for (const rule of rules) {
        const words = next(rule);
        if (words.size !== table.get(rule.name)!.size) {
          table.set(rule.name, words);
          changed = true;
        }
      }
    }
  };

  fixpoint(first, (rule) => sequence(rule.definition, depth));

  // FOLLOW: what may come after a rule, from all its uses.
  const walk = (
    list: readonly IProduction[],
    after: () => Words,
    visit: (production: IProduction, after: () => Words) => void,
  ): void => {
    list.forEach((production, i) => {
      const rest = list.slice(i + 1);
      const behind = (): Words => concatenate(sequence(rest, depth), after(), depth);
      visit(production, behind);
      if (production instanceof Alternation) {
        for (const alternative of production.definition) walk(partsOf(alternative), behind, visit);
      } else if (production instanceof Repetition || production instanceof RepetitionMandatory) {
        walk(
          production.definition,
          () => union([behind(), concatenate(firstOf(production, depth), behind(), depth)]),
          visit,
        );
      } else if (
        production instanceof RepetitionWithSeparator ||
        production instanceof RepetitionMandatoryWithSeparator
      ) {
        const again = (): Words =>
          concatenate(
            symbolsOf(production.separator),
            concatenate(sequence(production.definition, depth), behind(), depth),
            depth,
          );
        walk(production.definition, () => union([behind(), again()]), visit);
      } else if (production instanceof Option) walk(production.definition, behind, visit);
    });
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const rule of rules) {
      walk(
        rule.definition,
        () => (follow.get(rule.name)!.size === 0 ? empty : follow.get(rule.name)!),
        (production, behind) => {
          if (!(production instanceof NonTerminal)) return;
          const known = follow.get(production.nonTerminalName)!;
          const more = union([known, behind()]);
          if (more.size !== known.size) {
            follow.set(production.nonTerminalName, more);
            changed = true;
          }
        },
      );
    }
  }

  const found: Conflict[] = [];
  const compare = (rule: string, choice: string, alternatives: readonly Words[]): void => {
    alternatives.forEach((words, i) => {
      alternatives.slice(i + 1).forEach((others) => {
        for (const word of words) if (others.has(word)) found.push({ rule, choice, word });
      });
    });
  };
  for (const rule of rules) {
    walk(
      rule.definition,
      () => follow.get(rule.name)!,
      (production, after) => {
        const behind = after();
        const enter = (definition: readonly IProduction[], limit: number): Words =>
          concatenate(sequence(definition, limit), behind.size === 0 ? empty : behind, limit);
        if (production instanceof Alternation) {
          const at2 = production.definition.map((alternative) => enter(partsOf(alternative), 2));
          const clash = at2.some((words, i) =>
            at2.slice(i + 1).some((others) => [...words].some((word) => others.has(word))),
          );
          if (!clash || k === 2) compare(rule.name, `OR${production.idx}`, at2);
          else
            compare(
              rule.name,
              `OR${production.idx}`,
              production.definition.map((alternative) => enter(partsOf(alternative), 3)),
            );
        } else if (
          production instanceof Option ||
          production instanceof Repetition ||
          production instanceof RepetitionMandatory
        ) {
          const kind = production instanceof Option ? 'OPTION' : 'MANY';
          compare(rule.name, `${kind}${production.idx}`, [enter(production.definition, 2), behind]);
        } else if (
          production instanceof RepetitionWithSeparator ||
          production instanceof RepetitionMandatoryWithSeparator
        ) {
          const again = concatenate(symbolsOf(production.separator), sequence(production.definition, 2), 2);
          compare(rule.name, `SEP${production.idx}`, [again, behind]);
          if (production instanceof RepetitionWithSeparator) {
            compare(rule.name, `MANY_SEP${production.idx}`, [enter(production.definition, 2), behind]);
          }
        }
      },
    );
  }
  return found;
}
