/** Units by hand around the kernels of kernels.ts, from planning to an imported module. */
import { emitTypeScript, type Emitted } from '../../../compiler/targets/ts/emit.ts';
import { plan as planUnit, type Planned } from '../../../compiler/plan/plan.ts';
import { name, ZERO } from '../../../compiler/sizes/poly.ts';
import type { DType, Graph, Leaf, ProgramName, Unit } from '../../../compiler/graph/types.ts';
import type {
  Buffer,
  BufferKind,
  Kernel,
  KernelProgram,
  KernelStep,
  Schedule,
} from '../../../compiler/kernel/types.ts';
import * as K from './kernels.ts';

type Size = Parameters<typeof K.p>[0];

/** A program under construction: buffers by name. */
export class ProgramMaker {
  readonly buffers: Buffer[] = [];
  readonly steps: KernelStep[] = [];
  readonly outputs: { name: string; buffer: number; updates: string | null }[] = [];
  private readonly programName: string;

  constructor(programName: string) {
    this.programName = programName;
  }

  buffer(bufferName: string, kind: BufferKind, sizes: readonly Size[], dtype: DType = 'f32'): number {
    const id = this.buffers.length;
    const leaf = kind === 'temporary' ? null : bufferName;
    this.buffers.push({ id, name: bufferName, kind, dtype, sizes: sizes.map(K.p), leaf, origin: 0 });
    return id;
  }

  call(
    kernel: Kernel,
    schedule: Schedule,
    buffers: readonly number[],
    sizes: readonly Size[] = kernel.sizes,
  ): KernelStep {
    const step: KernelStep = { kind: 'call', kernel, schedule, buffers, sizes: sizes.map(K.p), origin: 0 };
    this.steps.push(step);
    return step;
  }

  output(outputName: string, buffer: number, updates: string | null = null): void {
    this.outputs.push({ name: outputName, buffer, updates });
  }

  done(): KernelProgram {
    return { name: this.programName, buffers: this.buffers, steps: this.steps, outputs: this.outputs };
  }
}

export const leafOf = (path: string, kind: Leaf['kind'], sizes: readonly Size[], dtype: DType = 'f32'): Leaf => ({
  path,
  kind,
  type: { dtype, sizes: sizes.map(K.p) },
  origin: 0,
});

export interface Made {
  readonly unit: Unit;
  readonly programs: ReadonlyMap<ProgramName, KernelProgram>;
}

export function unitOf(
  unit: Partial<Unit> & Pick<Unit, 'name'>,
  programs: Partial<Record<ProgramName, KernelProgram>>,
): Made {
  const entries = Object.entries(programs) as [ProgramName, KernelProgram][];
  const empty = (graphName: string): Graph => ({ name: graphName, nodes: [], inputs: [], outputs: [] });
  return {
    unit: {
      kind: 'train',
      leaves: [],
      inputs: [],
      sizes: [],
      requirements: [],
      checkpoints: [],
      storage: [],
      training: null,
      ...unit,
      programs: new Map(entries.map(([n]) => [n, empty(n)])),
    },
    programs: new Map(entries),
  };
}

export function planned({ unit, programs }: Made, bounds: Record<string, number> = {}): Planned {
  const result = planUnit(unit, programs, new Map(Object.entries(bounds)));
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result;
}

export function emitted(made: Made, types: boolean, bounds: Record<string, number> = {}): Emitted {
  const { plan, kernels, schedules } = planned(made, bounds);
  return emitTypeScript(made.unit, plan, kernels, schedules, { types });
}

/** The module, imported from its text. */
export async function imported(code: string): Promise<Record<string, unknown>> {
  return (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}`)) as Record<
    string,
    unknown
  >;
}

const elementwise = (
  kernelName: string,
  sizes: readonly string[],
  inputs: number,
  f: (...args: K.ExprOf[]) => K.ExprOf,
): Kernel =>
  K.kernel(
    kernelName,
    sizes,
    [...Array.from({ length: inputs }, (_, i) => K.buffer(`in${i}`, sizes)), K.buffer('out', sizes, 'write')],
    Object.fromEntries(sizes.map((s) => [s.toLowerCase(), s])),
    K.stage(
      'map',
      sizes.map((s) => s.toLowerCase()),
      {
        writes: [
          K.write(
            inputs,
            K.offset(
              sizes,
              sizes.map((s) => s.toLowerCase()),
            ),
            f(
              ...Array.from({ length: inputs }, (_, i) =>
                K.read(
                  i,
                  K.offset(
                    sizes,
                    sizes.map((s) => s.toLowerCase()),
                  ),
                ),
              ),
            ),
          ),
        ],
      },
    ),
  );
export { elementwise };

/**
 * Least squares with Adam: prediction = x · w; loss = mean (prediction − y)²; accuracy: share of |error| < ½. Inputs x [B, D], y [B]; a draw of `random`
 * initialises w [D].
 */
export function leastSquares(): Made {
  const B = 'B';
  const D = 3;
  const init = new ProgramMaker('init');
  {
    const k = K.kernel(
      'draw',
      [],
      [K.buffer('seed', [], 'read', 'i32'), K.buffer('step', [], 'read', 'i32'), K.buffer('w', [D], 'write')],
      { d: D },
      K.stage('draw', ['d'], {
        writes: [
          K.write(
            2,
            K.p('d'),
            K.opOf(
              'f32',
              'random',
              K.read(0, ZERO, { dtype: 'i32' }),
              K.constant(7, 'i32'),
              K.read(1, ZERO, { dtype: 'i32' }),
              K.index('d'),
              K.constant(0, 'i32'),
            ),
          ),
        ],
      }),
    );
    const zero = K.kernel(
      'zero',
      [],
      [K.buffer('slot', [D], 'write')],
      { d: D },
      K.stage('zero', ['d'], { writes: [K.write(0, K.p('d'), K.constant(0))] }),
    );
    const seed = init.buffer('seed', 'scalar', [], 'i32');
    const step = init.buffer('step', 'scalar', [], 'i32');
    const w = init.buffer('w', 'persistent', [D]);
    const m = init.buffer('w/m', 'persistent', [D]);
    const v = init.buffer('w/v', 'persistent', [D]);
    init.call(k, K.schedule(K.leaf('draw', ['d'])), [seed, step, w]);
    init.call(zero, K.schedule(K.leaf('zero', ['d'])), [m]);
    init.call(zero, K.schedule(K.leaf('zero', ['d'])), [v]);
    init.output('w', w, 'w');
  }
  const predict = K.kernel(
    'predict',
    [B],
    [K.buffer('x', [B, D]), K.buffer('w', [D]), K.buffer('prediction', [B], 'write')],
    { b: B, d: D },
    K.stage('dot', ['b'], {
      over: ['d'],
      defs: {
        dot: {
          op: 'sum',
          init: null,
          value: K.op('mul', K.read(0, K.offset([B, D], ['b', 'd'])), K.read(1, K.p('d'))),
        },
      },
      writes: [K.write(2, K.p('b'), K.value('dot'))],
    }),
  );
  const predictSchedule = K.schedule(K.leaf('dot', ['b', 'd'], { b: 4 }));
  const error = K.op('sub', K.read(0, K.p('b')), K.read(1, K.p('b')));
  const near = K.op('lt', K.op('mul', error, error), K.constant(0.25));
  const count = K.opOf('f32', 'cast', K.index(name(B)));
  const metrics = K.kernel(
    'metrics',
    [B],
    [K.buffer('prediction', [B]), K.buffer('y', [B]), K.buffer('loss', [], 'write'), K.buffer('accuracy', [], 'write')],
    { b: B },
    K.stage('totals', [], {
      over: ['b'],
      defs: {
        squares: { op: 'sum', init: null, value: K.op('mul', error, error) },
        hits: { op: 'sum', init: null, value: K.opOf('f32', 'cast', near) },
      },
      writes: [
        K.write(2, ZERO, K.op('div', K.value('squares'), count)),
        K.write(3, ZERO, K.op('div', K.value('hits'), count)),
      ],
    }),
  );
  const metricsSchedule = K.schedule(K.leaf('totals', ['b']));
  const gradient = K.kernel(
    'gradient',
    [B],
    [K.buffer('prediction', [B]), K.buffer('y', [B]), K.buffer('x', [B, D]), K.buffer('g', [D], 'write')],
    { b: B, d: D },
    K.stage('sum', ['d'], {
      over: ['b'],
      defs: {
        g: {
          op: 'sum',
          init: null,
          value: K.op(
            'mul',
            K.op('mul', K.constant(2), K.op('div', error, count)),
            K.read(2, K.offset([B, D], ['b', 'd'])),
          ),
        },
      },
      writes: [K.write(3, K.p('d'), K.value('g'))],
    }),
  );
  const forwardInto = (maker: ProgramMaker): { x: number; y: number; w: number; prediction: number } => {
    const x = maker.buffer('x', 'data', [B, D]);
    const y = maker.buffer('y', 'data', [B]);
    const w = maker.buffer('w', 'persistent', [D]);
    const prediction = maker.buffer('prediction', 'temporary', [B]);
    const loss = maker.buffer('loss', 'output', []);
    const accuracy = maker.buffer('accuracy', 'output', []);
    maker.call(predict, predictSchedule, [x, w, prediction]);
    maker.call(metrics, metricsSchedule, [prediction, y, loss, accuracy]);
    maker.output('loss', loss);
    maker.output('accuracy', accuracy);
    return { x, y, w, prediction };
  };
  const evaluate = new ProgramMaker('evaluate');
  forwardInto(evaluate);
  const step = new ProgramMaker('step');
  const { x, y, w, prediction } = forwardInto(step);
  const g = step.buffer('gradient', 'temporary', [D]);
  const m = step.buffer('w/m', 'persistent', [D]);
  const v = step.buffer('w/v', 'persistent', [D]);
  const counter = step.buffer('step', 'scalar', [], 'i32');
  step.call(gradient, K.schedule(K.leaf('sum', ['d', 'b'])), [prediction, y, x, g]);
  step.call(K.adam(), K.schedule(K.leaf('update', ['i'])), [w, m, v, g, counter], [D]);
  step.output('w', w, 'w');
  const forward = new ProgramMaker('forward');
  {
    const fx = forward.buffer('x', 'data', [B, D]);
    const fw = forward.buffer('w', 'persistent', [D]);
    const out = forward.buffer('prediction', 'output', [B]);
    forward.call(predict, predictSchedule, [fx, fw, out]);
    forward.output('prediction', out);
  }
  return unitOf(
    {
      name: 'Fit',
      leaves: [leafOf('w', 'param', [D]), leafOf('w/m', 'slot', [D]), leafOf('w/v', 'slot', [D])],
      inputs: [
        { name: 'x', type: { dtype: 'f32', sizes: [K.p(B), K.p(D)] }, below: null, origin: 0 },
        { name: 'y', type: { dtype: 'f32', sizes: [K.p(B)] }, below: null, origin: 0 },
      ],
      sizes: [{ name: 'B', bound: 32 }],
    },
    { init: init.done(), forward: forward.done(), step: step.done(), evaluate: evaluate.done() },
  );
}

/** h ← tanh(h / 2 + x[t]) over T steps of x [T, H], keeping every h; `h` is carried from call to call. */
export function recurrence(): Made {
  const at = K.offset(['T', 4], ['t', 'h']);
  const mix = K.op('tanh', K.op('add', K.op('mul', K.read(0, K.p('h')), K.constant(0.5)), K.read(1, at)));
  const cell = K.kernel(
    'cell',
    ['T', 't'],
    [K.buffer('h', [4]), K.buffer('x', ['T', 4]), K.buffer('next', [4], 'write')],
    { h: 4 },
    K.stage('cell', ['h'], {
      writes: [K.write(2, K.p('h'), mix)],
    }),
  );
  const keep = K.kernel(
    'keep',
    ['T', 't'],
    [K.buffer('h', [4]), K.buffer('all', ['T', 4], 'write')],
    { h: 4 },
    K.stage('keep', ['h'], { writes: [K.write(1, K.offset(['T', 4], ['t', 'h']), K.read(0, K.p('h')))] }),
  );
  const total = K.kernel(
    'total',
    ['T'],
    [K.buffer('all', ['T', 4]), K.buffer('sum', [4], 'write')],
    { t: 'T', h: 4 },
    K.stage('total', ['h'], {
      over: ['t'],
      defs: { s: { op: 'sum', init: null, value: K.read(0, K.offset(['T', 4], ['t', 'h'])) } },
      writes: [K.write(1, K.p('h'), K.value('s'))],
    }),
  );
  const zero = K.kernel(
    'zero',
    [],
    [K.buffer('h', [4], 'write')],
    { h: 4 },
    K.stage('zero', ['h'], { writes: [K.write(0, K.p('h'), K.constant(0))] }),
  );
  const init = new ProgramMaker('init');
  init.call(zero, K.schedule(K.leaf('zero', ['h'])), [init.buffer('h', 'persistent', [4])]);
  const forward = new ProgramMaker('forward');
  const x = forward.buffer('x', 'data', ['T', 4]);
  const h = forward.buffer('h', 'persistent', [4]);
  const next = forward.buffer('next', 'temporary', [4]);
  const all = forward.buffer('all', 'output', ['T', 4]);
  const sum = forward.buffer('sum', 'output', [4]);
  const body: KernelStep[] = [
    {
      kind: 'call',
      kernel: cell,
      schedule: K.schedule(K.leaf('cell', ['h'])),
      buffers: [h, x, next],
      sizes: ['T', 't'].map(K.p),
      origin: 0,
    },
    {
      kind: 'call',
      kernel: keep,
      schedule: K.schedule(K.leaf('keep', ['h'])),
      buffers: [next, all],
      sizes: ['T', 't'].map(K.p),
      origin: 0,
    },
    { kind: 'copy', from: next, to: h, origin: 0 },
  ];
  forward.steps.push({
    kind: 'loop',
    variable: 't',
    count: K.p('T'),
    reversed: false,
    until: null,
    limit: null,
    body,
    origin: 0,
  });
  forward.call(total, K.schedule(K.leaf('total', ['h', 't'])), [all, sum]);
  forward.output('all', all);
  forward.output('sum', sum);
  return unitOf(
    {
      name: 'Recurrence',
      kind: 'model',
      leaves: [leafOf('h', 'carry', [4])],
      inputs: [{ name: 'x', type: { dtype: 'f32', sizes: [K.p('T'), K.p(4)] }, below: null, origin: 0 }],
      sizes: [{ name: 'T', bound: null }],
    },
    { init: init.done(), forward: forward.done() },
  );
}

/** Every kernel of kernels.ts once, as programs of one unit: what all of them need of a module. */
export function everything(): Made {
  const forward = new ProgramMaker('forward');
  const bounds = { B: 4, C: 5, D: 3, O: 6, V: 7, T: 4, N: 2, H: 4, W: 5 };
  const put = (kernel: Kernel, schedule: Schedule): void => {
    const ids = kernel.buffers.map((b, i) =>
      forward.buffer(
        `${kernel.name}_${b.name}`,
        b.access === 'read' ? 'data' : i === kernel.buffers.length - 1 ? 'output' : 'temporary',
        b.sizes,
        b.dtype,
      ),
    );
    forward.call(kernel, schedule, ids);
    for (const [i, b] of kernel.buffers.entries())
      if (b.access !== 'read' && i === kernel.buffers.length - 1) forward.output(`${kernel.name}_${b.name}`, ids[i]!);
  };
  put(K.linearRelu(), K.linearReluSchedule());
  put(K.softmax(), K.softmaxSchedule());
  put(
    { ...K.softmax(), name: 'softmax_apart' },
    K.schedule(K.leaf('greatest', ['b', 'r']), K.leaf('total', ['b', 's']), K.leaf('scale', ['b', 'c'])),
  );
  put(K.scatterAdd(), K.scatterAddSchedule());
  put(K.prefixSum(), K.schedule(K.leaf('run', ['b', 't'])));
  put(K.convolution(), K.schedule(K.leaf('conv', ['n', 'o', 'i', 'j', 'c', 'p', 'q'], { o: 2 })));
  const program = forward.done();
  return unitOf(
    {
      name: 'Everything',
      kind: 'model',
      inputs: program.buffers
        .filter((b) => b.kind === 'data')
        .map((b) => ({
          name: b.name,
          type: { dtype: b.dtype, sizes: b.sizes },
          below: b.dtype === 'i32' ? K.p('V') : null,
          origin: 0,
        })),
      sizes: Object.entries(bounds).map(([s, bound]) => ({ name: s, bound })),
      requirements: [{ left: K.p('C'), relation: '<=', right: K.p('V'), message: 'classes fit the table', origin: 0 }],
    },
    { forward: program },
  );
}
