/**
 * Operands of a product: functions that load four elements at any place, whatever their index arithmetic and guards (transposes, windows of convolutions, what is stored in
 * fewer bytes).
 */
import { add, num } from '../../sizes/poly.ts';
import {
  readByFour,
  type OperandLoad,
  type SkinnyProduct,
  type TiledProduct,
  type Wide,
} from '../../schedule/wgsl-product.ts';
import type { ProductSide } from '../../schedule/wasm.ts';
import type { PassEmitter } from './kernel.ts';
import { HALF } from './windows.ts';

export const inFunction = (head: string, lines: readonly string[]): string[] => [
  `fn ${head} {`,
  ...lines.map((l) => `  ${l}`),
  '}',
  '',
];

/**
 * `fn NAME(batch, own, k) -> vec4<f32>`: four elements of an operand, neighbours along `load.along`, zeros beyond the end of the sum. Beyond the end of the own axes
 * it repeats the last element: no result that it goes into is kept. `wide`: more of them, in the columns of a matrix. `asHalves`: what lies in halves is given so.
 */
export function operandLines(
  emitter: PassEmitter,
  pass: TiledProduct | SkinnyProduct,
  which: 'rows' | 'columns',
  name: string,
  exact: { readonly own: boolean; readonly depth: boolean },
  wide: Wide | null = null,
  asHalves = false,
): string[] {
  const { x } = emitter;
  const side: ProductSide = pass[which];
  const load: OperandLoad = pass.load[which];
  const own = emitter.points(side.axes);
  const k = x.poly(emitter.points(pass.over));
  const isVector = load.vector && emitter.hasVectors(side.value);
  const place = (count: number): void => {
    emitter.split(pass.batch, 'batch');
    const last = count === 1 ? add(own, num(-1)) : add(own, num(-count));
    if (!exact.own) x.line(`let at = min(own, ${x.poly(last)});`);
    emitter.split(side.axes, exact.own ? 'own' : 'at');
    emitter.split(pass.over, 'k');
  };
  const guarded = (type: string, read: () => string): void => {
    const parts = [exact.depth ? null : `k < ${k}`, x.condition(side.guards)].filter((t) => t !== null);
    if (parts.length === 0) {
      x.line(`return ${read()};`);
      return;
    }
    x.line(`var element = ${type}();`);
    x.block(`if (${parts.join(' && ')})`, () => {
      x.line(`element = ${read()};`);
    });
    x.line('return element;');
  };
  if (isVector) {
    place(load.along === 'own' ? (wide ?? 4) : 1);
    const element = asHalves && emitter.hasHalves(side.value) ? HALF : 'f32';
    const type = wide === null ? `vec4<${element}>` : `mat${wide / 4}x4<f32>`;
    const read = (): string => (wide === null ? x.vector(side.value, asHalves) : x.wide(side.value, wide));
    const condition = x.condition(readByFour(emitter.kernel, side.value)!.guards);
    if (condition === null) guarded(type, read);
    else {
      x.line(`var inside = ${type}();`);
      x.block(`if (${condition})`, () => x.line(`inside = ${read()};`));
      guarded(type, () => 'inside');
    }
    return inFunction(`${name}(batch: i32, own: i32, k: i32) -> ${type}`, x.take());
  }
  place(1);
  guarded('f32', () => {
    x.begin([side.value]);
    return x.expr(side.value);
  });
  const single = inFunction(`${name}one(batch: i32, own: i32, k: i32) -> f32`, x.take());
  const four = [0, 1, 2, 3].map((q) => {
    const more = q === 0 ? '' : ` + ${q}`;
    return load.along === 'own' ? `${name}one(batch, own${more}, k)` : `${name}one(batch, own, k${more})`;
  });
  return [
    ...single,
    ...inFunction(`${name}(batch: i32, own: i32, k: i32) -> vec4<f32>`, [`return vec4<f32>(${four.join(', ')});`]),
  ];
}

/** How an operand comes into a tile. `halves`: as such, and is turned into f32 there: until then nobody waits for it. */
export interface TileLoad extends OperandLoad {
  readonly halves?: boolean;
}

/** What is written, too, is no memory of vectors. */
export function loadOf(emitter: PassEmitter, side: ProductSide, load: OperandLoad, asHalves = false): TileLoad {
  const vector = load.vector && emitter.hasVectors(side.value);
  return { along: load.along, vector, halves: asHalves && vector && emitter.hasHalves(side.value) };
}
