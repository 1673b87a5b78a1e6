/**
 * Packing as functions of the module, for operands that are plain matrices: one axis of free points, one of K, one of them with stride 1, no guards. Most
 * operands are, and the code is a third of a product's; what is left of a call are its arguments.
 *
 * A function is what pack.ts writes for such a matrix with its strides as sizes. Operands of other forms are packed in their kernel.
 */
import { add, mul, name, type Poly } from '../../sizes/poly.ts';
import { ExprTable } from '../../kernel/expr.ts';
import type { Kernel } from '../../kernel/types.ts';
import type { ProductSide } from '../../schedule/wasm.ts';
import type { Signature } from './encoder.ts';
import type { LinearRead } from './linear-read.ts';

/** Which axis has stride 1: the free points', or K's. `cold`: several panels are fetched before they are transposed, the matrix is dense. */
export interface PackForm {
  readonly way: 'lanes' | 'transposed';
  readonly width: number;
  readonly cold: boolean;
}

/** `(first point, panels, to, K, stride of the other axis in elements, all points, matrix)`. */
export const packSignature: Signature = {
  parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
  results: [],
};
export const PARAMETER = { first: 0, count: 1, to: 2, length: 3, total: 5 } as const;

const LENGTH = 'length';
const STRIDE = 'stride';
const TOTAL = 'total';
export const POINT = 'i';
export const STEP = 'k';

/** Whether an operand is such a matrix, and the bytes of its other stride. */
export function plainStride(read: LinearRead, way: string): Poly | null {
  const [own, more] = read.own;
  const [over, further] = read.over;
  if (own === undefined || more !== undefined || over === undefined || further !== undefined) return null;
  if (read.guards.length > 0) return null;
  return way === 'lanes' ? over.stride : way === 'transposed' ? own.stride : null;
}

const plain: Kernel = {
  name: 'pack',
  sizes: [LENGTH, STRIDE, TOTAL],
  buffers: [{ name: 'matrix', dtype: 'f32', access: 'read', sizes: [name(TOTAL), name(LENGTH)] }],
  axes: new Map([
    [POINT, name(TOTAL)],
    [STEP, name(LENGTH)],
  ]),
  stages: [],
  origin: 0,
  reasons: new Map(),
};

/** Such a matrix as an operand of a kernel that has nothing else. */
export function matrix({ way, cold }: PackForm): { readonly kernel: Kernel; readonly side: ProductSide } {
  const stride = name(cold ? LENGTH : STRIDE);
  const at = way === 'lanes' ? add(name(POINT), mul(name(STEP), stride)) : add(mul(name(POINT), stride), name(STEP));
  const value = new ExprTable().read(0, 'f32', at);
  return { kernel: plain, side: { value, axes: [POINT], guards: [] } };
}
