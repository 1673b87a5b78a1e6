/**
 * Tiles of a product's operands in workgroup memory: which thread loads what, by way of registers, so that the next slab of the sum is on its way while this one is
 * multiplied.
 */
import type { PassEmitter } from './kernel.ts';
import type { TileLoad } from './operand.ts';
import type { Steady } from './steady.ts';
import { HALF } from './windows.ts';

export const LANES = ['x', 'y', 'z', 'w'] as const;

/** What is on its way from memory to a tile. */
export interface Staged {
  readonly load: (k: string) => readonly string[];
  /** The same from a slab that lies whole within the sum. */
  readonly steady: { readonly from: Steady; readonly load: (slab: string) => readonly string[] } | null;
  readonly store: readonly string[];
  readonly registers: readonly string[];
}

/** Threads that load a tile: so many from the first on, of all that there are. */
export interface Loaders {
  readonly first: number;
  readonly count: number;
  readonly all: number;
  readonly registers?: readonly string[];
  /** Whether neighbours among the threads have neighbours of the operand's own axis, though they lie apart in memory: they write to different banks then. */
  readonly across?: boolean;
}

/** A tile that is loaded: by which function, from where along its own axis, and how where its place moves evenly. */
type Loaded = readonly [tile: Tile, name: string, start: string, steady?: Steady | null];

/** Both tiles of a product on their way. Where each is loaded by half of the threads, each half has one, in the same registers. */
export function stageBoth(
  x: PassEmitter['x'],
  threads: number,
  left: Loaded,
  right: Loaded,
  from: string,
  more: Pick<Loaders, 'across'> = {},
): Staged[] {
  const half = threads / 2;
  const [a, b] = [left[0], right[0]];
  const isHalved = a.turns && b.turns && a.loads <= half && b.loads <= half && a.element === b.element;
  const all = { first: 0, count: threads, all: threads, ...more };
  if (!isHalved)
    return [left, right].map(([tile, name, start, steady]) => tile.stage(x, name, all, start, from, steady ?? null));
  const first = left[0].stage(
    x,
    left[1],
    { first: 0, count: half, all: threads, ...more },
    left[2],
    from,
    left[3] ?? null,
  );
  const { registers } = first;
  const others = { first: half, count: half, all: threads, registers, ...more };
  return [first, right[0].stage(x, right[1], others, right[2], from, right[3] ?? null)];
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
  private readonly load: TileLoad;
  private readonly threads: number;
  private readonly width: number;
  private readonly depth: number;
  /** Elements of a vector lie a quarter of the tile apart: where they are loaded one by one, neighbours in memory are then loaded by neighbours in number. */
  private readonly isApart: boolean;
  /** Threads that load along the sum write steps of it beside each other: they lie turned by two vectors each, in different banks. */
  private readonly isSwizzled: boolean;

  /**
   * `threads`: along the operand's own axis. `mayBeApart`: whether elements need not lie as in tiles of other operands. `room`: steps for which
   * there is memory.
   */
  constructor(
    emitter: PassEmitter,
    which: string,
    load: TileLoad,
    [width, depth]: readonly [number, number],
    threads: number,
    mayBeApart: boolean,
    room = depth,
    maySwizzle = false,
  ) {
    this.load = load;
    this.threads = threads;
    this.width = width;
    this.depth = depth;
    this.isApart = mayBeApart && !load.vector;
    this.isSwizzled = maySwizzle && this.turns && threads % 8 === 0;
    this.name = `${which}_tile${width}x${room}_${threads}`;
    const sizes = [threads, width / threads / 4, 4, room / 4];
    const type = sizes.reduce((t, n) => `array<${t}, ${n}>`, 'vec4<f32>');
    emitter.shared.set(this.name, `var<workgroup> ${this.name}: ${type};`);
  }

  /** Loads of vectors that turn: each is four rows by four steps. */
  get turns(): boolean {
    return this.load.along === 'depth' && this.load.vector;
  }

  /** Of what is on its way. */
  get element(): string {
    return this.load.halves === true ? HALF : 'f32';
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
  stage(
    x: PassEmitter['x'],
    name: string,
    by: Loaders,
    start: string,
    from: string,
    steady: Steady | null = null,
  ): Staged {
    const { along, vector } = this.load;
    const groups = this.width / 4;
    const steps = this.turns ? this.depth / 4 : this.depth;
    const count = this.loads;
    const loads: ((k: string) => string)[] = [];
    const evenLoads: ((slab: string) => string)[] = [];
    const stores: string[] = [];
    const registers: string[] = [];
    const register = (): string => {
      const own = by.registers?.[registers.length] ?? x.fresh('next');
      if (by.registers === undefined) x.line(`var ${own} = vec4<${this.element}>();`);
      registers.push(own);
      return own;
    };
    const me = by.first === 0 ? 'thread' : `(thread - ${by.first}u)`;
    for (let l = 0; l * by.count < count; l++) {
      const e = l === 0 ? me : `(${me} + ${l * by.count}u)`;
      const [step, group] = [x.fresh('into'), x.fresh('fours')];
      const [inner, outer] =
        along === 'own' || by.across
          ? [`${e} % ${groups}u`, `${e} / ${groups}u`]
          : [`${e} / ${steps}u`, `${e} % ${steps}u`];
      x.line(`let ${group} = ${inner};`);
      x.line(`let ${step} = ${outer};`);
      const at = (c: number): string =>
        this.isApart
          ? `${start} + i32(${group})${c === 0 ? '' : ` + ${c * groups}`}`
          : `${start} + i32(${group}) * 4${c === 0 ? '' : ` + ${c}`}`;
      const k = (from: string): string => `${from} + i32(${step})${this.turns ? ' * 4' : ''}`;
      const lane = `${group} % ${this.threads}u`;
      const fours = `[${group} / ${this.threads}u][${this.isSwizzled ? `(${lane}) ^ (${step} * 2u)` : lane}]`;
      const begins =
        steady === null
          ? []
          : (this.turns || !vector ? [0, 1, 2, 3] : [0]).map((c) =>
              steady.begin(at(c), `i32(${step})${this.turns ? ' * 4' : ''}`),
            );
      const even = (slab: string): string[] => begins.map((begin) => steady!.item(begin, slab));
      const put: string[] = [];
      const load: ((from: string) => string)[] = [];
      let evenLoad: (slab: string) => string;
      if (this.turns) {
        const own = [0, 1, 2, 3].map(() => register());
        for (let c = 0; c < 4; c++) {
          load.push((from) => `${own[c]!} = ${name}(batch, ${at(c)}, ${k(from)});`);
          const column = own.map((r) => `${r}.${LANES[c]!}`).join(', ');
          put.push(`${this.name}[${step}][${c}]${fours} = ${this.asFloats(`vec4<${this.element}>(${column})`)};`);
        }
        evenLoad = (slab) =>
          even(slab)
            .map((item, c) => `${own[c]!} = ${item};`)
            .join(' ');
      } else {
        const own = register();
        load.push((from) =>
          vector
            ? `${own} = ${name}(batch, ${at(0)}, ${k(from)});`
            : `${own} = vec4<f32>(${[0, 1, 2, 3].map((c) => `${name}one(batch, ${at(c)}, ${k(from)})`).join(', ')});`,
        );
        put.push(`${this.name}[${step} / 4u][${step} % 4u]${fours} = ${this.asFloats(own)};`);
        evenLoad = (slab) => `${own} = ${vector ? even(slab)[0]! : `vec4<f32>(${even(slab).join(', ')})`};`;
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
      evenLoads.push((slab) => guarded(evenLoad(slab)));
      stores.push(guarded(put.join(' ')));
    }
    for (const load of loads) x.line(load(from));
    return {
      load: (k) => loads.map((load) => load(k)),
      steady: steady === null ? null : { from: steady, load: (slab) => evenLoads.map((load) => load(slab)) },
      store: stores,
      registers,
    };
  }

  private asFloats(four: string): string {
    return this.load.halves === true ? `vec4<f32>(${four})` : four;
  }

  /** Step `s` of the four steps `q` of the sum into registers `name…`; `at`: the thread's place. */
  readStep(name: string, at: string, q: number, s: number): string[] {
    const groups = Array.from({ length: this.width / this.threads / 4 }, (_, g) => g);
    const place = !this.isSwizzled || q === 0 ? at : `${at} ^ ${q * 2}`;
    return groups.map((g) => `let ${name}${s}_${g} = ${this.name}[${q}][${s}][${g}][${place}];`);
  }

  /** All four steps `q`. */
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

  place(at: string, i: number): string {
    const [group, lane] = [(i >> 2) * this.threads, i & 3];
    return this.isApart ? `${at} + ${group + lane * (this.width / 4)}` : `(${at} + ${group}) * 4 + ${lane}`;
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
  isExact = false,
): void {
  for (const s of staged) for (const line of s.store) x.line(line);
  x.line('workgroupBarrier();');
  if (staged.some((s) => s.steady !== null)) {
    const conditions = new Set(staged.map((s) => s.steady?.from.condition ?? null).filter((c) => c !== null));
    const isAlways = isExact && conditions.size === 0;
    const head = [isAlways ? `${k0} + ${depth} < ${end}` : `${k0} + ${2 * depth} <= ${end}`, ...conditions];
    const slow = (): void => {
      for (const s of staged) for (const line of s.load(`${from}${k0} + ${depth}`)) x.line(line);
    };
    x.block(`if (${head.join(' && ')})`, () => {
      for (const s of staged) {
        const lines = s.steady?.load(s.steady.from.slab(`${from}${k0} + ${depth}`));
        for (const line of lines ?? s.load(`${from}${k0} + ${depth}`)) x.line(line);
      }
    });
    if (!isAlways) x.block(`else if (${k0} + ${depth} < ${end})`, slow);
    return;
  }
  x.block(`if (${k0} + ${depth} < ${end})`, () => {
    for (const s of staged) for (const line of s.load(`${from}${k0} + ${depth}`)) x.line(line);
  });
}
