/**
 * Problems of the command line itself: code → facts, and their prose. Those of programs and data are the compiler's; these know files to
 * write, blocks to choose, weights that do not fit. Codes NN900, NN920 to NN949 and NN999 are this file's.
 */
import type { Code, Problem, Prose, ProseTable, Report } from '../compiler/diagnostics/problem.ts';
import { report } from '../compiler/diagnostics/render/index.ts';
import { Sources } from '../compiler/source/source.ts';

/** A tensor as a list shows it: `hidden.weight f32[64, 64]`. */
export interface TensorFacts {
  readonly name: string;
  readonly type: string;
}

export interface CliProblems {
  /** A command line that says nothing sensible. */
  NN900: { readonly message: string };
  /** A file that cannot be read. */
  NN920: { readonly path: string; readonly reason: string };
  /** A file or folder that cannot be written. */
  NN921: { readonly path: string; readonly reason: string };
  /** No block of the wanted kind, or several. */
  NN922: { readonly path: string; readonly kind: 'train block' | 'model'; readonly known: readonly string[] };
  /** No data given and none beside the program. */
  NN923: { readonly path: string; readonly inputs: readonly string[]; readonly looked: readonly string[] };
  /** Weights that are not this network's. */
  NN924: {
    readonly path: string;
    readonly unit: string;
    readonly missing: readonly TensorFacts[];
    readonly surplus: readonly TensorFacts[];
    readonly wrong: readonly { readonly name: string; readonly has: string; readonly wants: string }[];
  };
  /** A checkpoint that cannot be gone on from. */
  NN925: { readonly path: string; readonly reason: string; readonly advice: string };
  /** Training left the finite numbers. */
  NN926: { readonly epoch: number; readonly step: number; readonly kept: number | null; readonly saved: number };
  /** Rows that do not suffice. */
  NN927: { readonly rows: number; readonly reason: string };
  /** The size that batches are made of is not the first axis of an input. */
  NN928: { readonly input: string; readonly wants: string; readonly size: string };
  /** Results that a file format cannot hold. */
  NN929: { readonly path: string; readonly reason: string };
  /** The compiled program refused to run. */
  NN930: { readonly unit: string; readonly reasons: readonly string[] };
  /** More memory than there is. */
  NN931: { readonly unit: string; readonly bytes: number };
  /** `--const` or `--bound` for a name that the program does not have. */
  NN933: {
    readonly what: 'const' | 'size';
    readonly name: string;
    readonly path: string;
    readonly known: readonly string[];
  };
  /** A study that cannot be made as asked. */
  NN934: { readonly reason: string; readonly advice: string };
  /** A size that a model takes as a parameter, and nobody gives. */
  NN941: { readonly model: string; readonly size: string };
  /** Weights that do not fit a checkpoint map. */
  NN940: { readonly path: string; readonly checkpoint: string; readonly reasons: readonly string[] };
  /** `--target wgsl` where there is no WebGPU: the package is not installed, or it is and finds no GPU. */
  NN938: { readonly unit: string; readonly lacks: 'package' | 'adapter' };
  /** A GPU that offers no timestamps. */
  NN946: { readonly device: string };
  /** `--program` for one that the block does not have. */
  NN936: { readonly unit: string; readonly program: string; readonly known: readonly string[] };
  /** Models that cannot be compared as asked. */
  NN935: { readonly reason: string; readonly advice: string };
  /** Text that cannot be tokenized or written as asked. */
  NN939: { readonly reason: string; readonly advice: string };
  /** `--only` names a block of the other kind. */
  NN943: {
    readonly name: string;
    readonly is: string;
    readonly kind: 'train block' | 'model';
    readonly path: string;
    readonly known: readonly string[];
  };
  /** A module of another target stands where one is to be written. */
  NN945: { readonly path: string; readonly was: string; readonly target: string };
  /** A tuning of another machine or compiler. */
  NN948: {
    readonly path: string;
    readonly what: 'compiler' | 'machine';
    readonly was: string;
    readonly is: string;
  };
  /** A tuning that cannot be read. */
  NN947: { readonly path: string; readonly reason: string };
  /** Choices of a tuning for kernels that a block no longer has, or that its kernels cannot have. */
  NN949: {
    readonly path: string;
    readonly unit: string;
    /** Kernels of the block in the file. */
    readonly of: number;
    readonly gone: readonly string[];
    readonly wrong: readonly string[];
  };
  /** Data that are no numbers, before training. */
  NN944: { readonly places: readonly string[] };
  /** Weights that training cannot begin with. */
  NN937: { readonly path: string; readonly unit: string; readonly reason: string; readonly notes: readonly string[] };
  /** An exception that nobody expected. */
  NN999: { readonly message: string };
  /** No such code to explain. */
  NN932: { readonly code: string; readonly nearest: readonly string[] };
}

const listText = (items: readonly TensorFacts[], most = 20): string =>
  [
    ...items.slice(0, most).map(({ name, type }) => `${name} ${type}`),
    ...(items.length > most ? [`and ${items.length - most} more`] : []),
  ].join('\n');

const few = (names: readonly string[], most = 8): string =>
  [...names.slice(0, most), ...(names.length > most ? [`${names.length - most} more`] : [])].join(', ');

const count = (n: number, word: string): string => `${n.toLocaleString('en-US')} ${word}${n === 1 ? '' : 's'}`;

export const cliProse: ProseTable<CliProblems> = {
  NN900: {
    severity: 'error',
    title: 'a command line that nnc does not understand',
    explain: '`nnc --help` lists the commands, `nnc COMMAND --help` the options of one. The exit code is 2.',
    render: ({ message }) => ({ message }),
  },
  NN920: {
    severity: 'error',
    title: 'a file that cannot be read',
    explain: 'The path is taken relative to the folder in which nnc runs.',
    render: ({ path, reason }) => ({ message: `cannot read ${path}: ${reason}` }),
  },
  NN921: {
    severity: 'error',
    title: 'a file that cannot be written',
    explain: `Files are written under another name first and renamed when complete, so what stood there before is still whole.
Choose another place with \`--out\`.`,
    render: ({ path, reason }) => ({ message: `cannot write ${path}: ${reason}` }),
  },
  NN922: {
    severity: 'error',
    title: 'no block to take, or several',
    explain:
      '`nnc train` runs one `train` block and `nnc run` one `model`. With several in a file, `--only NAME` says which.',
    render: ({ path, kind, known }) =>
      known.length === 0
        ? { message: `there is no ${kind} in ${path}` }
        : {
            message: `${path} has several ${kind}s: ${known.join(', ')}`,
            notes: ['choose one with --only NAME'],
          },
  },
  NN923: {
    severity: 'error',
    title: 'no data to train on',
    explain: `Name the data with \`--data FILE…\`, or lay it beside the program: for \`digits.nn\` nnc looks for \`data/digits-train.*\`, and for
\`data/digits-test.*\` to test with. Columns meet inputs by name.`,
    render: ({ path, inputs, looked }) => ({
      message: `no data for ${path}: its inputs are ${inputs.join(', ')}`,
      notes: [`name files with --data; looked for ${looked.join(', ')}`],
    }),
  },
  NN924: {
    severity: 'error',
    title: "weights that are not this network's",
    explain: `A weights file must hold every parameter and state of the network, under its path and in its shape, and nothing else. Paths come from
\`let\` names and labels: renaming one renames the parameter. Training again writes weights that fit.`,
    render: ({ path, unit, missing, surplus, wrong }) => ({
      message: `the weights in ${path} do not fit ${unit}`,
      notes: [
        ...(missing.length === 0 ? [] : [`missing:\n${listText(missing)}`]),
        ...(surplus.length === 0 ? [] : [`not part of ${unit}:\n${listText(surplus)}`]),
        ...(wrong.length === 0
          ? []
          : [
              `of another shape or type:\n${listText(wrong.map(({ name, has, wants }) => ({ name, type: `is ${has}, should be ${wants}` })))}`,
            ]),
      ],
    }),
  },
  NN925: {
    severity: 'error',
    title: 'a checkpoint that cannot be gone on from',
    explain: `\`--resume\` goes on exactly where training stopped, so the program, the data, the seed and the batch must be those of the first run; only
\`--epochs\` may change. Without \`--resume\` training begins anew.`,
    render: ({ path, reason, advice }) => ({ message: `cannot resume from ${path}: ${reason}`, notes: [advice] }),
  },
  NN926: {
    severity: 'error',
    title: 'the loss is no finite number',
    explain: `Once the loss is NaN or infinite, so are the weights, and training cannot recover. Usual causes: a learning rate that is too large, the
logarithm or quotient of something that can be 0, values in the data that are not scaled. The checkpoint keeps the weights before.`,
    render: ({ epoch, step, kept, saved }) => ({
      message: `training diverged: the loss is no finite number in epoch ${epoch} (step ${step})`,
      notes: [
        'usual causes: a learning rate that is too large, or log(0) and division by 0 in the loss',
        kept !== null
          ? `kept are the weights of epoch ${kept}`
          : saved > 0
            ? `the checkpoint is that of epoch ${saved}`
            : 'no weights were kept',
      ],
    }),
  },
  NN927: {
    severity: 'error',
    title: 'too few rows',
    explain: 'Training needs a row to train on and, with `validate(split: …)`, one to validate with.',
    render: ({ rows, reason }) => ({ message: `${count(rows, 'row')} of data: ${reason}` }),
  },
  NN928: {
    severity: 'error',
    title: 'batches must run along the first axis',
    explain: `Rows of data are the first axis of every column; a batch is some of the rows. So the size in \`batch B = 64\` must be the first of an input's
axes, or none of them (such an input is given whole to every step).`,
    render: ({ input, wants, size }) => ({
      message: `input ${input} is ${wants}, but batches of ${size} must be its first axis`,
    }),
  },
  NN929: {
    severity: 'error',
    title: 'results that a file format cannot hold',
    explain: 'Formats for `--out`: .npy holds one tensor; .csv and .jsonl hold rows; .safetensors holds anything.',
    render: ({ path, reason }) => ({ message: `cannot write the results to ${path}: ${reason}` }),
  },
  NN930: {
    severity: 'error',
    title: 'the compiled program refuses its data',
    explain: 'Compiled programs check sizes, indices and the `require`s of their source before they compute.',
    render: ({ unit, reasons }) => ({ message: `${unit} refuses: ${reasons[0] ?? ''}`, notes: reasons.slice(1) }),
  },
  NN931: {
    severity: 'error',
    title: 'more memory than there is',
    explain:
      'All memory is taken at the start, for the greatest sizes. Smaller batches (`--batch`) or shorter rows need less.',
    render: ({ unit, bytes }) => ({
      message: `${unit} needs ${formatBytes(bytes)} of memory, more than this machine gives`,
      notes: ['a smaller --batch needs less'],
    }),
  },
  NN938: {
    severity: 'error',
    title: 'no WebGPU in this Node',
    explain:
      'Node has no WebGPU of its own. The npm package webgpu brings it, and needs a GPU with a driver (Vulkan, Metal or Direct3D), or a driver that computes on the processor. With `--target auto` the program computes on WebAssembly where there is none.',
    render: ({ unit, lacks }) =>
      lacks === 'package'
        ? {
            message: `${unit} cannot run on WebGPU here: the npm package webgpu is not installed`,
            notes: ['install it beside nnc (`npm install webgpu`), or take --target auto or wasm'],
          }
        : {
            message: `${unit} cannot run on WebGPU here: the npm package webgpu finds no GPU with a driver`,
            notes: [
              'it needs a driver for Vulkan (Linux), Metal (macOS) or Direct3D 12 (Windows); in a container the driver must be inside',
              'or take --target auto or wasm',
            ],
          },
  },
  NN946: {
    severity: 'error',
    title: 'no timestamps on this GPU',
    explain:
      'A profile on WebGPU takes the time of each kernel from the device, which must offer the feature timestamp-query. The time of a whole step can still be taken from outside.',
    render: ({ device }) => ({
      message: `${device} offers no timestamps, so kernels cannot be told apart`,
      notes: ['profile the same program on the processor: --target wasm'],
    }),
  },
  NN941: {
    severity: 'error',
    title: 'a size that a model takes as a parameter',
    explain:
      'A parameter `N: size` of a model is a number that no data give: how many words to write, say. `nnc run` takes it from `--size N=20`.',
    render: ({ model, size }) => ({
      message: `${model} takes the size ${size} as a parameter`,
      notes: [`give it: --size ${size}=…`],
    }),
  },
  NN940: {
    severity: 'error',
    title: 'weights that do not fit a checkpoint map',
    explain:
      "With `--checkpoint NAME` the file is read by the source's `checkpoint NAME for Model { … }`: its names and layouts become those of the network. The source has no such map, or a tensor of the file has another shape than the map says.",
    render: ({ path, checkpoint, reasons }) => ({
      message: `${path} cannot be read as ${checkpoint}`,
      notes: reasons,
    }),
  },
  NN932: {
    severity: 'error',
    title: 'no such code',
    explain: 'Codes are NN and three digits; every report begins with one.',
    render: ({ code, nearest }) => ({
      message: `there is no code ${code}`,
      notes: nearest.length === 0 ? [] : [`nearest: ${nearest.join(', ')}`],
    }),
  },
  NN933: {
    severity: 'error',
    title: 'an option for a name that the program does not have',
    explain: `\`--const width=128\` sets a \`const\` of the file in place of its value; \`--bound B=64\` limits a size that is known at run time only.
Consts of imported files keep their values.`,
    render: ({ what, name, path, known }) => ({
      message: `there is no ${what} ${name} in ${path}`,
      notes: [known.length === 0 ? `it has no ${what}s` : `there are ${known.join(', ')}`],
    }),
  },
  NN934: {
    severity: 'error',
    title: 'a study that cannot be made',
    explain: `\`nnc study\` trains one program many times on resampled rows. It needs rows to resample, rows to test on (\`--test\`, or \`--holdout 0.2\` of the data), and
for the decomposition of the error a prediction and its truth.`,
    render: ({ reason, advice }) => ({ message: `this study cannot be made: ${reason}`, notes: [advice] }),
  },
  NN936: {
    severity: 'error',
    title: 'a program that the block does not have',
    explain:
      'A `model` has the program `forward`; a `train` has `step` and `evaluate`, and `forward` where its model can be asked alone.',
    render: ({ unit, program, known }) => ({
      message: `${unit} has no program ${program}`,
      notes: [`it has ${known.join(', ')}`],
    }),
  },
  NN935: {
    severity: 'error',
    title: 'models that cannot be compared',
    explain: `\`nnc compare\` computes a value of each model for the same rows. A model is a folder that \`nnc train\` wrote, or PROGRAM.nn=WEIGHTS.safetensors; \`--layer\`
names the value: a layer's label, \`label.argument\`, or a \`let\`.`,
    render: ({ reason, advice }) => ({ message: `these models cannot be compared: ${reason}`, notes: [advice] }),
  },
  NN939: {
    severity: 'error',
    title: 'text and a model that do not meet',
    explain: `\`nnc tokens\` makes rows of numbers from text and keeps the tokenizer in the file; \`nnc train\` hands it on to the weights; \`nnc sample\` reads it from there. A language
model takes i32[B, T] symbols and gives logits[B, T, V].`,
    render: ({ reason, advice }) => ({ message: reason, notes: [advice] }),
  },
  NN943: {
    severity: 'error',
    title: 'a block of the other kind',
    explain:
      '`nnc train` takes a `train` block and `nnc run` a `model`. `--only` names one of them; a train block cannot be run, and a model says nothing of how it is trained.',
    render: ({ name, is, kind, path, known }) => ({
      message: `${name} is a ${is}, and this command takes a ${kind}`,
      notes: [known.length === 0 ? `${path} has no ${kind}` : `${kind}s of ${path}: ${known.join(', ')}`],
    }),
  },
  NN945: {
    severity: 'error',
    title: 'a module of another target would be overwritten',
    explain: `Modules of all targets bear the name of their block, so two targets in one folder would overwrite each other. Give each a folder of its own with \`--out\`, or remove
the old files.`,
    render: ({ path, was, target }) => ({
      message: `${path} was built for ${was}; building for ${target} would overwrite it`,
      notes: ['choose another folder with --out, or remove the file'],
    }),
  },
  NN948: {
    severity: 'warning',
    title: 'schedules that were measured elsewhere',
    explain: `\`nnc tune model.nn\` measures how kernels run quickest on this machine and writes \`model.tune.json\` beside the program. What was measured on another processor or
engine, or of the kernels of another version of nnc, says little here: it is not used, and the compiler's own choice stands. Results are the same either way.`,
    render: ({ path, what, was, is }) => ({
      message: `${path} is not used: it was measured ${what === 'machine' ? 'on another machine' : 'with another version of nnc'}`,
      notes: [`it says ${was}; this is ${is}`, 'nnc tune measures anew; removing the file ends this report'],
    }),
  },
  NN949: {
    severity: 'warning',
    title: 'schedules that are for other kernels',
    explain: `\`model.tune.json\`, which \`nnc tune model.nn\` writes beside the program, has what was measured of kernels that the program no longer has: it was changed since, or is
built for other sizes (\`--bound\`, \`--const\`, a batch), or with other options. Or it chooses what a kernel cannot have: it was changed by hand. Those choices are not used, all others
are; for the rest the compiler's own choice stands. Results are the same either way.`,
    render: ({ path, unit, of, gone, wrong }) => ({
      message: `${path} is used in part: of ${count(of, 'kernel')} of ${unit}, ${[
        ...(gone.length === 0 ? [] : [`${gone.length} ${gone.length === 1 ? 'is' : 'are'} no longer there`]),
        ...(wrong.length === 0 ? [] : [`${wrong.length} cannot be as it says`]),
      ].join(' and ')}`,
      notes: [
        ...(gone.length === 0 ? [] : [`no longer there: ${few(gone)}`]),
        ...wrong.map((w) => `cannot be so: ${w}`),
        'nnc tune measures anew; removing the file ends this report',
      ],
    }),
  },
  NN947: {
    severity: 'warning',
    title: 'a tuning that cannot be read',
    explain: `\`model.tune.json\`, which \`nnc tune model.nn\` writes beside the program, is no tuning: it was cut off, or changed by hand. It is not used, and the compiler's own choice of
schedules stands. Results are the same either way.`,
    render: ({ path, reason }) => ({
      message: `${path} is not used: ${reason}`,
      notes: ['nnc tune writes it anew; removing the file ends this report'],
    }),
  },
  NN944: {
    severity: 'error',
    title: 'data that are no numbers',
    explain: `One NaN or infinity in a batch makes the loss, and after one step every weight, no number either. Clean the data; where such values are masked by the program,
\`--allow-nonfinite\` goes on.`,
    render: ({ places }) => ({
      message: `the data hold values that are no finite numbers: ${places[0] ?? ''}`,
      notes: [...places.slice(1), 'clean the data, or go on with --allow-nonfinite where the program masks them'],
    }),
  },
  NN937: {
    severity: 'error',
    title: 'weights that training cannot begin with',
    explain: `\`nnc train --from FILE\` begins with what the file has under the paths of the program. What the file lacks begins as the program says, and what it has more stays
unread; but something must be there, in the shape of the program. A layer that shall begin anew, a head for other classes say, needs a name that the file does not have. Another's
file is read by a \`checkpoint\` map of the source, \`--map NAME\`.`,
    render: ({ path, unit, reason, notes }) => ({ message: `${unit} cannot begin with ${path}: ${reason}`, notes }),
  },
  NN999: {
    severity: 'error',
    title: 'a bug of nnc',
    explain:
      'nnc failed in a way that no program and no data should bring about. Please report it, with what `--debug` shows.',
    render: ({ message }) => ({
      message: `this is a bug of nnc: ${message}`,
      notes: ['please report it with the command and the files that lead to it; --debug shows where it happened'],
    }),
  },
};

export type CliCode = keyof CliProblems;

/** A problem of the command line as a report. */
export function cliReport<C extends CliCode>(code: C, data: CliProblems[C]): Report {
  const prose: Prose<CliProblems[C]> = cliProse[code];
  const { message, label = '', notes = [] } = prose.render(data);
  // The compiler's union of codes does not know this family; a report's code is only shown.
  return {
    code: code as string as Code,
    severity: prose.severity,
    message,
    span: null,
    label,
    related: [],
    notes,
    fixes: [],
  };
}

/** Ends a command: what to show, and the exit code. Thrown by helpers of the commands, caught by `main` alone. */
export class Refusal extends Error {
  readonly reports: readonly Report[];
  readonly sources: Sources;
  readonly exit: 1 | 2;

  constructor(reports: readonly Report[], sources: Sources = new Sources(), exit: 1 | 2 = 1) {
    super(reports.map(({ code, message }) => `${code}: ${message}`).join('\n'));
    this.name = 'Refusal';
    this.reports = reports;
    this.sources = sources;
    this.exit = exit;
  }
}

export function refuse<C extends CliCode>(code: C, data: CliProblems[C]): never {
  throw new Refusal([cliReport(code, data)]);
}

export const refuseProblems = (problems: readonly Problem[], sources?: Sources): never => {
  throw new Refusal(problems.map(report), sources);
};

export const wrongUsage = (message: string): never => {
  throw new Refusal([cliReport('NN900', { message })], undefined, 2);
};

/** 640 bytes, 12.5 kB, 1.48 MB (powers of 1,000) */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (bytes >= size * 0.9995) return `${(bytes / size).toPrecision(3).replace(/e\+\d+$/, '')} ${unit}`;
  }
  return `${bytes} bytes`;
}
