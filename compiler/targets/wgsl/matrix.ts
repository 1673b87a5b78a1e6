/**
 * Products on matrix units (schedule/wgsl-matrix.ts): both operands' tiles are gathered into workgroup memory as halves, four subgroups multiply squares of them into registers, and results
 * come out by way of a strip of workgroup memory, so that what follows the sum is the function that every product has.
 *
 * WGSL's `chromium_experimental_subgroup_matrix`: what it is called may change; then this file does.
 */
import { ceilDiv, mul, num } from '../../sizes/poly.ts';
import { MATRIX, MATRIX_GAP, matrixHalves, STRIP, type MatrixProduct } from '../../schedule/wgsl-matrix.ts';
import { divides, type OperandLoad } from '../../schedule/wgsl-product.ts';
import type { PassEmitter } from './kernel.ts';
import { addingPass, countsOf, finishLines, type Emitted } from './finish.ts';
import { operandLines } from './operand.ts';

/** What a shader begins with. */
export const MATRIX_EXTENSIONS = 'enable f16;\nenable subgroups;\nenable chromium_experimental_subgroup_matrix;\n';

export function matrixLines(emitter: PassEmitter, pass: MatrixProduct, entry: string): Emitted[] {
  const { x } = emitter;
  const { product } = pass;
  const { load } = product;
  const [rows, columns, depth] = pass.tile;
  const { side, lanes, subgroups } = MATRIX;
  const threads = lanes * subgroups;
  // Two by two subgroups.
  const [down, across] = [rows / 2 / side, columns / 2 / side];
  const counts = countsOf(emitter, product);
  const exact = { m: divides(counts.m, rows), n: divides(counts.n, columns), k: divides(counts.k, depth) };
  const isSplit = product.split > 1;
  const memory = (name: string, width: number, of: OperandLoad): string => {
    const size = matrixHalves(width, depth, of.along);
    const variable = `${name}_halves${size}`;
    emitter.shared.set(variable, `var<workgroup> ${variable}: array<f16, ${size}>;`);
    return variable;
  };
  const leftTile = memory('left', rows, load.rows);
  const rightTile = memory('right', columns, load.columns);
  emitter.shared.set('strips', `var<workgroup> strips: array<f32, ${STRIP * subgroups}>;`);
  const before = [
    ...finishLines(emitter, product, entry),
    ...operandLines(emitter, product, 'rows', `${entry}left`, { own: exact.m, depth: exact.k }),
    ...operandLines(emitter, product, 'columns', `${entry}right`, { own: exact.n, depth: exact.k }),
  ];

  const text = { m: x.poly(counts.m), n: x.poly(counts.n), k: x.poly(counts.k), batch: x.poly(counts.batch) };
  const tiles = { m: ceilDiv(counts.m, num(rows)), n: ceilDiv(counts.n, num(columns)) };
  x.line(`let rowTiles = ${x.poly(tiles.m)};`);
  x.line(`let columnTiles = ${x.poly(tiles.n)};`);
  x.line('let number = i32(group.y * groups.x + group.x);');
  x.line(`if (number >= ${text.batch} * rowTiles * columnTiles${isSplit ? ` * ${product.split}` : ''}) { return; }`);
  x.line(isSplit ? `let tile = number / ${product.split};` : 'let tile = number;');
  x.line('let batch = tile / (rowTiles * columnTiles);');
  x.line(`let mFrom = (tile / columnTiles) % rowTiles * ${rows};`);
  x.line(`let nFrom = tile % columnTiles * ${columns};`);
  x.line(`let mOwn = subgroup / 2u * ${rows / 2}u;`);
  x.line(`let nOwn = subgroup % 2u * ${columns / 2}u;`);
  if (isSplit) {
    x.line(`let part = number % ${product.split};`);
    const shares = product.split * depth;
    x.line(`let share = (${text.k} + ${shares - 1}) / ${shares} * ${depth};`);
  }
  for (let i = 0; i < down; i++)
    for (let j = 0; j < across; j++) x.line(`var sums${i}_${j}: subgroup_matrix_result<f32, ${side}, ${side}>;`);

  const from = isSplit ? 'part * share' : '0';
  const to = isSplit ? `min(${text.k}, (part + 1) * share)` : text.k;
  x.block(`for (var k0 = ${from}; k0 < ${to}; k0 += ${depth})`, () => {
    const stores: string[] = [];
    const gather = (name: string, tile: string, width: number, of: OperandLoad, start: string): void => {
      const isOwn = of.along === 'own';
      const four = isOwn ? width / 4 : depth / 4;
      const stride = (isOwn ? width : depth) + MATRIX_GAP;
      for (let l = 0; l * threads < (width * depth) / 4; l++) {
        const e = l === 0 ? 'i32(thread)' : `(i32(thread) + ${l * threads})`;
        const [inner, outer] = [`${e} % ${four}`, `${e} / ${four}`];
        const [at, k] = isOwn
          ? [`${start} + ${inner} * 4`, `k0 + ${outer}`]
          : [`${start} + ${outer}`, `k0 + ${inner} * 4`];
        x.line(`let ${name}${l} = vec4<f16>(${entry}${name}(batch, ${at}, ${k}));`);
        x.line(`let ${name}At${l} = ${outer} * ${stride} + ${inner} * 4;`);
        for (const [c, lane] of ['x', 'y', 'z', 'w'].entries())
          stores.push(`${tile}[${name}At${l}${c === 0 ? '' : ` + ${c}`}] = ${name}${l}.${lane};`);
      }
    };
    gather('left', leftTile, rows, load.rows, 'mFrom');
    gather('right', rightTile, columns, load.columns, 'nFrom');
    x.line('workgroupBarrier();');
    for (const s of stores) x.line(s);
    x.line('workgroupBarrier();');
    // A tile that lies along its own axis has the steps of the sum as rows, the other one as columns.
    const square = (
      kind: 'left' | 'right',
      tile: string,
      width: number,
      of: OperandLoad,
      own: string,
      k: number,
    ): string => {
      const isOwn = of.along === 'own';
      const stride = (isOwn ? width : depth) + MATRIX_GAP;
      const order = isOwn === (kind === 'left') ? 'col_major' : 'row_major';
      const at = isOwn ? `${k * stride}u + ${own}` : `(${own}) * ${stride}u + ${k}u`;
      return `subgroupMatrixLoad<subgroup_matrix_${kind}<f16, ${side}, ${side}>, ${order}>(&${tile}, ${at}, ${stride}u)`;
    };
    for (let k = 0; k < depth; k += side) {
      for (let i = 0; i < down; i++)
        x.line(`let a${k}_${i} = ${square('left', leftTile, rows, load.rows, `mOwn + ${i * side}u`, k)};`);
      for (let j = 0; j < across; j++)
        x.line(`let b${k}_${j} = ${square('right', rightTile, columns, load.columns, `nOwn + ${j * side}u`, k)};`);
      for (let i = 0; i < down; i++)
        for (let j = 0; j < across; j++)
          x.line(`sums${i}_${j} = subgroupMatrixMultiplyAccumulate(a${k}_${i}, b${k}_${j}, sums${i}_${j});`);
    }
  });

  // Two squares side by side at a time: as wide as a subgroup.
  x.line(`let strip = subgroup * ${STRIP}u;`);
  for (let i = 0; i < down; i++)
    for (let j = 0; j < across; j += 2) {
      x.line('workgroupBarrier();');
      for (const half of [0, 1])
        x.line(`subgroupMatrixStore<row_major>(&strips, strip + ${half * side}u, sums${i}_${j + half}, ${lanes}u);`);
      x.line('workgroupBarrier();');
      x.block(`for (var r = 0; r < ${side}; r++)`, () => {
        x.line(`let m = mFrom + i32(mOwn) + ${i * side} + r;`);
        x.line(`let n = nFrom + i32(nOwn) + ${j * side} + i32(lane);`);
        x.line(`let value = strips[strip + u32(r) * ${lanes}u + lane];`);
        const parts = [exact.m ? null : `m < ${text.m}`, exact.n ? null : `n < ${text.n}`].filter((t) => t !== null);
        const place = `((part * ${text.batch} + batch) * ${text.m} + m) * ${text.n} + n`;
        const line = isSplit ? `${emitter.scratch()}[${place}] = value;` : `${entry}finish(batch, m, n, value);`;
        x.line(parts.length === 0 ? line : `if (${parts.join(' && ')}) { ${line} }`);
      });
    }
  const groups = mul(mul(counts.batch, tiles.m), mul(tiles.n, num(product.split)));
  const body = x.take();
  const main: Emitted = {
    lines: [
      ...before,
      `@compute @workgroup_size(${threads})`,
      `fn ${entry}(`,
      '  @builtin(workgroup_id) group: vec3<u32>,',
      '  @builtin(num_workgroups) groups: vec3<u32>,',
      '  @builtin(local_invocation_index) thread: u32,',
      '  @builtin(subgroup_id) subgroup: u32,',
      '  @builtin(subgroup_invocation_id) lane: u32,',
      ') {',
      ...body.map((l) => `  ${l}`),
      '}',
    ],
    pass: { entry, count: groups, per: 1 },
  };
  return isSplit ? [main, addingPass(emitter, product, entry, counts)] : [main];
}
