/**
 * A call of something with tensors: match the shapes against the signature, discharge its requirements, give the result in the caller's sizes.
 *
 * Names of the signature are bound first where they stand alone, then where they are the only unknown of a linear size; after that every
 * axis is compared. Nothing is guessed from sizes that happen to agree.
 */
import type { Callable, Span } from '../../grammar/ast.ts';
import {
  add,
  asConst,
  coefficientOf,
  format,
  name as nameAtom,
  names,
  neg,
  ONE,
  sub,
  substitute,
} from '../sizes/poly.ts';
import type { Poly } from '../sizes/poly.ts';
import { isBelow, numberElement } from './choices.ts';
import { argumentType, matchArguments } from './arguments.ts';
import type { Matched } from './arguments.ts';
import { sameAxis } from './broadcast.ts';
import type { Given } from './builtins.ts';
import { bindNumber, defaultOf } from './configure.ts';
import type { Condition } from './conditions.ts';
import { notePaths } from './paths.ts';
import { aligned, axisWhy, because, chain, judgement, showShape, showType, sourceText } from './report.ts';
import { discharge } from './requires.ts';
import { checkDemand } from './roles.ts';
import { ensureBody, signatureOf } from './signature.ts';
import type { Definition } from './program.ts';
import type { Frame, Signature } from './session.ts';
import { complete, isName, substituteShape, substituteType } from './substitute.ts';
import type { Axis, Instance, TensorType, Type, Why } from './types.ts';
import { ERROR, RECORD, formatType, isFloat, isInteger, tensor } from './types.ts';

export interface Call {
  readonly span: Span;
  readonly definition: Definition;
  readonly instance: Instance;
  readonly args: readonly Given[];
  readonly label: string | null;
  /** The callee as written: where reports say that a size came from. */
  readonly stage: Span;
}

/** `Linear(out: int, bias: bool = true)(x: float[...S, D])` as declared, for reports. */
export function signatureText(f: Frame, s: Signature): string {
  const parameter = (p: Signature['parameters'][number]): string =>
    f.session.program.sources.text(p.span).replace(/\s+/g, ' ');
  const list = (ps: Signature['parameters']): string => `(${ps.map(parameter).join(', ')})`;
  return `${s.definition.declaration.name.text}${s.config === null ? '' : list(s.config)}${list(s.parameters)}`;
}

export function apply(f: Frame, call: Call): Type {
  const { definition, instance } = call;
  const callable = definition.declaration as Callable;
  const name = callable.name.text;
  const signature = signatureOf(f.session, definition);
  ensureBody(f.session, signature);
  if (signature.damaged) {
    for (const a of call.args) argumentType(f, a);
    return ERROR;
  }
  const matched = matchArguments(f, name, signatureText(f, signature), signature.parameters, call.args, call.span);
  if (matched === null) return ERROR;

  const sizes = new Map(instance.sizes);
  const flags = new Map(instance.flags);
  const runs = new Map<string, readonly Axis[]>();
  const whys = new Map<string, Why>();
  for (const [n, size] of sizes)
    whys.set(n, because(size, `\`${n}\` of ${name}, from \`${sourceText(f, instance.span)}\``, instance.span));
  const records: Type[] = [];
  const ok = unifyArguments(f, name, matched, sizes, runs, call.span, whys, flags, signature, records);
  if (!ok) return ERROR;
  // A function of a tensor, given a record, is applied to every leaf.
  if (records.length > 0) return records[0]!;
  if (signature.state === 'checking' && !descends(f, call, signature, sizes)) return ERROR;

  if (!bindContext(f, call, signature, sizes, runs)) return ERROR;
  const all = complete(sizes, runs);
  for (const r of signature.requirements) if (!discharge(f, name, r, all, flags, call.span)) return ERROR;
  if (!fixInstance(f, call, signature, all)) return ERROR;
  notePaths(f, call, signature, all, runs);

  const { result } = signature;
  if (result === null) {
    if (signature.state === 'checking') f.report('NN718', call.span, { name });
    return ERROR;
  }
  const reason = (size: Poly, pattern: Poly, old: Why | null): Why | null => {
    const only = isName(pattern);
    if (only !== null) return whys.get(only) ?? old;
    if (asConst(pattern) !== null) return old;
    const parts = [...names(pattern)];
    // The picture's height says more than the kernel's stride.
    const telling = parts.filter((n) => signature.sizes.includes(n));
    const from = (telling.length > 0 ? telling : parts).map((n) => whys.get(n)).filter((w) => w !== undefined);
    const sum = format(pattern, (n) => f.know.show(sizes.get(n) ?? nameAtom(n)));
    const shownSum = sum.length <= 40 && sum !== f.know.show(size) ? `${sum}, ` : '';
    return because(size, `${shownSum}result of \`${sourceText(f, call.stage)}\``, call.stage, from);
  };
  // One tensor may stand for a record, and is then what comes out.
  if (result === RECORD) {
    const first = matched.find((m) => m.parameter.type === RECORD);
    if (first?.given != null) return argumentType(f, first.given);
  }
  const type = substituteType(result, sizes, runs, reason);
  return withCallRole(f, call, type, matched);
}

/** A role that the callee's body gave names the call, not a line of the library. */
function withCallRole(f: Frame, call: Call, type: Type, matched: readonly Matched[]): Type {
  if (type.kind !== 'tensor' || type.role.kind === 'real') return type;
  const callable = call.definition.declaration as Callable;
  const [only] = matched;
  if (call.definition.module.library && callable.name.text === 'softmax' && only?.given != null)
    f.session.softmaxes.set(call.span, only.given.span);
  return call.definition.module.library ? { ...type, role: { ...type.role, from: call.span } } : type;
}

interface Pair {
  readonly pattern: Poly;
  readonly actual: Axis & { kind: 'size' };
  readonly matched: Matched;
  readonly type: TensorType;
  /** Position in the argument's shape. */
  readonly axis: number;
}

/** Binds sizes, runs, numbers and flags; false after a report. */
export function unifyArguments(
  f: Frame,
  callee: string,
  matched: readonly Matched[],
  sizes: Map<string, Poly>,
  runs: Map<string, readonly Axis[]>,
  span: Span,
  whys = new Map<string, Why>(),
  flags = new Map<string, Condition>(),
  signature: Signature | null = null,
  /** Arguments that are records where a tensor is declared, where the callee may be applied to their leaves. */
  records: Type[] | null = null,
): boolean {
  const pairs: Pair[] = [];
  const tensors: { m: Matched; type: TensorType }[] = [];
  const byName = new Map<string, TensorType>();
  let ok = true;
  for (const m of matched) {
    const wanted = m.parameter.type;
    const what = `\`${m.parameter.name}\` of ${callee}`;
    const at = m.given?.span ?? span;
    if (wanted.kind !== 'tensor') {
      const actual = m.given === null ? defaultOf(m.parameter.defaultType, sizes) : argumentType(f, m.given);
      if (!bindNumber(f, what, m.parameter.name, wanted, actual, at, sizes, flags)) ok = false;
      continue;
    }
    let actual: Type;
    if (m.given !== null) actual = argumentType(f, m.given);
    else {
      // `memory = x`: as if the call had given it (rule 12).
      const other = m.parameter.default?.kind === 'name' ? byName.get(m.parameter.default.name) : undefined;
      if (other === undefined) continue;
      actual = other;
    }
    if (actual.kind === 'error') {
      ok = false;
      continue;
    }
    if (actual.kind === 'leaves' && records !== null) {
      records.push(actual);
      continue;
    }
    const type = asTensor(f, what, wanted, actual, at);
    if (type === null) {
      ok = false;
      continue;
    }
    byName.set(m.parameter.name, type);
    tensors.push({ m, type });
    if (!align(f, callee, m, wanted, type, at, runs, pairs)) ok = false;
  }
  if (!ok) return false;
  if (records !== null && records.length > 0) return true;

  const own = new Set(signature?.sizes ?? pairs.flatMap((p) => [...names(p.pattern)]));
  const bind = (n: string, size: Poly, why: Why | null): void => {
    sizes.set(n, size);
    if (why !== null) whys.set(n, why);
  };
  for (const { pattern, actual } of pairs) {
    const only = isName(pattern);
    if (only !== null && own.has(only) && !sizes.has(only)) bind(only, actual.size, actual.why);
  }
  for (let changed = true; changed;) {
    changed = false;
    for (const { pattern, actual } of pairs) {
      const open = [...names(pattern)].filter((n) => own.has(n) && !sizes.has(n));
      if (open.length !== 1) continue;
      const split = coefficientOf(pattern, open[0]!);
      if (split === null) continue;
      const rest = sub(actual.size, substitute(split.rest, sizes));
      const factor = substitute(split.coefficient, sizes);
      const solved = factor === ONE ? rest : f.know.quotient(rest, factor);
      if (solved === null) continue;
      bind(open[0]!, solved, actual.why);
      changed = true;
    }
  }

  const complained = new Set<Matched>();
  for (const p of pairs) {
    if (complained.has(p.matched)) continue;
    const expected = substitute(p.pattern, sizes);
    const verdict = f.know.equal(expected, p.actual.size);
    if (verdict.kind === 'proved') continue;
    complained.add(p.matched);
    ok = false;
    const wanted = p.matched.parameter.type as TensorType;
    const expectedShape = substituteShape(wanted.shape, sizes, runs, null);
    const reasons = [...names(p.pattern)].map((n) => whys.get(n) ?? null);
    f.report('NN101', p.matched.given?.span ?? span, {
      callee,
      parameter: p.matched.parameter.name,
      expected: f.know.show(expected),
      actual: f.know.show(p.actual.size),
      shapes: aligned(
        f,
        `${p.matched.parameter.name} of ${callee}`,
        expectedShape,
        givenText(f, p.matched),
        p.type.shape,
        p.axis,
      ),
      judgement: judgement(verdict),
      chain: chain(f, axisWhy(p.actual), ...reasons),
    });
  }
  if (!ok) return false;
  for (const { m, type } of tensors) {
    const wanted = m.parameter.type as TensorType;
    const at = m.given?.span ?? span;
    if (wanted.below !== null) {
      const limit = substitute(wanted.below, complete(sizes, runs));
      if (!isBelow(f, type, limit)) {
        f.report('NN124', at, {
          what: `\`${m.parameter.name}\` of ${callee}`,
          expected: `${wanted.dtype} < ${f.know.show(limit)}`,
          actual: showType(f, type),
        });
        ok = false;
      }
    }
    checkDemand(f, callee, m.parameter, type, at, dropSoftmax(f, m, type));
  }
  return ok;
}

const givenText = (f: Frame, m: Matched): string =>
  m.given === null ? m.parameter.name : sourceText(f, m.given.span, 24);

/** The fix of probabilities where logits are due: leave the softmax out. */
function dropSoftmax(f: Frame, m: Matched, type: TensorType): Parameters<Frame['report']>[3] {
  const { from } = type.role;
  if (from === null || m.given === null) return [];
  const argument = f.session.softmaxes.get(from);
  if (argument === undefined) return [];
  return [
    {
      title: 'leave the softmax out: the callee takes logits',
      edits: [{ span: from, text: f.session.program.sources.text(argument) }],
      applicability: 'maybe',
    },
  ];
}

/** A number may stand for a scalar tensor; element types must fit. Null after a report. */
function asTensor(f: Frame, what: string, wanted: TensorType, actual: Type, span: Span): TensorType | null {
  const elements = (expected: string): null => {
    const isTensor = actual.kind === 'tensor';
    const text = f.session.program.sources.text(span);
    f.report(
      'NN124',
      span,
      { what, expected, actual: showType(f, actual) },
      isTensor && isFloat(wanted.dtype)
        ? [{ title: 'convert it with `float`', edits: [{ span, text: `float(${text})` }], applicability: 'maybe' }]
        : [],
    );
    return null;
  };
  if (actual.kind === 'number') {
    const element = numberElement(actual);
    if (
      wanted.shape.some((a) => a.kind === 'size') ||
      (wanted.shape.length > 0 && !f.inEquation && wanted.shape.length > 1)
    ) {
      f.report('NN712', span, { what, expected: `a tensor ${showType(f, wanted)}`, actual: formatType(actual) });
      return null;
    }
    if (isFloat(wanted.dtype) ? element === 'bool' : isInteger(wanted.dtype) ? element !== 'i32' : element !== 'bool')
      return elements(wanted.dtype);
    return { ...tensor(wanted.dtype, []), value: isInteger(wanted.dtype) ? actual.value : null };
  }
  if (actual.kind !== 'tensor') {
    f.report('NN712', span, { what, expected: `a tensor ${showType(f, wanted)}`, actual: formatType(actual) });
    return null;
  }
  const fits = actual.dtype === wanted.dtype || (isFloat(actual.dtype) && isFloat(wanted.dtype));
  return fits ? actual : elements(wanted.dtype);
}

function align(
  f: Frame,
  callee: string,
  m: Matched,
  wanted: TensorType,
  actual: TensorType,
  span: Span,
  runs: Map<string, readonly Axis[]>,
  pairs: Pair[],
): boolean {
  const pattern = wanted.shape;
  const shape = actual.shape;
  const at = pattern.findIndex((a) => a.kind === 'run');
  const wrongRank = (): false => {
    f.report('NN106', span, {
      what: `\`${m.parameter.name}\` of ${callee}`,
      expected: showShape(f, pattern),
      actual: showShape(f, shape),
      expectedRank: String(pattern.filter((a) => a.kind === 'size').length) + (at >= 0 ? ' or more' : ''),
      actualRank: String(shape.length),
      chain: chain(f, ...shape.map(axisWhy)),
    });
    return false;
  };
  const pair = (from: number, to: number): boolean => {
    const a = shape[to];
    const p = pattern[from];
    if (a?.kind !== 'size' || p?.kind !== 'size') return wrongRank();
    pairs.push({ pattern: p.size, actual: a, matched: m, type: actual, axis: to });
    return true;
  };
  if (at < 0) {
    if (pattern.length !== shape.length || shape.some((a) => a.kind === 'run')) return wrongRank();
    return pattern.every((_, k) => pair(k, k));
  }
  const suffix = pattern.length - at - 1;
  if (shape.length < at + suffix) return wrongRank();
  for (let k = 0; k < at; k++) if (!pair(k, k)) return false;
  for (let k = 0; k < suffix; k++) if (!pair(pattern.length - suffix + k, shape.length - suffix + k)) return false;
  const run = (pattern[at] as Axis & { kind: 'run' }).name;
  const middle = shape.slice(at, shape.length - suffix);
  const bound = runs.get(run);
  if (bound === undefined) {
    runs.set(run, middle);
    return true;
  }
  const differs = bound.findIndex((a, k) => middle[k] === undefined || !sameAxis(f, a, middle[k]));
  if (bound.length === middle.length && differs < 0) return true;
  const expectedShape = pattern.flatMap((a) => (a.kind === 'run' ? bound : [a]));
  if (bound.length !== middle.length) {
    f.report('NN106', span, {
      what: `\`${m.parameter.name}\` of ${callee}`,
      expected: showShape(f, expectedShape),
      actual: showShape(f, shape),
      expectedRank: String(expectedShape.length),
      actualRank: String(shape.length),
      chain: chain(f, ...bound.map(axisWhy), ...middle.map(axisWhy)),
    });
    return false;
  }
  const [x, y] = [bound[differs]!, middle[differs]!];
  f.report('NN101', span, {
    callee,
    parameter: m.parameter.name,
    expected: x.kind === 'run' ? `...${x.name}` : f.know.show(x.size),
    actual: y.kind === 'run' ? `...${y.name}` : f.know.show(y.size),
    shapes: aligned(f, `${m.parameter.name} of ${callee}`, expectedShape, givenText(f, m), shape, at + differs),
    judgement: judgement(x.kind === 'size' && y.kind === 'size' ? f.know.equal(x.size, y.size) : { kind: 'unknown' }),
    chain: chain(f, axisWhy(y), axisWhy(x)),
  });
  return false;
}

/** An initialiser's own sizes come from the shape that is wanted where it stands. */
function bindContext(
  f: Frame,
  call: Call,
  signature: Signature,
  sizes: Map<string, Poly>,
  runs: Map<string, readonly Axis[]>,
): boolean {
  if (signature.contextual.length === 0 || signature.result?.kind !== 'tensor') return true;
  const name = call.definition.declaration.name.text;
  const shape = f.inEquation ? null : f.drawShape;
  if (shape === null) {
    f.report('NN123', call.span, { name });
    return false;
  }
  const pattern = signature.result.shape;
  const at = pattern.findIndex((a) => a.kind === 'run');
  if (at < 0 ? pattern.length !== shape.length : shape.length < pattern.length - 1) {
    f.report('NN106', call.span, {
      what: `what ${name} begins`,
      expected: showShape(f, pattern),
      actual: showShape(f, shape),
      expectedRank: String(pattern.length),
      actualRank: String(shape.length),
      chain: [],
    });
    return false;
  }
  const extra = shape.length - pattern.length;
  for (const [k, p] of pattern.entries()) {
    if (p.kind === 'run') {
      runs.set(p.name, shape.slice(k, k + extra + 1));
      continue;
    }
    const a = shape[at >= 0 && k > at ? k + extra : k]!;
    const only = isName(p.size);
    if (a.kind === 'size' && only !== null && !sizes.has(only)) sizes.set(only, a.size);
  }
  return true;
}

/** Rule 11: what an instance's parameters depend on is fixed by its first use. */
function fixInstance(f: Frame, call: Call, signature: Signature, sizes: ReadonlyMap<string, Poly>): boolean {
  const { instance } = call;
  const owned = signature.instanceSizes;
  // Who comes first decides for all: no unit's own affair.
  if (instance.shared && owned.size > 0) f.session.units.unrepeatable();
  for (const n of [...owned, ...instance.sizes.keys()]) {
    const size = sizes.get(n);
    if (size === undefined) continue;
    if (owned.size > 0 || signature.leaves.size > 0) for (const s of names(size)) f.sizesOfParameters.add(s);
  }
  for (const n of owned) {
    const size = sizes.get(n);
    if (size === undefined) continue;
    const first = instance.fixed.get(n);
    if (first === undefined) {
      instance.fixed.set(n, { size, span: call.span });
      continue;
    }
    const verdict = f.know.equal(first.size, size);
    if (verdict.kind === 'proved') continue;
    f.report('NN119', call.span, {
      instance: instance.label ?? call.definition.declaration.name.text,
      size: n,
      first: f.know.show(first.size),
      firstSpan: first.span,
      second: f.know.show(size),
      judgement: judgement(verdict),
    });
    return false;
  }
  return true;
}

/** A block inside itself: some integer of its configuration must come down. */
function descends(f: Frame, call: Call, signature: Signature, sizes: ReadonlyMap<string, Poly>): boolean {
  if (f.signature !== signature) return true;
  for (const p of signature.config ?? []) {
    const size = sizes.get(p.name);
    if (size === undefined || p.type.kind !== 'number') continue;
    const step = asConst(add(size, neg(nameAtom(p.name))));
    if (step !== null && step < 0 && f.know.isAtLeastZero(size)) return true;
  }
  f.report('NN718', call.span, { name: call.definition.declaration.name.text });
  return false;
}
