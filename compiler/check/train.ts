/** `train` blocks: inputs, what is minimised, how. Everything a run needs is checked here, except the data. */
import type { Expr, Name, TrainDeclaration, TrainStatement, WithExpr } from '../../grammar/ast.ts';
import { unusedNames } from './bodies.ts';
import { checkAssign, checkLeaf, checkLet } from './statements.ts';
import { asConst } from '../sizes/poly.ts';
import { checkStage } from './calls.ts';
import { check, checkValue, integerValue, undefinedName } from './expressions.ts';
import { Knowledge } from './knowledge.ts';
import { showType, sourceText } from './report.ts';
import { checkRequire } from './requires.ts';
import { nearest, valueBinding } from './scope.ts';
import type { Fix } from '../diagnostics/problem.ts';
import type { ProgramModule } from './program.ts';
import { Frame } from './session.ts';
import type { Requirement, Session } from './session.ts';
import { ensureBody, introduce, signatureOf, tensorType } from './signature.ts';
import type { Type } from './types.ts';
import { ERROR, RECORD, formatType, isFloat } from './types.ts';

export interface TrainInfo {
  readonly inputs: ReadonlyMap<string, Type>;
  readonly sizes: readonly string[];
  /** What the data must satisfy. */
  readonly requirements: readonly Requirement[];
}

export function checkTrain(session: Session, module: ProgramModule, d: TrainDeclaration): TrainInfo {
  const f = new Frame(session, module, null, null, new Knowledge(session.constValues));
  f.know.integer('step', 1);
  const inputs = new Map<string, Type>();
  const seen = new Map<TrainStatement['kind'], number>();
  for (const s of d.statements) if (s.kind === 'input') introduce(f, s.type, f.inputSizes, []);
  f.damaged = d.statements.some((s) => s.kind === 'bad');
  f.adapted = d.statements.some((s) => s.kind === 'let' && hasEdits(s.value));
  for (const s of d.statements) {
    seen.set(s.kind, (seen.get(s.kind) ?? 0) + 1);
    statement(f, s, inputs, seen.get(s.kind)!);
  }
  unusedNames(f);
  if (!f.damaged) {
    if (!seen.has('minimize'))
      f.report('NN719', d.name.span, { text: `\`train ${d.name.text}\` minimises nothing: add \`minimize loss\`` });
    else if (!seen.has('optimizer'))
      f.report('NN719', d.name.span, {
        text: `\`train ${d.name.text}\` has no optimizer: add \`optimizer Adam(lr: 1e-3)\``,
      });
  }
  return { inputs, sizes: f.inputSizes, requirements: f.requirements };
}

function statement(f: Frame, s: TrainStatement, inputs: Map<string, Type>, nth: number): void {
  const once = (what: string): void => {
    if (nth > 1) f.report('NN719', s.span, { text: `a train block has one \`${what}\`` });
  };
  switch (s.kind) {
    case 'input': {
      const type = tensorType(f, s.type, s.name.text) ?? ERROR;
      const earlier = f.scope.names.get(s.name.text);
      if (earlier !== undefined)
        f.report('NN714', s.name.span, { name: s.name.text, what: 'input', first: earlier.span });
      const binding = valueBinding(s.name, 'input', type, type);
      f.session.references.set(s.name, { kind: 'local', binding });
      f.scope.add(binding);
      inputs.set(s.name.text, type);
      return;
    }
    case 'let':
      return checkLet(f, s);
    case 'assign':
      return checkAssign(f, s);
    case 'require':
      return checkRequire(f, s);
    case 'minimize':
      scalar(f, s.value, 'minimize');
      for (const name of s.over ?? []) networkName(f, name);
      if (s.every !== null) positive(f, s.every, '`every`');
      return;
    case 'metric':
      return scalar(f, s.value, 'metric');
    case 'optimizer': {
      const type = checkValue(f, s.value);
      if (type.kind !== 'optimizer' && type.kind !== 'error')
        f.report('NN712', s.value.span, {
          what: 'what follows `optimizer`',
          expected: 'an optimizer, as `Adam(lr: 1e-3)`',
          actual: formatType(type),
        });
      for (const selector of s.selectors ?? []) checkSelector(f, selector);
      return;
    }
    case 'gradient':
      for (const stage of s.stages) {
        const type = checkStage(f, RECORD, { label: null, stage, span: stage.span, value: { span: stage.span } });
        if (type.kind !== 'leaves' && type.kind !== 'error')
          f.report('NN712', stage.span, {
            what: 'a stage of `gradient |> …`',
            expected: 'a record of gradients, or a function of one tensor',
            actual: showType(f, type),
          });
      }
      return;
    case 'leaf':
      return checkLeaf(f, s);
    case 'batch': {
      once('batch');
      const found = f.scope.find(s.size.text);
      if (found?.kind !== 'size') {
        const suggestion = nearest(s.size.text, f.inputSizes) ?? (f.inputSizes.length === 1 ? f.inputSizes[0]! : null);
        f.report(
          'NN704',
          s.size.span,
          { name: s.size.text, suggestion, known: f.inputSizes },
          suggestion === null
            ? []
            : [
                {
                  title: `write \`${suggestion}\``,
                  edits: [{ span: s.size.span, text: suggestion }],
                  applicability: 'maybe',
                },
              ],
        );
      } else f.session.references.set(s.size, { kind: 'local', binding: found });
      integerValue(f, s.value, 'the batch size');
      if (s.parts !== null) positive(f, s.parts, 'the number of parts');
      divides(f, s);
      return;
    }
    case 'epochs':
      once('epochs');
      integerValue(f, s.value, 'the number of epochs');
      return;
    case 'validate': {
      once('validate');
      const known = ['split', 'patience', 'folds'];
      const named = s.arguments.map((a) => a.name?.text);
      if (named.includes('split') && named.includes('folds'))
        f.report('NN719', s.span, { text: '`validate` takes `split` or `folds`, not both' });
      for (const a of s.arguments) {
        checkValue(f, a.value);
        if (a.name === null || !known.includes(a.name.text))
          f.report(
            'NN708',
            a.name?.span ?? a.span,
            {
              callee: 'validate',
              name: a.name?.text ?? sourceText(f, a.span),
              suggestion: a.name === null ? null : nearest(a.name.text, known),
              known,
            },
            misspelt(a.name, known),
          );
      }
      return;
    }
    case 'runs':
      once('runs');
      positive(f, s.value, 'the number of runs');
      return;
    case 'precision': {
      const known = ['f16', 'f32'];
      if (!known.includes(s.name.text))
        f.report('NN704', s.name.span, { name: s.name.text, suggestion: nearest(s.name.text, known), known });
      return;
    }
    case 'bad':
  }
}

/** Whether a `with { … }` is in an expression. */
function hasEdits(e: unknown): boolean {
  if (e === null || typeof e !== 'object') return false;
  return (e as WithExpr).kind === 'with' && (e as WithExpr).edits !== null
    ? true
    : Object.values(e).some((part) => hasEdits(part));
}

function positive(f: Frame, e: Expr, what: string): number | null {
  const value = integerValue(f, e, what);
  const n = value === null ? null : asConst(value);
  if (n === null || n >= 1) return n;
  f.report('NN120', e.span, { what, needed: 'a positive integer', actual: String(n) });
  return null;
}

/** A batch goes into equal parts. */
function divides(f: Frame, s: Extract<TrainStatement, { kind: 'batch' }>): void {
  if (s.parts === null) return;
  const { value, parts } = f.session.quietly(() => ({
    value: integerValue(f, s.value, 'the batch size'),
    parts: integerValue(f, s.parts!, 'the number of parts'),
  })).value;
  const [n, k] = [value === null ? null : asConst(value), parts === null ? null : asConst(parts)];
  if (n === null || k === null || k < 1 || n % k === 0) return;
  const next = Math.max(1, Math.round(n / k)) * k;
  f.report('NN719', s.value.span, { text: `a batch of ${n} does not go into ${k} equal parts` }, [
    { title: `write ${next}`, edits: [{ span: s.value.span, text: String(next) }], applicability: 'maybe' },
  ]);
}

function scalar(f: Frame, e: Expr, what: string): void {
  const type = checkValue(f, e);
  if (type.kind === 'error' || type.kind === 'number') return;
  if (type.kind === 'tensor' && type.shape.length === 0 && (what === 'metric' || isFloat(type.dtype))) return;
  const text = f.session.program.sources.text(e.span);
  f.report(
    'NN125',
    e.span,
    { what, type: showType(f, type), name: sourceText(f, e.span) },
    type.kind === 'tensor' && type.shape.length > 0 && isFloat(type.dtype)
      ? [{ title: 'take the mean', edits: [{ span: e.span, text: `mean(${text})` }], applicability: 'maybe' }]
      : [],
  );
}

/** A model or an instance, by name. */
function networkName(f: Frame, name: Name, node: object = name): void {
  const found = f.scope.find(name.text);
  if (found?.kind === 'value') {
    found.used = true;
    f.session.references.set(node, { kind: 'local', binding: found });
    if (found.type.kind !== 'instance' && found.type.kind !== 'error')
      f.report('NN712', name.span, {
        what: name.text,
        expected: 'a model or an instance',
        actual: showType(f, found.type),
      });
    return;
  }
  const definition = f.lookup(name.text);
  if (definition === null) return undefinedName(f, name.text, name.span);
  f.session.references.set(node, { kind: 'definition', definition });
  if (definition.declaration.kind !== 'model')
    f.report('NN712', name.span, {
      what: name.text,
      expected: 'a model or an instance',
      actual: `a ${definition.declaration.kind}`,
    });
}

function checkSelector(f: Frame, e: Expr): void {
  if (e.kind === 'name') return networkName(f, { text: e.name, span: e.span }, e);
  if (e.kind === 'string') {
    checkValue(f, e);
    f.session.units.names(f.module);
    const known = [...f.module.names.keys()].flatMap((name) => {
      const d = f.lookupOwn(name);
      if (d?.declaration.kind !== 'model') return [];
      const signature = signatureOf(f.session, d);
      ensureBody(f.session, signature);
      const { text } = d.declaration.name;
      return [...signature.paths.keys()].flatMap((p) => [p, `${text}.${p}`]);
    });
    // Parameters that a `with { … |> f }` adds are known when the program is built.
    const open = f.adapted;
    if (!open && known.length > 0 && !known.some((p) => pathMatches(e.value, p)))
      f.report('NN720', e.span, {
        path: e.value,
        of: 'the models of this file',
        suggestion: nearest(e.value, known),
        known: known.slice(0, 12),
      });
    return;
  }
  check(f, e);
}

/** `*` stands for any one part, on either side, `**` for any number of them. */
export function pathMatches(selector: string, path: string): boolean {
  const [a, b] = [selector.split('.'), path.split('.')];
  const from = (i: number, j: number): boolean => {
    if (i === a.length) return true;
    if (a[i] === '**') return from(i + 1, j) || (j < b.length && from(i, j + 1));
    if (j === b.length) return false;
    return (a[i] === '*' || b[j] === '*' || a[i] === b[j] || a[i]!.includes('*')) && from(i + 1, j + 1);
  };
  return from(0, 0);
}

/** The word that a misspelt argument of `validate` was meant to be. */
function misspelt(given: Name | null, known: readonly string[]): Fix[] {
  const meant = given === null ? null : nearest(given.text, known);
  return given === null || meant === null
    ? []
    : [{ title: `write \`${meant}\``, edits: [{ span: given.span, text: meant }], applicability: 'maybe' }];
}
