/**
 * What follows the sum of a product: a function called once a result, or once four neighbours that are written as a vector. A sum in parts leaves them in scratch
 * memory, from which a second pass adds them in their order.
 */
import { mul, name as nameOf, num, type Poly } from '../../sizes/poly.ts';
import type { Stage } from '../../kernel/types.ts';
import { readsByFour, type SkinnyProduct, type TiledProduct } from '../../schedule/wgsl-product.ts';
import type { EmittedPass, PassEmitter } from './kernel.ts';
import { inFunction } from './operand.ts';
import { LANES } from './tile.ts';
import { HALF, itemOf } from './windows.ts';

export interface Emitted {
  readonly lines: readonly string[];
  readonly pass: EmittedPass;
}

/** Threads of a workgroup that adds the parts of sums. */
const ADDING = 64;

/** How far a product's indices go, as text and as polynomials. */
export interface Counts {
  readonly m: Poly;
  readonly n: Poly;
  readonly k: Poly;
  readonly batch: Poly;
}

export function countsOf(emitter: PassEmitter, pass: TiledProduct | SkinnyProduct): Counts {
  return {
    m: emitter.points(pass.rows.axes),
    n: emitter.points(pass.columns.axes),
    k: emitter.points(pass.over),
    batch: emitter.points(pass.batch),
  };
}

export const sumOf = (stage: Stage): string => [...stage.defs].find(([, d]) => d.op === 'sum')![0];

/** `fn NAMEfinish(batch, m, n, total)`: what happens to a finished sum. */
export function finishLines(emitter: PassEmitter, pass: TiledProduct | SkinnyProduct, entry: string): string[] {
  const { x } = emitter;
  const stage = emitter.stage(pass.stage);
  emitter.split(pass.batch, 'batch');
  emitter.split(pass.rows.axes, 'm');
  emitter.split(pass.columns.axes, 'n');
  emitter.result(stage, sumOf(stage), 'total');
  return inFunction(`${entry}finish(batch: i32, m: i32, n: i32, total: f32)`, x.take());
}

/** Whether all that is written lies in memory of vectors here. */
export const writesFours = (emitter: PassEmitter, pass: TiledProduct): boolean =>
  pass.fours && emitter.stage(pass.stage).writes.every((w) => emitter.slotOf(w.buffer).lanes === 4);

/** `fn NAMEfour(batch, m, n, total)`: four finished sums beside each other, from the column `n` on. */
export function fourLines(emitter: PassEmitter, pass: TiledProduct, entry: string): string[] {
  const { x, kernel } = emitter;
  const stage = emitter.stage(pass.stage);
  const axis = pass.columns.axes.at(-1)!;
  emitter.split(pass.batch, 'batch');
  emitter.split(pass.rows.axes, 'm');
  emitter.split(pass.columns.axes, 'n');
  const column = x.poly(nameOf(axis));
  const named = new Map<string, string>();
  const read = readsByFour(kernel, stage, axis).flatMap((e) => {
    const slot = emitter.slotOf(e.buffer);
    if (slot.lanes !== 4) return [];
    const item = itemOf(slot, `${x.shifted(e.buffer, x.poly(e.at))} >> 2u`);
    const text = slot.type === 'f16' ? `vec4<f32>(${item})` : item;
    let name = named.get(text);
    if (name === undefined) {
      name = x.fresh('four');
      x.line(`let ${name} = ${text};`);
      named.set(text, name);
    }
    return [[e, name] as const];
  });
  const results: string[][] = stage.writes.map(() => []);
  for (const [q, lane] of LANES.entries()) {
    x.forget();
    for (const [e, name] of read) x.remember(e, `${name}.${lane}`);
    x.bind(axis, q === 0 ? column : `(${column} + ${q})`);
    emitter.follow(stage, sumOf(stage), `total.${lane}`);
    x.begin(stage.writes.map((w) => w.value));
    for (const [k, w] of stage.writes.entries()) {
      const name = x.fresh('result');
      x.line(`let ${name} = ${x.expr(w.value)};`);
      results[k]!.push(name);
    }
  }
  x.forget();
  x.bind(axis, column);
  for (const [k, w] of stage.writes.entries()) {
    const slot = emitter.slotOf(w.buffer);
    const all = `vec4<f32>(${results[k]!.join(', ')})`;
    const value = slot.type === 'f16' ? `vec4<${HALF}>(${all})` : all;
    x.line(`${slot.name}[${x.shifted(w.buffer, x.poly(w.at))} >> 2u] = ${value};`);
  }
  return inFunction(`${entry}four(batch: i32, m: i32, n: i32, total: vec4<f32>)`, x.take());
}

/** Adds the parts of every sum. */
export function addingPass(emitter: PassEmitter, pass: TiledProduct, entry: string, counts: Counts): Emitted {
  const { x } = emitter;
  const results = mul(counts.batch, mul(counts.m, counts.n));
  emitter.needScratch(mul(results, num(pass.split)));
  const [m, n] = [x.poly(counts.m), x.poly(counts.n)];
  if (emitter.hasScratchVectors) {
    const count = x.poly(results);
    x.line(`let at = (i32(group.y * groups.x + group.x) * ${ADDING} + i32(thread)) * 4;`);
    x.line(`if (at >= ${count}) { return; }`);
    x.line('var total = vec4<f32>();');
    x.line(
      `for (var part = 0; part < ${pass.split}; part++) { total += ${emitter.scratch()}[(part * ${count} + at) >> 2u]; }`,
    );
    x.line(`${entry}four(at / (${m} * ${n}), at / ${n} % ${m}, at % ${n}, total);`);
    const own = `${entry}add`;
    return { lines: emitter.entry(own, ADDING, x.take()), pass: { entry: own, count: results, per: 4 * ADDING } };
  }
  x.line(`let at = i32(group.y * groups.x + group.x) * ${ADDING} + i32(thread);`);
  x.line(`if (at >= ${x.poly(results)}) { return; }`);
  x.line('var total = 0.0f;');
  x.line(
    `for (var part = 0; part < ${pass.split}; part++) { total += ${emitter.scratch()}[part * ${x.poly(results)} + at]; }`,
  );
  x.line(`${entry}finish(at / (${m} * ${n}), at / ${n} % ${m}, at % ${n}, total);`);
  const own = `${entry}add`;
  return { lines: emitter.entry(own, ADDING, x.take()), pass: { entry: own, count: results, per: ADDING } };
}
