/**
 * Shape and dtype rules of the elementwise operations: operands of one shape, no broadcasting. What they compute is `elementwise.ts`.
 */
import type { DType, ElementwiseOp, Node, OpAttributes } from '../graph/types.ts';
import type { Inferred } from './record.ts';
import { isFloat, isNumber, sameSizes, sameType, showTypes, typed, violates } from './shapes.ts';

/** Which dtypes an operand may have. */
export type Domain = 'float' | 'number' | 'bool' | 'any';

export interface ElementwiseSignature {
  readonly arity: 1 | 2 | 3;
  readonly domain: Domain;
  /** null: as the operands. */
  readonly result: DType | null;
}

const admits: Record<Domain, (d: DType) => boolean> = {
  float: isFloat,
  number: isNumber,
  bool: (d) => d === 'bool',
  any: () => true,
};

const f1 = { arity: 1, domain: 'float', result: null } as const;
const n1 = { arity: 1, domain: 'number', result: null } as const;
const n2 = { arity: 2, domain: 'number', result: null } as const;

export const signatures = {
  neg: n1,
  recip: f1,
  exp: f1,
  log: f1,
  sin: f1,
  cos: f1,
  tanh: f1,
  erf: f1,
  sqrt: f1,
  floor: f1,
  not: { arity: 1, domain: 'bool', result: null },
  cast: { arity: 1, domain: 'any', result: null },
  stop_gradient: { arity: 1, domain: 'any', result: null },
  surrogate: { arity: 2, domain: 'float', result: null },
  add: n2,
  sub: n2,
  mul: n2,
  div: n2,
  pow: { arity: 2, domain: 'float', result: null },
  max: n2,
  min: n2,
  mod: n2,
  lt: { arity: 2, domain: 'number', result: 'bool' },
  eq: { arity: 2, domain: 'any', result: 'bool' },
  and: { arity: 2, domain: 'bool', result: null },
  or: { arity: 2, domain: 'bool', result: null },
  select: { arity: 3, domain: 'any', result: null },
} satisfies Record<ElementwiseOp, ElementwiseSignature>;

export function elementwiseConstraints(op: ElementwiseOp): Record<string, string> {
  const { arity, domain } = signatures[op] as ElementwiseSignature;
  const out: Record<string, string> = { C1: `takes ${['', 'one operand', 'two operands', 'three operands'][arity]}` };
  if (op === 'select') {
    out['C2'] = 'the condition is bool; the branches have one type; all have one shape';
    return out;
  }
  if (arity > 1) out['C2'] = 'operands have one type (no implicit broadcasting)';
  if (domain !== 'any')
    out['C3'] = `operands are ${domain === 'float' ? 'f32 or f16' : domain === 'number' ? 'numbers' : 'bools'}`;
  return out;
}

export const inferElementwise =
  <O extends ElementwiseOp>(op: O) =>
  (inputs: readonly Node[], attrs: OpAttributes[O]): Inferred => {
    const { arity, domain, result } = signatures[op] as ElementwiseSignature;
    if (inputs.length !== arity) return violates('C1', `${inputs.length} operands`);
    const first = inputs[0]!.type;
    if (op === 'select') {
      const [, a, b] = inputs;
      if (first.dtype !== 'bool' || !sameType(a!.type, b!.type) || !sameSizes(first.sizes, a!.type.sizes))
        return violates('C2', showTypes(inputs));
      return typed(a!.type.dtype, a!.type.sizes);
    }
    if (!inputs.every((n) => sameType(n.type, first))) return violates('C2', showTypes(inputs));
    if (!admits[domain](first.dtype)) return violates('C3', first.dtype);
    if (op === 'cast') return typed((attrs as OpAttributes['cast']).dtype, first.sizes);
    return typed(result ?? first.dtype, first.sizes);
  };
