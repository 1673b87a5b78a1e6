/**
 * Products of matrices in tiles: both operands' tiles are gathered into workgroup memory in vectors of four (tile.ts, operand.ts, steady.ts), every thread keeps a rectangle of
 * results in registers, and what follows the sum is in finish.ts.
 *
 * Which tile and how operands lie is the schedule's (schedule/wgsl-product.ts); few rows are in skinny.ts.
 */
import { ceilDiv, mul, num } from '../../sizes/poly.ts';
import { divides, type TiledProduct } from '../../schedule/wgsl-product.ts';
import { addingPass, countsOf, finishLines, fourLines, writesFours, type Emitted } from './finish.ts';
import type { PassEmitter } from './kernel.ts';
import { loadOf, operandLines } from './operand.ts';
import { steadyOperand } from './steady.ts';
import { advance, LANES, stageBoth, Tile } from './tile.ts';

/** Lines of what follows a sum from which on it stands in a loop. */
const LONG = 24;

export function productLines(emitter: PassEmitter, pass: TiledProduct, entry: string): Emitted[] {
  const { x } = emitter;
  const [rows, columns, depth] = pass.tile;
  const [threadRows, threadColumns] = pass.threads;
  const [own, wide] = [rows / threadRows, columns / threadColumns];
  const threads = threadRows * threadColumns;
  const counts = countsOf(emitter, pass);
  const load = {
    rows: loadOf(emitter, pass.rows, pass.load.rows, true),
    columns: loadOf(emitter, pass.columns, pass.load.columns, true),
  };
  const exact = {
    m: divides(counts.m, rows),
    n: divides(counts.n, columns),
    k: divides(counts.k, depth),
  };
  const left = new Tile(emitter, 'left', load.rows, [rows, depth], threadRows, true, depth, true);
  const right = new Tile(
    emitter,
    'right',
    load.columns,
    [columns, depth],
    threadColumns,
    !writesFours(emitter, pass),
    depth,
    true,
  );
  const isSplit = pass.split > 1;
  const fours = writesFours(emitter, pass);
  const finish = fours ? fourLines(emitter, pass, entry) : finishLines(emitter, pass, entry);
  const before = [
    ...finish,
    ...operandLines(emitter, pass, 'rows', `${entry}left`, { own: exact.m, depth: exact.k }, null, true),
    ...operandLines(emitter, pass, 'columns', `${entry}right`, { own: exact.n, depth: exact.k }, null, true),
  ];

  const text = { m: x.poly(counts.m), n: x.poly(counts.n), k: x.poly(counts.k), batch: x.poly(counts.batch) };
  const tiles = { m: ceilDiv(counts.m, num(rows)), n: ceilDiv(counts.n, num(columns)) };
  x.line(`let rowTiles = ${x.poly(tiles.m)};`);
  x.line(`let columnTiles = ${x.poly(tiles.n)};`);
  x.line('let number = i32(group.y * groups.x + group.x);');
  x.line(`if (number >= ${text.batch} * rowTiles * columnTiles${isSplit ? ` * ${pass.split}` : ''}) { return; }`);
  x.line(isSplit ? `let tile = number / ${pass.split};` : 'let tile = number;');
  x.line('let batch = tile / (rowTiles * columnTiles);');
  x.line(`let mFrom = (tile / columnTiles) % rowTiles * ${rows};`);
  x.line(`let nFrom = tile % columnTiles * ${columns};`);
  const [down, across] = pass.patch;
  const patches = threadColumns / across;
  x.line(`let square = i32(thread / ${down * across}u);`);
  x.line(`let inSquare = i32(thread % ${down * across}u);`);
  x.line(`let aAt = square / ${patches} * ${down} + inSquare / ${across};`);
  x.line(`let bAt = square % ${patches} * ${across} + inSquare % ${across};`);
  if (isSplit) {
    x.line(`let part = number % ${pass.split};`);
    x.line(`let share = (${text.k} + ${pass.split * depth - 1}) / ${pass.split * depth} * ${depth};`);
  }
  for (let i = 0; i < own; i++) for (let g = 0; g < wide / 4; g++) x.line(`var sums${i}_${g} = vec4<f32>();`);

  x.line(`let kFrom = ${isSplit ? 'part * share' : '0'};`);
  x.line(`let kTo = ${isSplit ? `min(${text.k}, kFrom + share)` : text.k};`);
  // The next tiles are on their way from memory into registers while these multiply.
  const even = {
    rows: steadyOperand(emitter, pass, 'rows', load.rows, exact.m),
    columns: steadyOperand(emitter, pass, 'columns', load.columns, exact.n),
  };
  const staged = stageBoth(
    x,
    threads,
    [left, `${entry}left`, 'mFrom', even.rows],
    [right, `${entry}right`, 'nFrom', even.columns],
    'kFrom',
  );
  x.block(`for (var k0 = kFrom; k0 < kTo; k0 += ${depth})`, () => {
    advance(x, staged, 'k0', depth, 'kTo', '', exact.k);
    // No loop over the steps: their places in the tiles are constants, and a step's operands need registers for that step alone.
    for (let q = 0; q < depth / 4; q++)
      x.block('', () => {
        for (let s = 0; s < 4; s++) {
          for (const l of left.readStep('a', 'aAt', q, s)) x.line(l);
          for (const l of right.readStep('b', 'bAt', q, s)) x.line(l);
          for (let g = 0; g < wide / 4; g++)
            for (let i = 0; i < own; i++) x.line(`sums${i}_${g} += a${s}_${i >> 2}.${LANES[i & 3]!} * b${s}_${g};`);
        }
      });
    x.line('workgroupBarrier();');
  });

  const inside = [exact.m ? null : `m < ${text.m}`, exact.n ? null : `n < ${text.n}`].filter((t) => t !== null);
  const put = (shift: string, finished: string, value: string): void => {
    const results = `(((part * ${text.batch} + batch) * ${text.m} + m) * ${text.n} + n)${shift}`;
    const line = isSplit
      ? `${emitter.scratch()}[${results}] = ${value};`
      : `${entry}${finished}(batch, m, n, ${value});`;
    x.line(inside.length === 0 ? line : `if (${inside.join(' && ')}) { ${line} }`);
  };
  // Row by row of every thread, the results pass through the left tile's memory, so that neighbours in number write (and read, in what follows) neighbours in memory.
  const leaveInRows = (): void =>
    x.block(`for (var i = 0; i < ${own}; i++)`, () => {
      for (let i = 0; i < own; i++) {
        const lines = Array.from({ length: wide / 4 }, (_, g) =>
          left.keep(`aAt * ${columns / 4} + bAt + ${g * threadColumns}`, `sums${i}_${g}`),
        );
        x.line(`if (i == ${i}) { ${lines.join(' ')} }`);
      }
      x.line('workgroupBarrier();');
      x.block(`for (var e = i32(thread); e < ${threadRows * columns}; e += ${threads})`, () => {
        x.line(`let m = mFrom + ${left.own(`e / ${columns}`, 'i')};`);
        x.line(`let column = e % ${columns};`);
        x.line('let n = nFrom + column;');
        const [vector, lane] = right.find('column');
        x.line(`let total = ${left.kept(`e / ${columns} * ${columns / 4} + ${vector}`)}[${lane}];`);
        put('', 'finish', 'total');
      });
      x.line('workgroupBarrier();');
    });
  if (fours) {
    if (isSplit) emitter.hasScratchVectors = true;
    if (!isSplit && finish.length > LONG) {
      // What follows the sum is long: its text stands here once for each of a thread's vectors in a row, not for all rows.
      const row = Array.from({ length: wide / 4 }, (_, g) => `row${g}`);
      x.block(`for (var i = 0; i < ${own}; i++)`, () => {
        for (const r of row) x.line(`var ${r} = vec4<f32>();`);
        for (let i = 0; i < own; i++)
          x.line(`if (i == ${i}) { ${row.map((r, g) => `${r} = sums${i}_${g};`).join(' ')} }`);
        x.line(`let m = mFrom + ${left.own('aAt', 'i')};`);
        for (const [g, r] of row.entries())
          x.block('', () => {
            x.line(`let n = nFrom + ${right.place('bAt', 4 * g)};`);
            put(' >> 2u', 'four', r);
          });
      });
    } else
      for (let i = 0; i < own; i++)
        x.block('', () => {
          x.line(`let m = mFrom + ${left.place('aAt', i)};`);
          for (let g = 0; g < wide / 4; g++)
            x.block('', () => {
              x.line(`let n = nFrom + ${right.place('bAt', 4 * g)};`);
              put(' >> 2u', 'four', `sums${i}_${g}`);
            });
        });
  } else leaveInRows();
  // Tiles of a row or column that end past its extent count whole: the dispatch is in rows of one tile each.
  const groups = mul(mul(counts.batch, tiles.m), mul(tiles.n, num(pass.split)));
  const main: Emitted = {
    lines: [...before, ...emitter.entry(entry, threads, x.take())],
    pass: { entry, count: groups, per: 1 },
  };
  return isSplit ? [main, addingPass(emitter, pass, entry, counts)] : [main];
}
