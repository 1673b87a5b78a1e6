/**
 * A product of few rows (a vector and a matrix, mostly): memory is the limit, so each element of the matrix is loaded once, by neighbouring threads side by side,
 * for all rows. A thread sums a part of its column, or of several, with several loads on their way at once; the workgroup adds the parts. Of a matrix that is stored in fewer
 * bytes a load is of eight elements or more.
 */
import { ceilDiv, mul, num } from '../../sizes/poly.ts';
import { divides, type SkinnyProduct } from '../../schedule/wgsl-product.ts';
import type { PassEmitter } from './kernel.ts';
import { countsOf, finishLines, type Emitted } from './finish.ts';
import { operandLines } from './operand.ts';

export function skinnyLines(emitter: PassEmitter, pass: SkinnyProduct, entry: string): Emitted {
  const { x } = emitter;
  const { across, parts, few, ahead } = pass;
  const threads = across * parts;
  const counts = countsOf(emitter, pass);
  // The matrix is read four elements at a time along the sum or along its columns, or one by one.
  const byFour = pass.load.columns.along === 'depth';
  const wide = pass.wide !== null && emitter.hasWide(pass.columns.value, pass.wide) ? pass.wide : null;
  const each = emitter.hasVectors(pass.columns.value) ? (wide === null ? Math.min(4, pass.each) : pass.each) : 1;
  const step = byFour ? (wide ?? 4) : 1;
  const type = each === 8 ? 'mat2x4<f32>' : each === 4 ? 'vec4<f32>' : 'f32';
  const partial = `partial_sums${threads}x${each}`;
  emitter.shared.set(partial, `var<workgroup> ${partial}: array<${type}, ${threads}>;`);
  const exact = { own: false, depth: divides(counts.k, parts * step * ahead) };
  const rows: SkinnyProduct = {
    ...pass,
    load: {
      ...pass.load,
      rows: { along: 'depth', vector: byFour && pass.load.rows.along === 'depth' && pass.load.rows.vector },
    },
  };
  const lines = [
    ...finishLines(emitter, pass, entry),
    ...operandLines(emitter, rows, 'rows', `${entry}left`, exact),
    ...operandLines(emitter, pass, 'columns', `${entry}right`, exact, wide),
  ];
  const left = byFour ? `${entry}left` : `${entry}leftone`;
  const right = byFour || each > 1 ? `${entry}right` : `${entry}rightone`;
  const text = { m: x.poly(counts.m), n: x.poly(counts.n), k: x.poly(counts.k) };
  const tiles = ceilDiv(counts.n, num(across * each));
  x.line(`let tiles = ${x.poly(tiles)};`);
  x.line('let number = i32(group.y * groups.x + group.x);');
  x.line(`if (number >= ${x.poly(counts.batch)} * tiles) { return; }`);
  x.line('let batch = number / tiles;');
  // Threads side by side read side by side: columns first, or parts of the sum first.
  const [column, part] = byFour
    ? [`thread / ${parts}u`, `thread % ${parts}u`]
    : [`thread % ${across}u`, `thread / ${across}u`];
  x.line(`let column = i32(${column});`);
  x.line(`let part = i32(${part});`);
  x.line(`let n = (number % tiles * ${across} + column)${each > 1 ? ` * ${each}` : ''};`);
  for (let i = 0; i < few; i++) x.line(`var sum${i} = ${type}();`);
  x.block(`for (var k = part * ${step}; k < ${text.k}; k += ${parts * step * ahead})`, () => {
    const at = (a: number): string => (a === 0 ? 'k' : `k + ${a * parts * step}`);
    for (let a = 0; a < ahead; a++) x.line(`let weight${a} = ${right}(batch, n, ${at(a)});`);
    for (let a = 0; a < ahead; a++)
      for (let i = 0; i < few; i++) {
        const own = (c: number): string => `${left}(batch, ${i}, ${c === 0 ? at(a) : `${at(a)} + ${4 * c}`})`;
        if (!byFour) x.line(`sum${i} += ${own(0)} * weight${a};`);
        else if (wide === null) x.line(`sum${i} += dot(weight${a}, ${own(0)});`);
        else for (let c = 0; c < wide / 4; c++) x.line(`sum${i} += dot(weight${a}[${c}], ${own(c)});`);
      }
  });
  // Parts are added in two rounds: by `first` threads of a column, then by one.
  const first = parts > 16 ? 8 : 1;
  const at = (p: string): string => (byFour ? `column * ${parts} + ${p}` : `(${p}) * ${across} + column`);
  for (let i = 0; i < few; i++) {
    if (i > 0) x.line('workgroupBarrier();');
    x.line(`${partial}[thread] = sum${i};`);
    x.line('workgroupBarrier();');
    if (first > 1) {
      x.block(`if (part < ${first})`, () => {
        x.line(`for (var p = part + ${first}; p < ${parts}; p += ${first}) { sum${i} += ${partial}[${at('p')}]; }`);
        x.line(`${partial}[thread] = sum${i};`);
      });
      x.line('workgroupBarrier();');
    }
    x.block(`if (part == 0 && n < ${text.n} && ${i} < ${text.m})`, () => {
      x.line(`var total${i} = sum${i};`);
      x.line(`for (var p = 1; p < ${first > 1 ? first : parts}; p++) { total${i} += ${partial}[${at('p')}]; }`);
      const four = ['.x', '.y', '.z', '.w'];
      const lanes = each === 8 ? [0, 1].flatMap((c) => four.map((l) => `[${c}]${l}`)) : each === 4 ? four : [''];
      for (const [c, lane] of lanes.entries())
        x.line(`${entry}finish(batch, ${i}, ${c === 0 ? 'n' : `n + ${c}`}, total${i}${lane});`);
    });
  }
  return {
    lines: [...lines, ...emitter.entry(entry, threads, x.take())],
    pass: { entry, count: mul(counts.batch, tiles), per: 1 },
  };
}
