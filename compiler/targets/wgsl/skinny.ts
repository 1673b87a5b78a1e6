/**
 * A product of few rows (a vector and a matrix, mostly): memory is the limit, so each element of the matrix is loaded once, by neighbouring threads side by side,
 * for all rows. A thread sums a part of its column; the workgroup adds the parts.
 */
import { ceilDiv, mul, num } from '../../sizes/poly.ts';
import { divides, type SkinnyProduct } from '../../schedule/wgsl-product.ts';
import type { PassEmitter } from './kernel.ts';
import { countsOf, finishLines, operandLines, type Emitted } from './product.ts';

export function skinnyLines(emitter: PassEmitter, pass: SkinnyProduct, entry: string): Emitted {
  const { x } = emitter;
  const { across, parts, few } = pass;
  const threads = across * parts;
  const counts = countsOf(emitter, pass);
  const partial = `partial_sums${threads}`;
  emitter.shared.set(partial, `var<workgroup> ${partial}: array<f32, ${threads}>;`);
  // The matrix is read four elements at a time along the sum, or one by one where neighbours lie along the columns.
  const byFour = pass.load.columns.along === 'depth';
  const step = byFour ? 4 : 1;
  const exact = { own: false, depth: !byFour || divides(counts.k, 4) };
  const along = (which: 'rows' | 'columns'): SkinnyProduct => ({
    ...pass,
    load: {
      ...pass.load,
      [which]: { along: 'depth', vector: byFour && pass.load[which].along === 'depth' && pass.load[which].vector },
    },
  });
  const lines = [
    ...finishLines(emitter, pass, entry),
    ...operandLines(emitter, along('rows'), 'rows', `${entry}left`, exact),
    ...operandLines(emitter, along('columns'), 'columns', `${entry}right`, exact),
  ];
  const one = (name: string, own: string): string =>
    byFour ? `${entry}${name}(batch, ${own}, k)` : `${entry}${name}one(batch, ${own}, k)`;
  const text = { m: x.poly(counts.m), n: x.poly(counts.n), k: x.poly(counts.k) };
  const tiles = ceilDiv(counts.n, num(across));
  x.line(`let tiles = ${x.poly(tiles)};`);
  x.line('let number = i32(group.y * groups.x + group.x);');
  x.line(`if (number >= ${x.poly(counts.batch)} * tiles) { return; }`);
  x.line('let batch = number / tiles;');
  // Threads side by side read side by side: columns first, or parts of the sum first.
  const [column, part] = byFour
    ? [`i32(thread) / ${parts}`, `i32(thread) % ${parts}`]
    : [`i32(thread) % ${across}`, `i32(thread) / ${across}`];
  x.line(`let column = ${column};`);
  x.line(`let part = ${part};`);
  x.line(`let n = number % tiles * ${across} + column;`);
  for (let i = 0; i < few; i++) x.line(`var sum${i} = 0.0f;`);
  x.block(`for (var k = part * ${step}; k < ${text.k}; k += ${parts * step})`, () => {
    x.line(`let weight = ${one('right', 'n')};`);
    for (let i = 0; i < few; i++) {
      const left = one('left', String(i));
      x.line(byFour ? `sum${i} += dot(weight, ${left});` : `sum${i} += weight * ${left};`);
    }
  });
  for (let i = 0; i < few; i++) {
    if (i > 0) x.line('workgroupBarrier();');
    x.line(`${partial}[thread] = sum${i};`);
    x.line('workgroupBarrier();');
    x.block(`if (part == 0 && n < ${text.n} && ${i} < ${text.m})`, () => {
      x.line(`var total${i} = sum${i};`);
      const from = byFour ? `column * ${parts} + p` : `p * ${across} + column`;
      x.line(`for (var p = 1; p < ${parts}; p++) { total${i} += ${partial}[${from}]; }`);
      x.line(`${entry}finish(batch, ${i}, n, total${i});`);
    });
  }
  return {
    lines: [...lines, ...emitter.entry(entry, threads, x.take())],
    pass: { entry, count: mul(counts.batch, tiles), per: 1 },
  };
}
