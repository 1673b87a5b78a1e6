/** Members of instances and records (`tokens.weight`, `r.mean`, `m.params`) and `with`. */
import type { MemberExpr, WithExpr } from '../../grammar/ast.ts';
import { memberHint, PREFIXES } from './habits.ts';
import type { Poly } from '../sizes/poly.ts';
import { names, substitute as substitutePoly } from '../sizes/poly.ts';
import { ensureBody, signatureOf } from './signature.ts';
import { asValue, check, checkValue, undefinedName } from './expressions.ts';
import { substituteType } from './substitute.ts';
import type { Definition } from './program.ts';
import { nearest } from './scope.ts';
import type { Frame } from './session.ts';
import type { Instance, Type } from './types.ts';
import { ERROR, formatType } from './types.ts';

/** A `model` is one network: named twice, it is the same parameters. */
export function sharedInstance(f: Frame, definition: Definition): Instance {
  const { declaration } = definition;
  if (declaration.kind === 'const' || declaration.kind === 'train') throw new Error('a callable was expected');
  let instance = f.session.shared.get(declaration);
  if (instance === undefined) {
    instance = {
      definition,
      label: declaration.name.text,
      config: new Map(),
      flags: new Map(),
      sizes: new Map(),
      fixed: new Map(),
      shared: true,
      span: declaration.name.span,
    };
    f.session.shared.set(declaration, instance);
  }
  return instance;
}

export function checkMember(f: Frame, e: MemberExpr): Type {
  const { target: owner } = e;
  if (
    owner.kind === 'name' &&
    PREFIXES.has(owner.name) &&
    f.scope.find(owner.name) === null &&
    f.lookup(owner.name) === null
  ) {
    undefinedName(f, owner.name, owner.span, [
      {
        title: `leave \`${owner.name}.\` out`,
        edits: [{ span: { file: owner.span.file, start: owner.span.start, end: e.name.span.start }, text: '' }],
        applicability: 'maybe',
      },
    ]);
    return ERROR;
  }
  const raw = check(f, e.target);
  if (raw.kind === 'error') return ERROR;
  const target = raw.kind === 'callable' ? asValue(f, raw, e.target.span) : raw;
  f.session.types.set(e.target, target);
  const wanted = e.name.text;
  if (target.kind === 'error') return ERROR;
  const missing = (of: string, known: readonly string[]): Type => {
    const suggestion = nearest(wanted, known);
    f.report(
      'NN715',
      e.name.span,
      { of, name: wanted, suggestion, known, hint: target.kind === 'instance' ? null : memberHint(wanted) },
      suggestion === null
        ? []
        : [
            {
              title: `write \`${suggestion}\``,
              edits: [{ span: e.name.span, text: suggestion }],
              applicability: 'maybe',
            },
          ],
    );
    return ERROR;
  };
  if (target.kind === 'record') return target.fields.get(wanted) ?? missing('the result', [...target.fields.keys()]);
  if (target.kind === 'leaves') return target;
  if (target.kind !== 'instance') return missing(formatType(target), []);
  const { instance } = target;
  const { declaration } = instance.definition;
  if (wanted === 'params' || wanted === 'state' || wanted === 'carry')
    return { kind: 'leaves', of: instance.definition, what: wanted };
  if (declaration.kind === 'const' || declaration.kind === 'train') return ERROR;
  const signature = signatureOf(f.session, instance.definition);
  ensureBody(f.session, signature);
  if (instance.shared && signature.instanceSizes.size > 0) f.session.units.unrepeatable();
  const leaf = signature.leaves.get(wanted);
  const map = new Map<string, Poly>(instance.sizes);
  for (const [size, fixed] of instance.fixed) map.set(size, fixed.size);
  if (leaf !== undefined) {
    if (leaf.kind === 'tensor') {
      for (const axis of leaf.shape) {
        if (axis.kind === 'run') continue;
        const open = [...names(axis.size)].find((n) => signature.sizes.includes(n) && !map.has(n));
        if (open === undefined) continue;
        f.report('NN121', e.span, { size: open, callable: declaration.name.text });
        return ERROR;
      }
    }
    return substituteType(leaf, map, new Map(), null);
  }
  const inner = signature.instances.get(wanted);
  if (inner !== undefined) {
    const sizes = new Map([...inner.sizes].map(([k, v]) => [k, substitutePoly(v, map)] as const));
    return { kind: 'instance', instance: { ...inner, sizes, fixed: new Map(inner.fixed) } };
  }
  if (signature.damaged) return ERROR;
  return missing(declaration.name.text, [...signature.leaves.keys(), ...signature.instances.keys(), 'params', 'state']);
}

export function checkWith(f: Frame, e: WithExpr): Type {
  const target = checkValue(f, e.target);
  if (e.record !== null) {
    const record = checkValue(f, e.record);
    if (record.kind !== 'leaves' && record.kind !== 'error')
      f.report('NN712', e.record.span, {
        what: 'what follows `with`',
        expected: 'parameters, as `m.params`',
        actual: formatType(record),
      });
  }
  if (target.kind === 'error') return ERROR;
  if (target.kind !== 'instance') {
    f.report('NN712', e.target.span, {
      what: 'the left of `with`',
      expected: 'an instance or model',
      actual: formatType(target),
    });
    return ERROR;
  }
  // What leads an edit is a path; what follows are functions, whose arguments are values of here.
  for (const edit of e.edits ?? [])
    for (let stage = edit; stage.kind === 'pipe'; stage = stage.value) {
      const call = stage.stage.kind === 'call' ? stage.stage : null;
      for (const a of call?.arguments ?? []) checkValue(f, a.value);
      const head = call?.callee ?? stage.stage;
      if (head.kind === 'name') check(f, head);
    }
  return { kind: 'instance', instance: { ...target.instance, shared: false } };
}
