/**
 * Products of matrices in tiles: both operands' tiles are gathered into workgroup memory in vectors of four (whatever their index arithmetic and guards: transposes,
 * windows of convolutions), every thread keeps a rectangle of results in registers, and what follows the sum is a function called once a result. A sum in
 * parts leaves them in scratch memory, from which a second pass adds them in their order.
 *
 * Which tile and how operands lie is the schedule's (schedule/wgsl-product.ts); few rows are in skinny.ts.
 */
import { add, ceilDiv, mul, num, type Poly } from '../../sizes/poly.ts';
import { walk } from '../../kernel/expr.ts';
import type { Stage } from '../../kernel/types.ts';
import {
  divides,
  readByFour,
  tileVectors,
  type OperandLoad,
  type SkinnyProduct,
  type TiledProduct,
} from '../../schedule/wgsl-product.ts';
import type { ProductSide } from '../../schedule/wasm.ts';
import type { EmittedPass, PassEmitter } from './kernel.ts';

export interface Emitted {
  readonly lines: readonly string[];
  readonly pass: EmittedPass;
}

const LANES = ['x', 'y', 'z', 'w'] as const;
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

const inFunction = (head: string, lines: readonly string[]): string[] => [
  `fn ${head} {`,
  ...lines.map((l) => `  ${l}`),
  '}',
  '',
];

/**
 * `fn NAME(batch, own, k) -> vec4<f32>`: four elements of an operand, neighbours along `load.along`, zeros beyond the end of the sum. Beyond the end of the own axes
 * it repeats the last element: no result that it goes into is kept.
 */
export function operandLines(
  emitter: PassEmitter,
  pass: TiledProduct | SkinnyProduct,
  which: 'rows' | 'columns',
  name: string,
  exact: { readonly own: boolean; readonly depth: boolean },
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
    place(load.along === 'own' ? 4 : 1);
    const condition = x.condition(readByFour(emitter.kernel, side.value)!.guards);
    if (condition === null) guarded('vec4<f32>', () => x.vector(side.value));
    else {
      x.line('var inside = vec4<f32>();');
      x.block(`if (${condition})`, () => x.line(`inside = ${x.vector(side.value)};`));
      guarded('vec4<f32>', () => 'inside');
    }
    return inFunction(`${name}(batch: i32, own: i32, k: i32) -> vec4<f32>`, x.take());
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

/** Text of element `i` of an operand's own axis at step `s` of four, in the registers that `readLines` fills. */
const element = (name: string, load: OperandLoad, i: number, s: number): string =>
  load.along === 'own' ? `${name}${s}_${i >> 2}.${LANES[i & 3]!}` : `${name}${i}.${LANES[s]!}`;

/** Four steps of the sum from a tile into registers. `mine`: the thread's number along the operand, of `threads`. */
function readLines(
  tile: string,
  name: string,
  load: OperandLoad,
  width: number,
  depth: number,
  threads: number,
): string[] {
  const count = width / threads;
  if (load.along === 'depth')
    return Array.from(
      { length: count },
      (_, i) => `let ${name}${i} = ${tile}[(${name}At + ${i * threads}) * ${depth / 4 + 1} + q];`,
    );
  return [0, 1, 2, 3].flatMap((s) =>
    Array.from(
      { length: count / 4 },
      (_, g) => `let ${name}${s}_${g} = ${tile}[(q * 4 + ${s}) * ${width / 4} + ${name}At + ${g * threads}];`,
    ),
  );
}

/** Where result `i` of a thread lies along an operand. */
const placeOf = (load: OperandLoad, threads: number, at: string, i: number): string =>
  load.along === 'own' ? `${at} * 4 + ${(i >> 2) * threads * 4 + (i & 3)}` : `${at} + ${i * threads}`;

export function productLines(emitter: PassEmitter, pass: TiledProduct, entry: string): Emitted[] {
  const { x } = emitter;
  const stage = emitter.stage(pass.stage);
  const [rows, columns, depth] = pass.tile;
  const [threadRows, threadColumns] = pass.threads;
  const [own, wide] = [rows / threadRows, columns / threadColumns];
  const threads = threadRows * threadColumns;
  const counts = countsOf(emitter, pass);
  const { load } = pass;
  const exact = {
    m: divides(counts.m, rows),
    n: divides(counts.n, columns),
    k: divides(counts.k, depth),
  };
  const memory = (name: string, width: number, of: OperandLoad): string => {
    const variable = `${name}_tile${tileVectors(width, depth, of)}`;
    const size = tileVectors(width, depth, of);
    emitter.shared.set(variable, `var<workgroup> ${variable}: array<vec4<f32>, ${size}>;`);
    return variable;
  };
  const leftTile = memory('left', rows, load.rows);
  const rightTile = memory('right', columns, load.columns);
  const isSplit = pass.split > 1;
  const finish = finishLines(emitter, pass, entry);
  const before = [
    ...finish,
    ...operandLines(emitter, pass, 'rows', `${entry}left`, { own: exact.m, depth: exact.k }),
    ...operandLines(emitter, pass, 'columns', `${entry}right`, { own: exact.n, depth: exact.k }),
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
  x.line(`let aAt = i32(thread) / ${threadColumns};`);
  x.line(`let bAt = i32(thread) % ${threadColumns};`);
  if (isSplit) {
    x.line(`let part = number % ${pass.split};`);
    x.line(`let share = (${text.k} + ${pass.split * depth - 1}) / ${pass.split * depth} * ${depth};`);
  }
  for (let i = 0; i < own; i++) for (let g = 0; g < wide / 4; g++) x.line(`var sums${i}_${g} = vec4<f32>();`);

  const from = isSplit ? 'part * share' : '0';
  const to = isSplit ? `min(${text.k}, (part + 1) * share)` : text.k;
  x.block(`for (var k0 = ${from}; k0 < ${to}; k0 += ${depth})`, () => {
    const stores: string[] = [];
    const gather = (name: string, tile: string, width: number, of: OperandLoad, start: string): void => {
      const vectors = (width * depth) / 4;
      const across = of.along === 'own' ? width / 4 : depth / 4;
      if (vectors % threads !== 0 && vectors > threads) throw new Error(`${vectors} vectors for ${threads} threads`);
      for (let l = 0; l * threads < vectors; l++) {
        const e = l === 0 ? 'i32(thread)' : `(i32(thread) + ${l * threads})`;
        const [inner, outer] = [`${e} % ${across}`, `${e} / ${across}`];
        const at = of.along === 'own' ? `${start} + ${inner} * 4` : `${start} + ${outer}`;
        const k = of.along === 'own' ? `k0 + ${outer}` : `k0 + ${inner} * 4`;
        x.line(`let ${name}${l} = ${entry}${name}(batch, ${at}, ${k});`);
        const place = of.along === 'own' ? e : `${outer} * ${across + 1} + ${inner}`;
        const store = `${tile}[${place}] = ${name}${l};`;
        stores.push(vectors < threads ? `if (i32(thread) < ${vectors}) { ${store} }` : store);
      }
    };
    // Loads are under way while others still multiply.
    gather('left', leftTile, rows, load.rows, 'mFrom');
    gather('right', rightTile, columns, load.columns, 'nFrom');
    x.line('workgroupBarrier();');
    for (const s of stores) x.line(s);
    x.line('workgroupBarrier();');
    x.block(`for (var q = 0; q < ${depth / 4}; q++)`, () => {
      for (const l of readLines(leftTile, 'a', load.rows, rows, depth, threadRows)) x.line(l);
      for (const l of readLines(rightTile, 'b', load.columns, columns, depth, threadColumns)) x.line(l);
      for (let s = 0; s < 4; s++) {
        for (let g = 0; g < wide / 4; g++) {
          const four = [0, 1, 2, 3].map((c) => element('b', load.columns, 4 * g + c, s));
          const right = load.columns.along === 'own' ? `b${s}_${g}` : `vec4<f32>(${four.join(', ')})`;
          if (load.columns.along === 'depth') x.line(`let c${s}_${g} = ${right};`);
          const name = load.columns.along === 'depth' ? `c${s}_${g}` : right;
          for (let i = 0; i < own; i++) x.line(`sums${i}_${g} += ${element('a', load.rows, i, s)} * ${name};`);
        }
      }
    });
  });

  const put = (m: string, n: string, value: string): void => {
    const parts = [exact.m ? null : `${m} < ${text.m}`, exact.n ? null : `${n} < ${text.n}`].filter((t) => t !== null);
    const results = `((part * ${text.batch} + batch) * ${text.m} + ${m}) * ${text.n} + ${n}`;
    const line = isSplit
      ? `${emitter.scratch()}[${results}] = ${value};`
      : `${entry}finish(batch, ${m}, ${n}, ${value});`;
    x.line(parts.length === 0 ? line : `if (${parts.join(' && ')}) { ${line} }`);
  };
  if (isSplit || isLight(stage)) {
    for (let j = 0; j < wide; j++) x.line(`let n${j} = nFrom + ${placeOf(load.columns, threadColumns, 'bAt', j)};`);
    for (let i = 0; i < own; i++) {
      x.line(`let m${i} = mFrom + ${placeOf(load.rows, threadRows, 'aAt', i)};`);
      for (let j = 0; j < wide; j++) put(`m${i}`, `n${j}`, `sums${i}_${j >> 2}.${LANES[j & 3]!}`);
    }
  } else {
    // In a loop, so that what follows the sum is compiled once; the results are copied, so that the sums stay in registers until here.
    x.line(`var results: array<vec4<f32>, ${(own * wide) / 4}>;`);
    for (let i = 0; i < own; i++)
      for (let g = 0; g < wide / 4; g++) x.line(`results[${(i * wide) / 4 + g}] = sums${i}_${g};`);
    x.block(`for (var p = 0; p < ${own * wide}; p++)`, () => {
      x.line(`let i = p / ${wide};`);
      x.line(`let j = p % ${wide};`);
      const place = (of: OperandLoad, count: number, at: string, i: string): string =>
        of.along === 'own' ? `${at} * 4 + (${i} >> 2u) * ${count * 4} + (${i} & 3)` : `${at} + ${i} * ${count}`;
      x.line(`let m = mFrom + ${place(load.rows, threadRows, 'aAt', 'i')};`);
      x.line(`let n = nFrom + ${place(load.columns, threadColumns, 'bAt', 'j')};`);
      put('m', 'n', 'results[p >> 2u][p & 3]');
    });
  }
  // Tiles of a row or column that end past its extent count whole: the dispatch is in rows of one tile each.
  const groups = mul(mul(counts.batch, tiles.m), mul(tiles.n, num(pass.split)));
  const main: Emitted = {
    lines: [...before, ...emitter.entry(entry, threads, x.take())],
    pass: { entry, count: groups, per: 1 },
  };
  return isSplit ? [main, addingPass(emitter, pass, entry, counts)] : [main];
}

/** Adds the parts of every sum. */
function addingPass(emitter: PassEmitter, pass: TiledProduct, entry: string, counts: Counts): Emitted {
  const { x } = emitter;
  const results = mul(counts.batch, mul(counts.m, counts.n));
  emitter.needScratch(mul(results, num(pass.split)));
  const [m, n] = [x.poly(counts.m), x.poly(counts.n)];
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

/** Whether what follows the sum is little enough to be written out for each result. */
function isLight(stage: Stage): boolean {
  let count = 0;
  const roots = [
    ...[...stage.defs.values()].filter((d) => d.op === null).map((d) => d.value),
    ...stage.writes.flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]),
  ];
  walk(roots, (e) => {
    count += e.kind === 'op' && ['exp', 'log', 'tanh', 'erf', 'sin', 'cos', 'pow', 'random'].includes(e.op) ? 20 : 1;
  });
  return count <= 12;
}
