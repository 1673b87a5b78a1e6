/**
 * How threads run a program together. All run the same function over the same memory, each its part of every kernel, and meet between kernels that depend on
 * one another (program.ts). A call begins with one word, CALL, which the first thread changes; the others spin on it for a while, then sleep.
 *
 * The word holds a number that grows and, in its low byte, how many threads take part: those that had reported when the call began. So a
 * call waits for no thread that is still starting, and one that comes late sees from the word that it is not meant. A team of none means: end.
 * At a meeting the last to come changes ROUND; the others spin on it, then sleep, unless they may not (a page's main thread spins on).
 *
 * No wake-up is lost: who sleeps counts itself first and sleeps only if the word is still the old one; who changes the word looks at the count after.
 */
import type { Plan } from '../../../runtime/plan.ts';
import type { Code, FunctionBody, Signature } from './encoder.ts';
import { Fn } from './function.ts';

/** Byte addresses; each on a cache line of its own. */
export const SYNC = {
  call: 1024,
  ready: 1088,
  callSleepers: 1152,
  arrived: 1216,
  round: 1280,
  roundSleepers: 1344,
  /** Whether the first thread may sleep. */
  mayWait: 1408,
  program: 1472,
  sizes: 1536,
} as const;

/** Sizes that a call can pass on. */
export const MOST_SIZES = 128;
export const MOST_THREADS = 64;

/**
 * Looks at a word before going to sleep: some tenths of a millisecond. Falling asleep and being woken take the better part of a tenth, and parts of a kernel
 * differ by some hundredths whenever the machine does anything else: with a fifteenth of this two threads were a tenth slower in a step of the MLP.
 */
const SPINS = 1 << 18;
const EVERYONE = 0x7fffffff;

const load = (code: Code, at: number): void => {
  code.i32(at);
  code.access('i32.atomic.load');
};

function count(code: Code, at: number, by: 1 | -1): void {
  code.i32(at);
  code.i32(by);
  code.access('i32.atomic.rmw.add');
  code.op('drop');
}

/** Wakes who sleeps on `word`, if the count says that anyone does. */
function wake(fn: Fn, word: number, sleepers: number): void {
  load(fn.code, sleepers);
  fn.if(() => {
    fn.code.i32(word);
    fn.code.i32(EVERYONE);
    fn.code.access('memory.atomic.notify');
    fn.code.op('drop');
  });
}

/** Until the word is no longer `old` (a local); `fresh` takes what it is. */
function awaitChange(fn: Fn, word: number, sleepers: number, old: number, fresh: number, mayWait: () => void): void {
  const { code } = fn;
  const spins = fn.local('i32');
  code.i32(SPINS);
  code.set(spins);
  code.block();
  code.loop();
  load(code, word);
  code.tee(fresh);
  code.get(old);
  code.op('i32.ne');
  code.brIf(1);
  code.get(spins);
  code.i32(1);
  code.op('i32.sub');
  code.tee(spins);
  code.brIf(0);
  mayWait();
  code.if();
  count(code, sleepers, 1);
  code.i32(word);
  code.get(old);
  code.i64(-1n);
  code.access('memory.atomic.wait32');
  code.op('drop');
  count(code, sleepers, -1);
  code.end();
  code.i32(SPINS);
  code.set(spins);
  code.br(0);
  code.end();
  code.end();
}

export const meetSignature: Signature = { parameters: ['i32', 'i32'], results: [] };

/** `(thread, threads)`: nobody goes on before all have come. */
export function meetFunction(): FunctionBody {
  const fn = new Fn(meetSignature);
  const [thread, threads] = [0, 1];
  const old = fn.local('i32');
  const fresh = fn.local('i32');
  load(fn.code, SYNC.round);
  fn.code.set(old);
  fn.code.i32(SYNC.arrived);
  fn.code.i32(1);
  fn.code.access('i32.atomic.rmw.add');
  fn.code.i32(1);
  fn.code.op('i32.add');
  fn.code.get(threads);
  fn.code.op('i32.eq');
  fn.if(
    () => {
      fn.code.i32(SYNC.arrived);
      fn.code.i32(0);
      fn.code.access('i32.atomic.store');
      count(fn.code, SYNC.round, 1);
      wake(fn, SYNC.round, SYNC.roundSleepers);
    },
    () =>
      awaitChange(fn, SYNC.round, SYNC.roundSleepers, old, fresh, () => {
        fn.code.get(thread);
        load(fn.code, SYNC.mayWait);
        fn.code.op('i32.or');
      }),
  );
  return fn.done();
}

/** What JavaScript calls: runs the program's function with everyone who is ready. */
export function callFunction(plan: Plan, number: number, body: number): FunctionBody {
  const fn = new Fn({ parameters: plan.sizes.map(() => 'i32'), results: [] });
  const { code } = fn;
  load(code, SYNC.ready);
  code.i32(1);
  code.op('i32.add');
  const team = fn.hold('i32');
  code.get(team);
  code.i32(1);
  code.op('i32.ne');
  fn.if(() => {
    for (const k of plan.sizes.keys()) {
      fn.code.i32(SYNC.sizes + 4 * k);
      fn.code.get(k);
      fn.code.access('i32.store');
    }
    fn.code.i32(SYNC.program);
    fn.code.i32(number);
    fn.code.access('i32.store');
    fn.code.i32(SYNC.call);
    load(fn.code, SYNC.call);
    fn.code.i32(-256);
    fn.code.op('i32.and');
    fn.code.i32(256);
    fn.code.op('i32.add');
    fn.code.get(team);
    fn.code.op('i32.or');
    fn.code.access('i32.atomic.store');
    wake(fn, SYNC.call, SYNC.callSleepers);
  });
  for (const k of plan.sizes.keys()) code.get(k);
  code.i32(0);
  code.get(team);
  code.call(body);
  return fn.done();
}

/** What a worker calls once, and never returns from until the end: waits for calls and takes part in them. */
export function workFunction(plan: Plan, bodies: readonly number[]): FunctionBody {
  const fn = new Fn({ parameters: [], results: [] });
  const { code } = fn;
  const old = fn.local('i32');
  const fresh = fn.local('i32');
  const team = fn.local('i32');
  // The word as it is before the report: a call that begins after it sees either no report, or one of who waits.
  load(code, SYNC.call);
  code.set(old);
  code.i32(SYNC.ready);
  code.i32(1);
  code.access('i32.atomic.rmw.add');
  code.i32(1);
  code.op('i32.add');
  const me = fn.hold('i32');
  code.block();
  code.loop();
  awaitChange(fn, SYNC.call, SYNC.callSleepers, old, fresh, () => code.i32(1));
  code.get(fresh);
  code.tee(old);
  code.i32(255);
  code.op('i32.and');
  code.tee(team);
  code.op('i32.eqz');
  code.brIf(1);
  code.get(me);
  code.get(team);
  code.op('i32.ge_s');
  code.brIf(0);
  for (const [number, body] of bodies.entries()) {
    code.i32(SYNC.program);
    code.access('i32.load');
    code.i32(number);
    code.op('i32.eq');
    code.if();
    for (const k of plan.sizes.keys()) {
      code.i32(SYNC.sizes + 4 * k);
      code.access('i32.load');
    }
    code.get(me);
    code.get(team);
    code.call(body);
    code.br(1);
    code.end();
  }
  code.br(0);
  code.end();
  code.end();
  return fn.done();
}
