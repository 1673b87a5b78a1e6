/**
 * Products of matrices in tiles: both operands' tiles are gathered into workgroup memory in vectors of four (whatever their index arithmetic and guards: transposes,
 * windows of convolutions), every thread keeps a rectangle of results in registers, and what follows the sum is a function called once a result. A sum in
 * parts leaves them in scratch memory, from which a second pass adds them in their order.
 *
 * Which tile and how operands lie is the schedule's (schedule/wgsl-product.ts); few rows are in skinny.ts.
 */
import { add, ceilDiv, mul, num, type Poly } from '../../sizes/poly.ts';
import type { Stage } from '../../kernel/types.ts';
import {
  divides,
  readByFour,
  type OperandLoad,
  type SkinnyProduct,
  type TiledProduct,
  type Wide,
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
 * it repeats the last element: no result that it goes into is kept. `wide`: more of them, in the columns of a matrix.
 */
export function operandLines(
  emitter: PassEmitter,
  pass: TiledProduct | SkinnyProduct,
  which: 'rows' | 'columns',
  name: string,
  exact: { readonly own: boolean; readonly depth: boolean },
  wide: Wide | null = null,
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
    const type = wide === null ? 'vec4<f32>' : `mat${wide / 4}x4<f32>`;
    const read = (): string => (wide === null ? x.vector(side.value) : x.wide(side.value, wide));
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

/** What is written, too, is no memory of vectors. */
export const loadOf = (emitter: PassEmitter, side: ProductSide, load: OperandLoad): OperandLoad => ({
  along: load.along,
  vector: load.vector && emitter.hasVectors(side.value),
});

/** What is on its way from memory to a tile. */
export interface Staged {
  readonly load: (k: string) => readonly string[];
  readonly store: readonly string[];
  readonly registers: readonly string[];
}

/** Threads that load a tile: so many from the first on, of all that there are. */
interface Loaders {
  readonly first: number;
  readonly count: number;
  readonly all: number;
  readonly registers?: readonly string[];
}

/** Both tiles of a product on their way. Where each is loaded by half of the threads, each half has one, in the same registers. */
export function stageBoth(
  x: PassEmitter['x'],
  threads: number,
  left: readonly [tile: Tile, name: string, start: string],
  right: readonly [tile: Tile, name: string, start: string],
  from: string,
): Staged[] {
  const half = threads / 2;
  const isHalved = left[0].turns && right[0].turns && left[0].loads <= half && right[0].loads <= half;
  const all = { first: 0, count: threads, all: threads };
  if (!isHalved) return [left, right].map(([tile, name, start]) => tile.stage(x, name, all, start, from));
  const first = left[0].stage(x, left[1], { first: 0, count: half, all: threads }, left[2], from);
  const { registers } = first;
  return [first, right[0].stage(x, right[1], { first: half, count: half, all: threads, registers }, right[2], from)];
}

/**
 * A tile in workgroup memory: every step of the sum has its elements of the operand's own axis in vectors of four, whichever way they lie in memory; a
 * thread that loads along the sum has four rows of it, and turns them in its registers. (One element of a vector is not for one thread to write: an
 * implementation may write all of the vector.) Every index but the thread's own place and `q` is a constant where it is read: implementations clamp what they can not
 * prove, and one clamp for all of a loop's reads leaves them plain offsets of one address.
 */
export class Tile {
  /** Of its memory: `[q][step][four][thread]`. */
  readonly name: string;
  private readonly load: OperandLoad;
  private readonly threads: number;
  private readonly width: number;
  private readonly depth: number;
  /** Elements of a vector lie a quarter of the tile apart: where they are loaded one by one, neighbours in memory are then loaded by neighbours in number. */
  private readonly isApart: boolean;

  /**
   * `threads`: along the operand's own axis. `mayBeApart`: whether elements need not lie as in tiles of other operands. `room`: steps for which
   * there is memory.
   */
  constructor(
    emitter: PassEmitter,
    which: string,
    load: OperandLoad,
    [width, depth]: readonly [number, number],
    threads: number,
    mayBeApart: boolean,
    room = depth,
  ) {
    this.load = load;
    this.threads = threads;
    this.width = width;
    this.depth = depth;
    this.isApart = mayBeApart && !(load.along === 'own' && load.vector);
    this.name = `${which}_tile${width}x${room}_${threads}`;
    const sizes = [threads, width / threads / 4, 4, room / 4];
    const type = sizes.reduce((t, n) => `array<${t}, ${n}>`, 'vec4<f32>');
    emitter.shared.set(this.name, `var<workgroup> ${this.name}: ${type};`);
  }

  /** Loads of vectors that turn: each is four rows by four steps. */
  get turns(): boolean {
    return this.load.along === 'depth' && this.load.vector;
  }

  /** How often a thread loads, all together: a load is of one vector of four, or of four that turn. */
  get loads(): number {
    return (this.width / 4) * (this.turns ? this.depth / 4 : this.depth);
  }

  /**
   * Registers for what a thread loads, filled by the function of that name at step `from` of the sum; gives the statements that fill them anew at another
   * step, and those that put them into the tile. `start`: where the tile begins along the operand's own axis. `by`: the threads that load; those of one half
   * may use the registers of another tile that the other half loads.
   */
  stage(x: PassEmitter['x'], name: string, by: Loaders, start: string, from: string): Staged {
    const { along, vector } = this.load;
    const groups = this.width / 4;
    const steps = this.turns ? this.depth / 4 : this.depth;
    const count = this.loads;
    const loads: ((k: string) => string)[] = [];
    const stores: string[] = [];
    const registers: string[] = [];
    const register = (): string => {
      const own = by.registers?.[registers.length] ?? x.fresh('next');
      if (by.registers === undefined) x.line(`var ${own} = vec4<f32>();`);
      registers.push(own);
      return own;
    };
    const me = by.first === 0 ? 'thread' : `(thread - ${by.first}u)`;
    for (let l = 0; l * by.count < count; l++) {
      const e = l === 0 ? me : `(${me} + ${l * by.count}u)`;
      const [step, group] = [x.fresh('into'), x.fresh('fours')];
      const [inner, outer] =
        along === 'own' ? [`${e} % ${groups}u`, `${e} / ${groups}u`] : [`${e} / ${steps}u`, `${e} % ${steps}u`];
      x.line(`let ${group} = ${inner};`);
      x.line(`let ${step} = ${outer};`);
      const at = (c: number): string =>
        this.isApart
          ? `${start} + i32(${group})${c === 0 ? '' : ` + ${c * groups}`}`
          : `${start} + i32(${group}) * 4${c === 0 ? '' : ` + ${c}`}`;
      const k = (from: string): string => `${from} + i32(${step})${this.turns ? ' * 4' : ''}`;
      const fours = `[${group} / ${this.threads}u][${group} % ${this.threads}u]`;
      const put: string[] = [];
      const load: ((from: string) => string)[] = [];
      if (this.turns) {
        const own = [0, 1, 2, 3].map(() => register());
        for (let c = 0; c < 4; c++) {
          load.push((from) => `${own[c]!} = ${name}(batch, ${at(c)}, ${k(from)});`);
          const column = own.map((r) => `${r}.${LANES[c]!}`).join(', ');
          put.push(`${this.name}[${step}][${c}]${fours} = vec4<f32>(${column});`);
        }
      } else {
        const own = register();
        load.push((from) =>
          vector
            ? `${own} = ${name}(batch, ${at(0)}, ${k(from)});`
            : `${own} = vec4<f32>(${[0, 1, 2, 3].map((c) => `${name}one(batch, ${at(c)}, ${k(from)})`).join(', ')});`,
        );
        put.push(`${this.name}[${step} / 4u][${step} % 4u]${fours} = ${own};`);
      }
      // Threads without a load load nothing.
      const conditions = [
        by.first > 0 ? `thread >= ${by.first}u` : null,
        (l + 1) * by.count > count || by.first + by.count < by.all
          ? `${e} < ${Math.min(count, (l + 1) * by.count)}u`
          : null,
      ].filter((c) => c !== null);
      const guarded = (text: string): string =>
        conditions.length === 0 ? text : `if (${conditions.join(' && ')}) { ${text} }`;
      loads.push((from) => guarded(load.map((each) => each(from)).join(' ')));
      stores.push(guarded(put.join(' ')));
    }
    for (const load of loads) x.line(load(from));
    return { load: (k) => loads.map((load) => load(k)), store: stores, registers };
  }

  /** Four steps `q` of the sum into registers `name…`; `at`: the thread's place. */
  read(name: string, at: string): string[] {
    const groups = Array.from({ length: this.width / this.threads / 4 }, (_, g) => g);
    return [0, 1, 2, 3].flatMap((s) => groups.map((g) => `let ${name}${s}_${g} = ${this.name}[q][${s}][${g}][${at}];`));
  }

  /** The tile's memory as vectors in a row, for what is kept there when the sum is finished. */
  kept(at: string): string {
    const groups = this.width / this.threads / 4;
    const [threads, row] = [this.threads, this.width / 4];
    const index = `u32(${at})`;
    const group = groups === 1 ? '[0]' : `[${index} / ${threads}u % ${groups}u]`;
    return `${this.name}[${index} / ${4 * row}u][${index} / ${row}u % 4u]${group}[${index} % ${threads}u]`;
  }

  keep(at: string, value: string): string {
    return `${this.kept(at)} = ${value};`;
  }

  /** In which vector an element of the operand's own axis is, and where in it. */
  find(at: string): readonly [vector: string, lane: string] {
    const fours = this.width / 4;
    return this.isApart ? [`${at} % ${fours}`, `${at} / ${fours}`] : [`${at} / 4`, `${at} % 4`];
  }

  /** Which element of the operand the thread's element `i` is. */
  own(at: string, i: string): string {
    const [group, lane] = [`(${i} >> 2u) * ${this.threads}`, `(${i} & 3)`];
    return this.isApart ? `${at} + ${group} + ${lane} * ${this.width / 4}` : `(${at} + ${group}) * 4 + ${lane}`;
  }
}

/** What is on its way goes to its tiles, and what comes `depth` later on its way. `from`: where the sum begins, ` + ` and all. */
export function advance(
  x: PassEmitter['x'],
  staged: readonly Staged[],
  k0: string,
  depth: number,
  end: string,
  from = '',
): void {
  for (const s of staged) for (const line of s.store) x.line(line);
  x.line('workgroupBarrier();');
  x.block(`if (${k0} + ${depth} < ${end})`, () => {
    for (const s of staged) for (const line of s.load(`${from}${k0} + ${depth}`)) x.line(line);
  });
}

export function productLines(emitter: PassEmitter, pass: TiledProduct, entry: string): Emitted[] {
  const { x } = emitter;
  const [rows, columns, depth] = pass.tile;
  const [threadRows, threadColumns] = pass.threads;
  const [own, wide] = [rows / threadRows, columns / threadColumns];
  const threads = threadRows * threadColumns;
  const counts = countsOf(emitter, pass);
  const load = {
    rows: loadOf(emitter, pass.rows, pass.load.rows),
    columns: loadOf(emitter, pass.columns, pass.load.columns),
  };
  const exact = {
    m: divides(counts.m, rows),
    n: divides(counts.n, columns),
    k: divides(counts.k, depth),
  };
  const left = new Tile(emitter, 'left', load.rows, [rows, depth], threadRows, true);
  const right = new Tile(emitter, 'right', load.columns, [columns, depth], threadColumns, true);
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
  const staged = stageBoth(x, threads, [left, `${entry}left`, 'mFrom'], [right, `${entry}right`, 'nFrom'], 'kFrom');
  x.block(`for (var k0 = kFrom; k0 < kTo; k0 += ${depth})`, () => {
    advance(x, staged, 'k0', depth, 'kTo');
    x.block(`for (var q = 0; q < ${depth / 4}; q++)`, () => {
      for (const l of left.read('a', 'aAt')) x.line(l);
      for (const l of right.read('b', 'bAt')) x.line(l);
      for (let s = 0; s < 4; s++)
        for (let g = 0; g < wide / 4; g++)
          for (let i = 0; i < own; i++) x.line(`sums${i}_${g} += a${s}_${i >> 2}.${LANES[i & 3]!} * b${s}_${g};`);
    });
    x.line('workgroupBarrier();');
  });

  const put = (m: string, n: string, value: string): void => {
    const parts = [exact.m ? null : `${m} < ${text.m}`, exact.n ? null : `${n} < ${text.n}`].filter((t) => t !== null);
    const results = `((part * ${text.batch} + batch) * ${text.m} + ${m}) * ${text.n} + ${n}`;
    const line = isSplit
      ? `${emitter.scratch()}[${results}] = ${value};`
      : `${entry}finish(batch, ${m}, ${n}, ${value});`;
    x.line(parts.length === 0 ? line : `if (${parts.join(' && ')}) { ${line} }`);
  };
  // Row by row of every thread, the results pass through the left tile's memory, so that neighbours in number write (and read, in what follows) neighbours in memory.
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
      put('m', 'n', 'total');
    });
    x.line('workgroupBarrier();');
  });
  // Tiles of a row or column that end past its extent count whole: the dispatch is in rows of one tile each.
  const groups = mul(mul(counts.batch, tiles.m), mul(tiles.n, num(pass.split)));
  const main: Emitted = {
    lines: [...before, ...emitter.entry(entry, threads, x.take())],
    pass: { entry, count: groups, per: 1 },
  };
  return isSplit ? [main, addingPass(emitter, pass, entry, counts)] : [main];
}

/** Adds the parts of every sum. */
export function addingPass(emitter: PassEmitter, pass: TiledProduct, entry: string, counts: Counts): Emitted {
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
