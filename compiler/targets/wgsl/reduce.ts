/**
 * Reductions shared by the threads of a workgroup, or by several workgroups: every thread takes its share in order, a tree in workgroup memory combines the shares, and
 * where there are several parts a second pass combines those in the same way. No atomics: the same bits every time.
 *
 * How many threads and parts is the schedule's (schedule/wgsl-reduce.ts).
 */
import { add, asConst, ceilDiv, mul, num } from '../../sizes/poly.ts';
import { walk } from '../../kernel/expr.ts';
import { partsOf } from '../../kernel/parts.ts';
import type { Stage } from '../../kernel/types.ts';
import type { SharedForm, WgslReduction } from '../../schedule/wgsl-reduce.ts';
import type { Accumulator, PassEmitter } from './kernel.ts';
import type { Emitted } from './finish.ts';
import { folds } from './scalar.ts';

export function reduceLines(emitter: PassEmitter, pass: WgslReduction, entry: string): readonly Emitted[] {
  const { x } = emitter;
  const stage = emitter.stage(pass.stage);
  const plan = partsOf(stage);
  const results = emitter.points(stage.axes);
  const tiles = ceilDiv(results, num(pass.across));
  const isSplit = pass.parts > 1;
  const values = [...stage.defs].filter(([, d]) => d.op !== null);
  // An argmax leaves its greatest value and the place.
  const words = values.reduce((n, [, d]) => n + (d.op === 'argmax' ? 2 : 1), 0);
  const total = x.poly(emitter.points(stage.over));
  const count = x.poly(results);
  const all = mul(results, num(pass.parts));
  if (isSplit) emitter.needScratch(mul(all, num(words)));

  const begin = (parts: number): void => {
    x.line(`let tiles = ${x.poly(tiles)};`);
    x.line('let number = i32(group.y * groups.x + group.x);');
    x.line(`if (number >= tiles${parts > 1 ? ` * ${parts}` : ''}) { return; }`);
    const [mine, share] =
      pass.along === 'results'
        ? [`i32(thread) % ${pass.across}`, `i32(thread) / ${pass.across}`]
        : [`i32(thread) / ${pass.down}`, `i32(thread) % ${pass.down}`];
    x.line(`let share = ${share};`);
    x.line(`let own = ${parts > 1 ? 'number % tiles' : 'number'} * ${pass.across} + ${mine};`);
    // Threads beyond the last result repeat it, and write nothing: all must come to the barriers.
    x.line(pass.across === 1 ? 'let result = own;' : `let result = min(own, ${x.poly(add(results, num(-1)))});`);
    emitter.split(stage.axes, 'result');
  };
  /** Where a part's value lies; word by word, so that neighbouring results are neighbours. */
  const place = (word: number, part: string): string => {
    const at = `${part} * ${count} + result`;
    return `${emitter.scratch()}[${word === 0 ? at : `${word} * ${x.poly(all)} + ${at}`}]`;
  };
  const mineOnly = (body: () => void): void => {
    x.block(pass.across === 1 ? 'if (share == 0)' : `if (share == 0 && own < ${count})`, body);
  };
  const finish = (sums: ReadonlyMap<string, Accumulator>): void => {
    mineOnly(() => {
      for (const sum of sums.values()) emitter.begun(sum);
      emitter.finish(stage, plan, sums);
      emitter.put(stage);
    });
  };

  // ---- the reduction, or its parts
  begin(pass.parts);
  const needed = plan.before;
  for (const value of needed) emitter.define(stage, value);
  const sums = emitter.accumulators(stage, plan, true);
  const at = x.fresh(`${stage.over.join('_')}_at`);
  if (isSplit) {
    x.line('let part = number / tiles;');
    x.line(`let size = (${total} + ${pass.parts - 1}) / ${pass.parts};`);
    x.line(`let end = min(${total}, (part + 1) * size);`);
  }
  const [from, to] = isSplit ? ['part * size + share', 'end'] : ['share', total];
  x.line(`var ${at} = ${from};`);
  const round = (index: string): void => {
    x.forget();
    emitter.split(stage.over, index);
    emitter.round(stage, plan, sums);
  };
  // Several loads under way at once: what limits a reduction is how long one takes.
  if (isLight(stage))
    x.block(`for (; ${at} + ${(AT_ONCE - 1) * pass.down} < ${to}; ${at} += ${AT_ONCE * pass.down})`, () => {
      for (let k = 0; k < AT_ONCE; k++) round(k === 0 ? at : `(${at} + ${k * pass.down})`);
    });
  x.block(`for (; ${at} < ${to}; ${at} += ${pass.down})`, () => round(at));
  for (const sum of sums.values()) tree(emitter, pass, sum);
  if (isSplit)
    mineOnly(() => {
      let word = 0;
      for (const { best, type, name } of sums.values()) {
        if (best !== null) x.line(`${place(word++, 'part')} = ${packed(type, best)};`);
        x.line(`${place(word++, 'part')} = ${packed(best === null ? type : 'i32', name)};`);
      }
    });
  else finish(sums);
  const threads = pass.across * pass.down;
  const main: Emitted = {
    lines: emitter.entry(entry, threads, x.take()),
    pass: { entry, count: isSplit ? mul(tiles, num(pass.parts)) : tiles, per: 1 },
  };
  if (!isSplit) return [main];

  // ---- the parts
  const second = `${entry}parts`;
  begin(1);
  for (const value of needed) emitter.define(stage, value);
  const found = emitter.accumulators(stage, plan, true);
  x.block(`for (var part = share; part < ${pass.parts}; part += ${pass.down})`, () => {
    let word = 0;
    for (const { def, name, best, type } of found.values()) {
      if (best === null) {
        const value = unpacked(type, place(word++, 'part'));
        if (def.op !== null && def.op !== 'argmax')
          x.line(`${name} = ${folds[def.op].take(name, value, def.value.dtype, x.use)};`);
        continue;
      }
      const value = x.fresh('value');
      x.line(`let ${value} = ${unpacked(type, place(word++, 'part'))};`);
      // Parts come in the order of their places: the first of equals stays.
      x.line(`if (${value} > ${best}) { ${best} = ${value}; ${name} = ${unpacked('i32', place(word++, 'part'))}; }`);
    }
  });
  for (const sum of found.values()) tree(emitter, pass, sum);
  finish(found);
  return [main, { lines: emitter.entry(second, threads, x.take()), pass: { entry: second, count: tiles, per: 1 } }];
}

/**
 * Results of a stage within a row, so many at a time, each by several threads. A thread has shares of several results at once, and loads of all of them under way: one
 * workgroup has nothing else to hide how long a load takes.
 */
export function sharedResults(emitter: PassEmitter, stage: Stage, free: readonly string[], form: SharedForm): void {
  const { x } = emitter;
  const { across, down, along } = form;
  const plan = partsOf(stage);
  const results = x.poly(emitter.points(free));
  const count = asConst(emitter.points(free));
  const each =
    along === 'reduced' ? Math.min(RESULTS_AT_ONCE, count === null ? RESULTS_AT_ONCE : Math.ceil(count / across)) : 1;
  const from = x.fresh(`${free.join('_')}_from`);
  const own = Array.from({ length: each }, (_, i) => `own${i}`);
  // All threads come round equally often: there are barriers inside.
  x.block(`for (var ${from} = 0; ${from} < ${results}; ${from} += ${across * each})`, () => {
    const [mine, share] =
      along === 'results'
        ? [`i32(thread) % ${across}`, `i32(thread) / ${across}`]
        : [`i32(thread) / ${down}`, `i32(thread) % ${down}`];
    x.line(`let share = ${share};`);
    const bound = own.map((name, i): readonly string[] => {
      x.line(`let ${name} = ${from} + ${mine}${i === 0 ? '' : ` + ${i * across}`};`);
      x.line(`let result${i} = min(${name}, ${results} - 1);`);
      return emitter.split(free, `result${i}`);
    });
    const at = (i: number): void => {
      x.forget();
      for (const [k, axis] of free.entries()) x.bind(axis, bound[i]![k]!);
    };
    const before = own.map((_name, i) => {
      at(i);
      for (const value of plan.before) emitter.define(stage, value);
      return plan.before.map((value) => [value, x.values.get(value)!] as const);
    });
    const resume = (i: number): void => {
      at(i);
      for (const [value, text] of before[i]!) x.values.set(value, text);
    };
    const sums = own.map((_name, i) => {
      resume(i);
      return emitter.accumulators(stage, plan, true);
    });
    const index = x.fresh(`${stage.over.join('_')}_at`);
    const total = x.poly(emitter.points(stage.over));
    const round = (text: string): void => {
      x.forget();
      const over = emitter.split(stage.over, text);
      for (const i of own.keys()) {
        resume(i);
        for (const [k, axis] of stage.over.entries()) x.bind(axis, over[k]!);
        emitter.round(stage, plan, sums[i]!);
      }
    };
    const ahead = each > 1 ? AT_ONCE : 2 * AT_ONCE;
    x.line(`var ${index} = share;`);
    if (isLight(stage))
      x.block(`for (; ${index} + ${(ahead - 1) * down} < ${total}; ${index} += ${ahead * down})`, () => {
        for (let k = 0; k < ahead; k++) round(k === 0 ? index : `(${index} + ${k * down})`);
      });
    x.block(`for (; ${index} < ${total}; ${index} += ${down})`, () => round(index));
    for (const list of sums) for (const sum of list.values()) tree(emitter, form, sum);
    for (const [i, name] of own.entries()) {
      resume(i);
      x.block(`if (share == 0 && ${name} < ${results})`, () => {
        for (const sum of sums[i]!.values()) emitter.begun(sum);
        emitter.finish(stage, plan, sums[i]!);
        emitter.put(stage);
      });
    }
  });
}

/** Results that a thread has shares of at once. */
const RESULTS_AT_ONCE = 4;
/** Elements that a thread takes in one round of its loop. */
export const AT_ONCE = 4;

/** Whether one element is little work: then it is the loads that are waited for. */
export function isLight(stage: Stage): boolean {
  let count = 0;
  walk(
    [...stage.defs.values()].map((d) => d.value),
    () => count++,
  );
  return count <= 40 && stage.over.length <= 2;
}

const packed = (type: string, text: string): string =>
  type === 'f32' ? text : type === 'i32' ? `bitcast<f32>(${text})` : `select(0.0f, 1.0f, ${text})`;
const unpacked = (type: string, text: string): string =>
  type === 'f32' ? text : type === 'i32' ? `bitcast<i32>(${text})` : `(${text} != 0.0f)`;

/** The shares of all threads into one, which the threads of the result get. */
export function tree(emitter: PassEmitter, { across, down, along }: SharedForm, sum: Accumulator): void {
  if (down === 1) return;
  const { x } = emitter;
  const { def, name, best, type } = sum;
  const threads = across * down;
  const stored = type === 'bool' ? 'u32' : type;
  const partial = `shares_${stored}`;
  emitter.shared.set(partial, `var<workgroup> ${partial}: array<${stored}, ${threads}>;`);
  const pack = (text: string): string => (type === 'bool' ? `select(0u, 1u, ${text})` : text);
  const unpack = (text: string): string => (type === 'bool' ? `(${text} != 0u)` : text);
  const half = x.fresh('half');
  const stride = along === 'results' ? across : 1;
  const other = stride === 1 ? `thread + ${half}` : `thread + ${half} * ${stride}u`;
  const first = along === 'results' ? `thread % ${across}u` : across === 1 ? '0' : `thread / ${down}u * ${down}u`;
  const loop = (body: () => void): void =>
    x.block(`for (var ${half} = ${down / 2}u; ${half} > 0u; ${half} >>= 1u)`, () => {
      x.block(`if (share < i32(${half}))`, body);
      x.line('workgroupBarrier();');
    });
  if (best !== null) {
    emitter.shared.set('shares_at', `var<workgroup> shares_at: array<i32, ${threads}>;`);
    x.line(`${partial}[thread] = ${pack(best)};`);
    x.line(`shares_at[thread] = ${name};`);
    x.line('workgroupBarrier();');
    loop(() => {
      const [a, b] = [`${partial}[thread]`, `${partial}[${other}]`];
      const [i, j] = ['shares_at[thread]', `shares_at[${other}]`];
      x.block(`if (${b} > ${a} || (${b} == ${a} && ${j} < ${i}))`, () => {
        x.line(`${a} = ${b};`);
        x.line(`${i} = ${j};`);
      });
    });
    x.line(`${best} = ${unpack(`${partial}[${first}]`)};`);
    x.line(`${name} = shares_at[${first}];`);
    x.line('workgroupBarrier();');
    return;
  }
  if (def.op === null || def.op === 'argmax') return;
  const { op } = def;
  x.line(`${partial}[thread] = ${pack(name)};`);
  x.line('workgroupBarrier();');
  loop(() => {
    const taken = folds[op].take(unpack(`${partial}[thread]`), unpack(`${partial}[${other}]`), def.value.dtype, x.use);
    x.line(`${partial}[thread] = ${pack(`(${taken})`)};`);
  });
  x.line(`${name} = ${unpack(`${partial}[${first}]`)};`);
  x.line('workgroupBarrier();');
}
