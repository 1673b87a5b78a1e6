/**
 * A product of matrices in tiles: both operands' tiles are gathered into workgroup memory (whatever their index arithmetic and guards: transposes,
 * windows of convolutions), every thread keeps a square of results in registers, and what follows the sum is a function called once a result.
 */
import { ceilDiv, coefficientOf, asConst, mul, num } from '../../sizes/poly.ts';
import { walk } from '../../kernel/expr.ts';
import type { WgslPass } from '../../schedule/wgsl.ts';
import type { ProductSide } from '../../schedule/wasm.ts';
import type { EmittedPass, PassEmitter } from './kernel.ts';

export function productLines(
  emitter: PassEmitter,
  pass: Extract<WgslPass, { kind: 'product' }>,
  entry: string,
): { lines: string[]; pass: EmittedPass } {
  const { x } = emitter;
  const stage = emitter.stage(pass.stage);
  const [rows, columns, depth] = pass.tile;
  const [threadRows, threadColumns] = pass.threads;
  const [own, wide] = [rows / threadRows, columns / threadColumns];
  const threads = threadRows * threadColumns;
  // A thread's results are vectors of four, one a row.
  if (wide !== 4) throw new Error(`a thread has ${wide} columns of a product, not 4`);
  const sum = [...stage.defs].find(([, d]) => d.op === 'sum')![0];
  emitter.shared.set('left_tile', `var<workgroup> left_tile: array<f32, ${rows * depth}>;`);
  emitter.shared.set('right_tile', `var<workgroup> right_tile: array<f32, ${columns * depth}>;`);

  // What happens to a finished sum.
  const finish = `${entry}finish`;
  emitter.split(pass.batch, 'batch');
  emitter.split(pass.rows.axes, 'm');
  emitter.split(pass.columns.axes, 'n');
  emitter.result(stage, sum, 'total');
  const finishLines = [
    `fn ${finish}(batch: i32, m: i32, n: i32, total: f32) {`,
    ...x.take().map((l) => `  ${l}`),
    '}',
    '',
  ];

  const counts = {
    m: x.poly(emitter.points(pass.rows.axes)),
    n: x.poly(emitter.points(pass.columns.axes)),
    k: x.poly(emitter.points(pass.over)),
  };
  x.line(`let rowTiles = (${counts.m} + ${rows - 1}) / ${rows};`);
  x.line(`let columnTiles = (${counts.n} + ${columns - 1}) / ${columns};`);
  x.line('let tile = i32(group.y * groups.x + group.x);');
  x.line(`if (tile >= ${x.poly(emitter.points(pass.batch))} * rowTiles * columnTiles) { return; }`);
  x.line('let batch = tile / (rowTiles * columnTiles);');
  x.line(`let m0 = (tile / columnTiles) % rowTiles * ${rows};`);
  x.line(`let n0 = tile % columnTiles * ${columns};`);
  x.line(`let mine = i32(thread) / ${threadColumns} * ${own};`);
  x.line(`let across = i32(thread) % ${threadColumns} * ${wide};`);
  emitter.split(pass.batch, 'batch');
  for (let i = 0; i < own; i++) x.line(`var sums${i} = vec4<f32>();`);

  const gather = (side: ProductSide, tile: string, width: number, axisName: 'm' | 'n'): void => {
    const unit = pass.over.at(-1)!;
    // Neighbouring threads read neighbouring elements.
    const alongDepth = sideStep(side, unit) === 1;
    x.block(`for (var e = i32(thread); e < ${width * depth}; e += ${threads})`, () => {
      x.line(alongDepth ? `let kk = e % ${depth};` : `let kk = e / ${width};`);
      x.line(alongDepth ? `let at = e / ${depth};` : `let at = e % ${width};`);
      x.line(`let ${axisName} = ${axisName}0 + at;`);
      x.line('let k = k0 + kk;');
      x.line('var element = 0.0f;');
      x.block(`if (${axisName} < ${counts[axisName]} && k < ${counts.k})`, () => {
        emitter.split(side.axes, axisName);
        emitter.split(pass.over, 'k');
        const condition = x.condition(side.guards);
        const load = (): void => {
          x.begin([side.value]);
          x.line(`element = ${x.expr(side.value)};`);
        };
        if (condition === null) load();
        else x.block(`if (${condition})`, load);
      });
      x.line(`${tile}[kk * ${width} + at] = element;`);
    });
  };
  x.block(`for (var k0 = 0; k0 < ${counts.k}; k0 += ${depth})`, () => {
    gather(pass.rows, 'left_tile', rows, 'm');
    gather(pass.columns, 'right_tile', columns, 'n');
    x.line('workgroupBarrier();');
    x.block(`for (var kk = 0; kk < ${depth}; kk++)`, () => {
      x.line(`let at = kk * ${columns} + across;`);
      x.line('let right = vec4<f32>(right_tile[at], right_tile[at + 1], right_tile[at + 2], right_tile[at + 3]);');
      for (let i = 0; i < own; i++) x.line(`sums${i} += left_tile[kk * ${rows} + mine + ${i}] * right;`);
    });
    x.line('workgroupBarrier();');
  });
  // In a loop, so that what follows the sum is compiled once (compilers that want it otherwise unroll).
  x.block(`for (var p = 0; p < ${own * wide}; p++)`, () => {
    x.line(`let i = p / ${wide};`);
    let line = `sums${own - 1}`;
    for (let i = own - 2; i >= 0; i--) line = `select(${line}, sums${i}, i == ${i})`;
    x.line(`let line = ${line};`);
    x.line('let m = m0 + mine + i;');
    x.line(`let n = n0 + across + p % ${wide};`);
    x.line(`if (m < ${counts.m} && n < ${counts.n}) { ${finish}(batch, m, n, line[p % ${wide}]); }`);
  });
  // Tiles of a row or column that end past its extent count whole: the dispatch is in rows of one tile each.
  const tiles = (axes: readonly string[], by: number) => ceilDiv(emitter.points(axes), num(by));
  const count = mul(mul(emitter.points(pass.batch), tiles(pass.rows.axes, rows)), tiles(pass.columns.axes, columns));
  return { lines: [...finishLines, ...emitter.entry(entry, threads, x.take())], pass: { entry, count, per: 1 } };
}

/** How far the side's reads move along an axis; 0 where they do not agree. */
function sideStep(side: ProductSide, axis: string): number {
  const steps = new Set<number>();
  walk([side.value], (e) => {
    if (e.kind !== 'read') return;
    const linear = coefficientOf(e.at, axis);
    steps.add((linear === null ? null : asConst(linear.coefficient)) ?? 0);
  });
  return steps.size === 1 ? [...steps][0]! : 0;
}
