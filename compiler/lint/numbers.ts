/** Numbers that cannot work: rates and shares out of range, epsilons that are nothing in single precision or that drown what they protect. */
import type { Callable, Expr, Span } from '../../grammar/ast.ts';
import type { Fix } from '../diagnostics/problem.ts';
import type { Application, Body, Context } from './context.ts';
import type { Lint } from './record.ts';

interface Range {
  readonly least: number;
  readonly most: number;
  /** Whether `least` itself is allowed. */
  readonly closed: boolean;
  readonly text: string;
  readonly then: string;
}

/** Between 0 and 1, as a share or a decay of memory. */
const share = (then: string): Range => ({ least: 0, most: 1, closed: true, text: 'from 0 to below 1', then });
const rate = (most: number): Range => ({
  least: 1e-9,
  most,
  closed: true,
  text: `above 0, below ${most}`,
  then: 'with more training diverges, with less nothing is learnt',
});

/** What an average remembers: switched off, or enough to matter. */
const memory: Range = {
  least: 0.01,
  most: 1,
  closed: true,
  text: '0, or from 0.01 to below 1',
  then: 'at 1 or more what is remembered never fades; next to 0 nothing is',
};

/** Optimizers that divide by the gradient's size: their rate is the size of a step. */
const NORMALISED = new Set(['Adam', 'AdamW', 'Adamax', 'NAdam', 'Lion', 'Muon', 'RMSProp', 'Adafactor']);

function rangeOf(a: Application, parameter: string): Range | null {
  const kind = (a.definition!.declaration as Callable).kind;
  if (kind === 'optimizer') {
    if (parameter === 'lr') return rate(NORMALISED.has(a.name) ? 0.3 : 20);
    if (/^(beta\d?|momentum|alpha|rho)$/.test(parameter)) return memory;
    if (parameter === 'decay')
      return { least: 0, most: 1, closed: true, text: 'from 0 to below 1', then: 'with more the weights die away' };
    return null;
  }
  if (/^Dropout$|^SpatialDropout$|^DropPath$/.test(a.name) && parameter === 'rate')
    return share('at 1 nothing passes; below 0 it means nothing');
  if (parameter === 'dropout') return share('at 1 nothing passes; below 0 it means nothing');
  if (kind === 'schedule' && parameter === 'peak') return rate(20);
  return null;
}

export const rateRange: Lint = {
  code: 'NN606',
  name: 'rate-range',
  level: 'warn',
  looksFor: 'learning rates, moments, decays, dropout rates and shares of validation that cannot work',
  avoids:
    'values that are not known in the text, 0 where it switches something off, rates of optimizers and schedules of your own',
  run(c) {
    for (const body of c.bodies) {
      for (const [name, of, value, range, usual] of settings(c, body.owner)) {
        const n = c.number(value);
        if (n === null || (n >= range.least && n < range.most) || (n === 0 && range === memory)) continue;
        c.report(
          'NN606',
          value.span,
          { name, of, value: c.text(value.span), range: range.text, then: range.then },
          usual,
        );
      }
      if (body.owner.kind === 'optimizer')
        for (const p of body.owner.config ?? []) {
          const n = p.default === null ? null : c.number(p.default);
          if (p.default === null || n === null || n === 0 || !/^(beta\d?|momentum)$/.test(p.name.text)) continue;
          if (n >= memory.least && n < memory.most) continue;
          const { text: range, then } = memory;
          c.report('NN606', p.default.span, {
            name: p.name.text,
            of: body.owner.name.text,
            value: c.text(p.default.span),
            range,
            then,
          });
        }
      if (body.owner.kind !== 'train') continue;
      for (const s of body.owner.statements) {
        if (s.kind === 'validate')
          for (const a of s.arguments) {
            const n = c.number(a.value);
            if (a.name?.text === 'split' && n !== null && (n <= 0 || n >= 1))
              c.report(
                'NN606',
                a.value.span,
                {
                  name: 'split',
                  of: 'validate',
                  value: c.text(a.value.span),
                  range: 'between 0 and 1',
                  then: 'it is the share of the rows that is kept apart',
                },
                [instead(a.value.span, '0.1')],
              );
          }
      }
    }
  },
};

/** What the parameter is where nothing is given. */
function defaultOf(a: Application, parameter: string): Expr | null {
  const declaration = a.definition?.declaration as Callable | undefined;
  const all = [...(declaration?.config ?? []), ...(declaration?.parameters ?? [])];
  return all.find((p) => p.name.text === parameter)?.default ?? null;
}

const instead = (span: Span, text: string): Fix => ({
  title: `write \`${text}\`, as is usual`,
  edits: [{ span, text }],
  applicability: 'maybe',
});

/** Every argument whose parameter has a range, in optimizers, schedules and layers of the library. */
function settings(c: Context, owner: Body['owner']): [string, string, Expr, Range, Fix[]][] {
  const out: [string, string, Expr, Range, Fix[]][] = [];
  const body = c.body(owner)!;
  const add = (a: Application): void => {
    if (a.definition?.module.library !== true) return;
    for (const [parameter, value] of [...a.config, ...a.tensors]) {
      const range = rangeOf(a, parameter);
      if (range === null) continue;
      const standard = defaultOf(a, parameter);
      const n = standard === null ? null : c.number(standard);
      const usual =
        standard === null || n === null || n < range.least || n >= range.most
          ? []
          : [instead(value.span, c.text(standard.span))];
      out.push([parameter, a.name, value, range, usual]);
    }
  };
  for (const a of body.applications) add(a);
  for (const a of c.configured(owner)) add(a);
  return out;
}

/** Below this a number is no normal single-precision number any more; added to anything it is nothing. */
const LEAST = 1.2e-38;

export const epsilonRange: Lint = {
  code: 'NN607',
  name: 'epsilon-range',
  level: 'warn',
  looksFor:
    'an epsilon that single precision cannot hold (below 1.2e-38) or that is so large that it changes what it should protect',
  avoids: 'epsilons that are not known in the text, constants that are not added or compared',
  run(c) {
    for (const body of c.bodies) {
      for (const a of [...body.applications, ...c.configured(body.owner)])
        for (const [parameter, value] of [...a.config, ...a.tensors]) {
          if (parameter !== 'eps' || a.definition?.module.library !== true) continue;
          judge(c, value, 0.05);
        }
      // What a declaration of one's own takes where it is given none.
      if (body.owner.kind !== 'train')
        for (const p of [...(body.owner.config ?? []), ...body.owner.parameters])
          if (p.name.text === 'eps' && p.default !== null) judge(c, p.default, 0.05);
      for (const e of body.binaries) {
        if (e.operator !== '+' && e.operator !== '-') continue;
        for (const x of [e.left, e.right]) if (x.kind === 'number' && x.value !== 0) judge(c, x, Infinity);
      }
      for (const a of body.applications)
        if (a.definition === null && (a.name === 'max' || a.name === 'min'))
          for (const x of a.inputs) if (x.kind === 'number' && x.value !== 0) judge(c, x, Infinity);
    }
  },
};

function judge(c: Context, e: Expr, most: number): void {
  const n = c.number(e);
  if (n === null) return;
  const value = c.text(e.span);
  if (n <= 0 && most < Infinity) c.report('NN607', e.span, { value, why: 'zero', least: '1.2e-38' });
  else if (Math.abs(n) < LEAST) c.report('NN607', e.span, { value, why: 'zero', least: '1.2e-38' });
  else if (n > most) c.report('NN607', e.span, { value, why: 'large', least: '1.2e-38' });
}
