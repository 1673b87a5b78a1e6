#!/usr/bin/env node
/**
 * The command `nnc`. Here are the commands' options and help, and what becomes of failures: reports and wrong usage are shown and give 1 and 2;
 * an exception that nobody expected says that it is a bug of nnc. `main` touches nothing but its `Io` and files.
 */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { build, type BuildOptions } from './commands/build.ts';
import { check, type CheckOptions } from './commands/check.ts';
import { compare, type CompareOptions } from './commands/compare.ts';
import { explain, type ExplainOptions } from './commands/explain.ts';
import { configuration, fmt, type FmtOptions } from './commands/fmt.ts';
import { targets } from '../compiler/index.ts';
import { nodeTargets, runTargets } from './artifact.ts';
import { profile, type ProfileOptions } from './commands/profile.ts';
import { run, type RunOptions } from './commands/run.ts';
import { sample, type SampleOptions } from './commands/sample.ts';
import { tokens, type TokensOptions } from './commands/tokens.ts';
import { translate, type TranslateOptions } from './commands/translate.ts';
import { study, type StudyOptions } from './commands/study.ts';
import { train, type TrainOptions } from './commands/train.ts';
import { tune, type TuneOptions } from './commands/tune.ts';
import { Sources } from '../compiler/source/source.ts';
import { nodeIo, type Io, type LookOptions } from './io.ts';
import { cliReport, Refusal } from './problems.ts';
import { showReports } from './project.ts';
import { version } from './version.ts';

/** Runs a command line (without `node` and the script). Gives the exit code: 0 good, 1 reports with errors, 2 wrong usage, 130 interrupted. */
export async function main(argv: readonly string[], io: Io = nodeIo()): Promise<number> {
  let exit = 0;
  let look: LookOptions = {};
  const program = commands(
    io,
    (code) => (exit = code),
    (options) => (look = options),
  );
  try {
    if (argv.length === 0) program.help();
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof Refusal) {
      showReports(io, error.reports, error.sources, look);
      return error.exit;
    }
    const message = error instanceof Error ? error.message : String(error);
    showReports(io, [cliReport('NN999', { message: message.split('\n')[0]! })], new Sources(), look);
    if (argv.includes('--debug') && error instanceof Error) io.stderr.write(`${shortened(error.stack ?? '')}\n`);
    return 1;
  }
}

/** Emitted modules are imported as addresses that hold their whole text. */
const shortened = (stack: string): string => stack.replace(/data:text\/javascript;base64,[\w+/=]+/g, 'emitted.js');

function commands(io: Io, done: (code: number) => void, looks: (options: LookOptions) => void): Command {
  const program = new Command('nnc')
    .description('A compiler for neural networks: .nn files in, checked and trained networks and TypeScript out.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'error[NN900]: ')),
      getOutHelpWidth: () => Math.max(60, io.stdout.columns ?? 100),
      getErrHelpWidth: () => Math.max(60, io.stderr.columns ?? 100),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(--help lists what there is)')
    .addHelpText(
      'after',
      `
Exit codes: 0 good, 1 reports with errors, 2 wrong usage, 130 interrupted.

  nnc check network.nn                    find mistakes
  nnc train examples/digits.nn            train on the data beside the program
  nnc build network.nn --bound B=64       TypeScript and JavaScript to import
  nnc explain NN523                       what a report means`,
    );

  const command = <O extends LookOptions>(
    name: string,
    summary: string,
    action: (first: string & readonly string[], options: O) => number | Promise<number>,
  ): Command =>
    program
      .command(name)
      .summary(summary)
      .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
      .action(async (first: string & readonly string[], options: O) => {
        looks(options);
        done(await action(first, options));
      });
  const common = (target: Command): Command =>
    target
      .addOption(new Option('--width <columns>', 'width of reports').argParser(natural(40, 1000)))
      .option('--no-color', 'plain text')
      .option('--debug', 'show where a bug of nnc happened');
  const bounds = () =>
    new Option('--bound <size=number...>', 'greatest values of sizes known at run time: B=64 T=1024').argParser(
      assignments,
    );
  const nodeTarget = () =>
    new Option('--target <target>', 'JavaScript or WebAssembly').choices([...nodeTargets]).default('ts');
  const threads = () =>
    new Option('--threads <n>', 'of the wasm target: a number, or auto for all cores; results are the same bits')
      .default('auto')
      .argParser((text: string) => (text === 'auto' ? text : natural(1, 64)(text)));
  const runTarget = () =>
    new Option('--target <target>', 'JavaScript, WebAssembly, WebGPU (npm install webgpu), or auto: the first there is')
      .choices([...runTargets])
      .default('ts');
  const matrices = () =>
    new Option('--gpu-matrices', 'wgsl: products of `precision f16` on matrix units, too, for devices that have them');
  const memory = (what: string) => new Option('--memory <bytes>', what).argParser(bytesOf);
  const consts = () =>
    new Option('--const <name=number...>', "values in place of the source's consts: width=128").argParser(assignments);

  common(
    command<CheckOptions>('check <file...>', 'report every mistake in programs', (files, options) =>
      check(io, files, options),
    )
      .addOption(
        new Option('--format <format>', 'how reports are written')
          .choices(['text', 'json', 'sarif', 'github'])
          .default('text'),
      )
      .option('--allow <code...>', 'leave reports out, by code or name of the lint')
      .option('--deny <code...>', 'make errors of them; `warnings` stands for all warnings')
      .option('--fix', 'apply the fixes that need no asking, and report what is left'),
  ).addHelpText(
    'after',
    `
In the text, \`// nnc: allow(NN604) because …\` before or behind a statement does the same for it, and goes before options;
\`allow-file(…)\` at the head of a file is for all of it.`,
  );

  common(
    command<BuildOptions>('build <file>', 'compile models and train blocks to modules', (file, options) =>
      build(io, file, options),
    )
      .option('--only <name>', 'only this model or train block')
      .option('-o, --out <folder>', 'where to write (default: nnc-out)')
      .addOption(
        new Option('--target <target>', 'readable code, WebAssembly, WebGPU, or auto: the first of them that computes')
          .choices([...targets])
          .default('ts'),
      )
      .addOption(
        new Option(
          '--gpu-binding <bytes>',
          'greatest binding on the GPUs that wgsl is for (default: 134217728)',
        ).argParser(natural(256)),
      )
      .addOption(
        new Option(
          '--gpu-cores <count>',
          'cores (streaming multiprocessors, compute units) of the GPUs that wgsl is for: into how many parts long sums are cut (default: 128)',
        ).argParser(natural(1)),
      )
      .addOption(matrices())
      .option('--no-pack', 'wasm: larger modules that start some milliseconds earlier')
      .addOption(new Option('--emit <kinds>', 'ts, js or ts,js').default(['ts', 'js'], 'ts,js').argParser(emitKinds))
      .addOption(bounds())
      .addOption(memory('at most 512MB, 2GiB …, or least: values are computed again in place of kept, for more time'))
      .addOption(consts())
      .option('--weights <rule...>', 'store parameters of a model smaller: int8, int4:32, f16, "h.*.attn.**=int8"')
      .addOption(
        new Option('--print <view>', 'print instead of writing').choices(['graph', 'kernels', 'plan', 'typed']),
      ),
  ).addHelpText(
    'after',
    `
Writes NAME.ts, NAME.js with NAME.d.ts and NAME.js.map, and NAME.plan.json for every block. The modules import nothing.
The wasm and auto targets have no NAME.ts; only ts makes source maps.
Memory is taken once, for the greatest sizes: a size that the source does not limit needs a --bound.`,
  );

  common(
    command<TrainOptions>('train <file>', 'train a network', (file, options) => train(io, file, options))
      .option('--only <name>', 'the train block, where there are several')
      .option('--data <[input=]path...>', 'data to train on; columns meet inputs by name')
      .option('--test <[input=]path...>', 'data to test the trained network on')
      .addOption(new Option('--epochs <n>', "in place of the source's").argParser(natural(1)))
      .addOption(new Option('--batch <n>', "rows of a step, in place of the source's").argParser(natural(1)))
      .addOption(
        new Option('--seed <n>', 'of initial weights, order of rows and draws (default: 0)').argParser(
          natural(0, 2 ** 32 - 1),
        ),
      )
      .addOption(memory('at most 512MB, 2GiB …, or least: values are computed again in place of kept, for more time'))
      .addOption(consts())
      .addOption(runTarget())
      .addOption(threads())
      .addOption(
        new Option('--read-every <n>', 'of a GPU: the loss is read back every n steps only, and its figures with it')
          .default(1)
          .argParser(natural(1)),
      )
      .addOption(matrices())
      .option('-o, --out <folder>', 'where to write (default: nnc-out/NAME)')
      .option('--from <[network=]file...>', 'weights to begin with; what they lack begins as the program says')
      .option('--map <name>', "the checkpoint map by which to read another's file in --from")
      .option('--checkpoint <name>', 'a checkpoint map by which to write the weights, too')
      .option('--allow-nonfinite', 'go on with NaN and infinity in the data')
      .option('--resume', 'go on from the checkpoint in the folder, bit for bit as if never stopped')
      .option('-q, --quiet', 'no progress, only problems and final figures'),
  ).addHelpText(
    'after',
    `
Data: CSV, TSV, NPY, NPZ, IDX, JSON lines, safetensors, also as .gz. An input takes the column of its name; image.0 … image.63
are one column image. input=path maps a file to an input, input=path/255 divides its values. Without --data, for digits.nn:
  data/digits-train.* (else data/digits.*)   beside the program, to train on
  data/digits-test.*                         to test on

Writes weights.safetensors (of the best epoch, where the program validates), report.html, run.json and, after every epoch,
checkpoint.safetensors. Ctrl-C finishes the step, saves and exits with 130; --resume goes on. Figures of an epoch are means
over its batches, weighted by rows; with two numbers, the second is the validation's.`,
  );

  common(
    command<RunOptions>('run <file>', "compute a model's results for data", (file, options) => run(io, file, options))
      .option('--only <name>', 'the model, where there are several')
      .requiredOption('--weights <path>', 'weights.safetensors from training')
      .option('--checkpoint <name>', "the checkpoint map by which to read another's file")
      .addOption(
        new Option('--size <size=number...>', "of the model's parameters that are sizes: N=20").argParser(assignments),
      )
      .requiredOption('--data <[input=]path...>', 'columns meet inputs by name')
      .option('--store <rule...>', 'store the weights smaller: int8, int4:32, f16, "h.*.attn.**=int8"')
      .option(
        '--compare <rule...>',
        'show what is lost by that, or by `source`, its storage declaration: differences, and the metrics',
      )
      .option('-o, --out <file>', 'results as .npy, .csv, .jsonl or .safetensors (default: CSV to the terminal)')
      .addOption(new Option('--batch <n>', 'rows computed together (default: 256)').argParser(natural(1)))
      .addOption(consts())
      .addOption(runTarget())
      .addOption(threads()),
  );

  common(
    command<StudyOptions>(
      'study <file>',
      'train many times on resampled rows: errors, bias and variance',
      (file, options) => study(io, file, options),
    )
      .option('--only <name>', 'the train block, where there are several')
      .option('--data <[input=]path...>', 'data to train on; columns meet inputs by name')
      .option('--test <[input=]path...>', 'data to test on, never trained on')
      .addOption(
        new Option('--holdout <share>', 'of the data, to test on, where there is no --test (default: 0.2)').argParser(
          fraction,
        ),
      )
      .addOption(
        new Option('--vary <name=numbers>', 'a const and its values, one study for each: hidden=1,4,16').argParser(
          variation,
        ),
      )
      .addOption(new Option('--retrainings <n>', 'how often the network is trained').default(20).argParser(natural(1)))
      .addOption(
        new Option(
          '--resample <scheme>',
          'bootstrap: with repetition; subset: without (default: subset with --rows)',
        ).choices(['bootstrap', 'subset']),
      )
      .addOption(new Option('--rows <n>', 'rows of each set (default: as many as there are)').argParser(natural(1)))
      .option('--same-start', 'the same initial weights every time')
      .addOption(new Option('--noise <variance>', 'the noise of the targets, where it is known').argParser(amount))
      .option('--prediction <name>', "the train block's `let` that is held against the truth")
      .option('--truth <input>', 'the input that the prediction is held against')
      .addOption(new Option('--confidence <share>', 'of intervals').default(0.95).argParser(fraction))
      .addOption(new Option('--epochs <n>', "in place of the source's").argParser(natural(1)))
      .addOption(new Option('--batch <n>', "rows of a step, in place of the source's").argParser(natural(1)))
      .addOption(
        new Option('--seed <n>', 'of sets, initial weights and order of rows (default: 0)').argParser(
          natural(0, 2 ** 32 - 1),
        ),
      )
      .addOption(consts())
      .addOption(nodeTarget())
      .option('-o, --out <folder>', 'where to write (default: nnc-out/NAME-study)')
      .option('-q, --quiet', 'no progress'),
  ).addHelpText(
    'after',
    `
Test rows and validation rows are taken out first; sets are drawn from the others, the same ones for every value of the const.
Training, validation and test errors are means over the trainings with intervals (Student's t), with the weights that training
keeps (of the best epoch on the validation rows), and for the test also with those of the last epoch.

The error is decomposed: bias² + variance + noise, from one half of the networks and of the targets, beside the error measured on
the other half. Noise comes from test rows with equal inputs, or from --noise; else bias² and noise are given together. Classes
are compared as probabilities (Brier score). Estimator and sources: docs/learn/generalisation.md.

Writes study.json, study.html, study.svg (where a const varies) and curves.svg.`,
  );

  common(
    command<CompareOptions>(
      'compare <model...>',
      'how alike trained models represent the same data',
      (models, options) => compare(io, models, options),
    )
      .requiredOption('--data <[input=]path...>', 'what all models see; columns meet inputs by name')
      .option('--layer <path...>', "the compared value: one for all models, or one each (default: the model's result)")
      .option('--label <word...>', 'names of the models in tables and figures')
      .option('--only <name>', 'the model, where a program has several')
      .addOption(new Option('--rows <n>', 'at most so many rows, drawn by the seed').default(500).argParser(natural(4)))
      .addOption(
        new Option('--neighbours <k>', 'nearest neighbours that are compared').default(10).argParser(natural(1)),
      )
      .addOption(new Option('--permutations <n>', 'for chance levels and p').default(200).argParser(natural(1)))
      .addOption(new Option('--batch <n>', 'rows computed together (default: 256)').argParser(natural(1)))
      .addOption(new Option('--seed <n>', 'of rows and permutations (default: 0)').argParser(natural(0, 2 ** 32 - 1)))
      .addOption(consts())
      .addOption(runTarget())
      .option('-o, --out <folder>', 'write compare.json, compare.html and compare.svg there'),
  ).addHelpText(
    'after',
    `
A model is a folder that nnc train wrote (it knows its program and consts), or PROGRAM.nn=WEIGHTS.safetensors.
A value is named by its path: a layer's label (hidden), its argument (out.x), or a let.

Linear CKA and its debiased form, mutual nearest neighbours by cosine, and orthogonal Procrustes, each beside its chance level: the
same with the rows of one model in random order. p counts permutations that come as far, adjusted for all pairs (Holm).`,
  );

  common(
    command<TokensOptions>('tokens <text...>', 'text as rows of numbers, with their tokenizer', (files, options) =>
      tokens(io, files, options),
    )
      .addOption(
        new Option('--kind <kind>', 'what a symbol is: a character, or a merged piece (byte-pair encoding)')
          .choices(['characters', 'bpe'])
          .default('characters'),
      )
      .addOption(
        new Option('--size <n>', 'at most so many symbols (default: all characters; 1024 for bpe)').argParser(
          natural(8, 65536),
        ),
      )
      .addOption(
        new Option('--window <n>', 'symbols of a row; a row begins with the last of the one before')
          .default(65)
          .argParser(natural(2)),
      )
      .option('--name <input>', 'the input that the rows are for', 'text')
      .addOption(
        new Option('--parts <shares>', 'of the text, for training, validation and test: 0.9,0.05,0.05').argParser(
          shares,
        ),
      )
      .option('--with <file>', 'use the tokenizer in this file of data or weights in place of learning one')
      .requiredOption(
        '-o, --out <file>',
        'NAME.safetensors, with --parts NAME-train.safetensors, NAME-validation… and NAME-test…',
      ),
  ).addHelpText(
    'after',
    `
The tokenizer is learnt from the first part and stands in the metadata of every file. nnc train copies it to the weights.
Symbol 0 fills and stands for unknown characters, 1 starts a text, 2 ends it.`,
  );

  common(
    command<SampleOptions>('sample <file>', 'let a language model write', (file, options) => sample(io, file, options))
      .option('--only <name>', 'the model, where there are several')
      .requiredOption('--weights <path>', 'weights.safetensors from training')
      .option('--tokenizer <file>', 'a file that has the tokenizer, where the weights do not')
      .option('--prompt <text>', 'what the text begins with', '')
      .addOption(new Option('--length <n>', 'symbols to write').default(200).argParser(natural(1)))
      .addOption(new Option('--count <n>', 'texts to write').default(1).argParser(natural(1)))
      .addOption(new Option('--temperature <t>', 'divides logits; 0 takes the likeliest').default(1).argParser(amount))
      .addOption(new Option('--top-k <k>', 'only the k likeliest').argParser(natural(1)))
      .addOption(new Option('--top-p <p>', 'only the likeliest that together have probability p').argParser(fraction))
      .addOption(new Option('--context <n>', 'symbols that the model sees at once').default(64).argParser(natural(1)))
      .addOption(new Option('--seed <n>', 'of the draws (default: 0)').argParser(natural(0, 2 ** 32 - 1)))
      .addOption(consts())
      .addOption(runTarget())
      .option('-o, --out <file>', 'write the text there'),
  );

  common(
    command<TranslateOptions>('translate <file>', 'let an encoder-decoder translate, and score it', (file, options) =>
      translate(io, file, options),
    )
      .option('--only <name>', 'the model, where there are several')
      .requiredOption('--weights <path>', 'weights.safetensors from training')
      .option('--tokenizer <file>', 'a file that has the tokenizer, where the weights do not')
      .option('--text <text...>', 'what is translated')
      .option('--data <path>', 'translate the rows of a data file, and score them')
      .option('--truth <column>', 'the column of the data that holds what should come out', 'target')
      .addOption(new Option('--limit <n>', 'only the first n rows').argParser(natural(1)))
      .addOption(new Option('--beam <n>', 'hypotheses kept; 1 is greedy').default(1).argParser(natural(1, 64)))
      .addOption(new Option('--penalty <alpha>', 'on shortness (Wu et al., 2016)').default(0.6).argParser(amount))
      .addOption(new Option('--most <n>', 'symbols of a translation').default(64).argParser(natural(1)))
      .addOption(new Option('--batch <n>', 'sentences decoded together').default(32).argParser(natural(1)))
      .addOption(
        new Option('--bleu <tokens>', 'what BLEU counts; characters where words have no blanks between them')
          .choices(['words', 'characters'])
          .default('words'),
      )
      .addOption(consts())
      .addOption(nodeTarget())
      .option('-o, --out <folder>', 'write translate.json there'),
  ).addHelpText(
    'after',
    `
The model reads i32[B, S] and, if it asks, their lengths i32[B]; it takes what is written so far, i32[B, T], and gives logits[B, T, V].

A file may have its two halves beside it, which is quicker: one model gives tensors by name for the sources; the other takes these, word[B], sentence[B],
past[B, L] and the size used, and keeps in carries what it has written (examples/translation.nn). --only names the whole model where it should be asked.`,
  );

  common(
    command<ExplainOptions>(
      'explain <code-or-file>',
      'what a code means, or what became of a program',
      (subject, options) => explain(io, subject, options),
    )
      .option('--fusion', 'which values get memory of their own, and why')
      .option('--schedule', 'the loops of every kernel')
      .option('--plan', 'where memory lies and what runs when')
      .addOption(
        new Option(
          '--memory [bytes]',
          'what lies in memory, and what is computed again to stay below so much',
        ).argParser(bytesOf),
      )
      .option('--graph', 'the graphs after simplification')
      .option('--only <name>', 'only this model or train block')
      .addOption(bounds())
      .addOption(consts()),
  );

  common(
    command<TuneOptions>('tune <file>', 'measure schedules of WebAssembly on this machine', (file, options) =>
      tune(io, file, options),
    )
      .option('--only <name>', 'only this model or train block')
      .addOption(bounds())
      .addOption(memory('at most 512MB, 2GiB …, or least, as in nnc build'))
      .addOption(consts())
      .addOption(threads())
      .addOption(new Option('--seconds <n>', 'about how long to measure').default(30).argParser(natural(1, 3600)))
      .option('-o, --out <file>', 'where to write (default: NAME.tune.json beside the program)'),
  ).addHelpText(
    'after',
    `
What is tried: of products the register tile's height, the operands in each other's place, the size of packed blocks; vectors and points computed
together; rows of streamed kernels computed together; with more than one thread what they share, each one's part measured by itself. Sums keep
their order, so results have the same bits. build, train, run and profile use the file with --target wasm, on the machine that it was made on;
nnc explain FILE --schedule shows it. Measure when nothing else runs.`,
  );

  common(
    command<ProfileOptions>('profile <file>', 'show what a program costs, by line and by kernel', (file, options) =>
      profile(io, file, options),
    )
      .option('--only <name>', 'this model or train block (default: the train block)')
      .addOption(
        new Option('--program <program>', 'what is run (default: step, of a model forward)').choices([
          'step',
          'forward',
          'stream',
          'evaluate',
        ]),
      )
      .addOption(memory('at most 512MB, 2GiB …, or least, as in nnc build'))
      .addOption(bounds())
      .addOption(consts())
      .addOption(
        new Option('--target <target>', 'JavaScript, WebAssembly, or WebGPU (npm install webgpu)')
          .choices([...nodeTargets, 'wgsl'])
          .default('ts'),
      )
      .addOption(matrices())
      .option('--data <[input=]path...>', 'take the first rows of these data (default: drawn inputs at the bounds)')
      .addOption(new Option('--seconds <n>', 'how long to measure').default(2).argParser(natural(1, 600)))
      .option('-o, --out <file>', 'the page with the flame view (default: nnc-out/NAME/profile.html)'),
  ).addHelpText(
    'after',
    `
Every call of a kernel is timed on its own. GFLOP/s and GB/s are of operations and bytes counted from the kernels; roofline is the least time
that this machine would need for them, of the time it took. Sizes are at their bounds: set them with --bound. On WebGPU the times are
timestamps of the device, which it may round.`,
  );

  common(
    command<FmtOptions>('fmt <file...>', 'write programs in canonical form', (files, options) =>
      fmt(io, files, options),
    ).option('--check', 'change nothing; exit with 1 where a file is not formatted'),
  );

  program
    .command('lsp')
    .summary('language server over standard input and output')
    .description('The language server over standard input and output, for editors. It ends when its client does.')
    .option('--stdio', 'accepted for clients that pass it: there is no other way')
    .action(async () => {
      (await import('../editor/lsp.ts')).lsp(configuration);
      await new Promise(() => undefined);
    });
  return program;
}

const natural =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };

function shares(text: string): number[] {
  const values = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (values.length > 3 || values.some((value) => !(value > 0 && value <= 1)))
    throw new InvalidArgumentError('Write up to three shares: 0.9,0.05,0.05.');
  return values;
}

function amount(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('It must be a number from 0.');
}

function fraction(text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('It must be a number between 0 and 1.');
}

function variation(text: string): { name: string; values: number[] } {
  const match = /^([A-Za-z_]\w*)=(.+)$/.exec(text);
  const values = match?.[2]!.split(',').map((part) => (part.trim() === '' ? NaN : Number(part))) ?? [];
  if (match === null || values.some((value) => !Number.isFinite(value)))
    throw new InvalidArgumentError('Write name=1,2,3.');
  if (new Set(values).size < values.length) throw new InvalidArgumentError('A value stands there twice.');
  return { name: match[1]!, values };
}

function assignments(text: string, before: Readonly<Record<string, number>> | undefined): Record<string, number> {
  const match = /^([A-Za-z_]\w*)=(-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('Write name=number.');
  return { ...before, [match[1]!]: Number(match[2]) };
}

/** `512MB`, `2GiB`, a number of bytes, `least`. */
function bytesOf(text: string): number | 'least' {
  if (text === 'least') return text;
  const found = /^(\d+(?:\.\d+)?)\s*(?:([kmg])(i?)b|b)?$/i.exec(text);
  const bytes =
    found === null
      ? 0
      : Math.floor(
          Number(found[1]) * ((found[3] ?? '') === '' ? 1000 : 1024) ** ' kmg'.indexOf((found[2] ?? ' ').toLowerCase()),
        );
  if (bytes < 1) throw new InvalidArgumentError('It must be an amount like 512MB or 2GiB, or least.');
  return bytes;
}

function emitKinds(text: string): ('ts' | 'js')[] {
  const kinds = text.split(',').map((kind) => kind.trim());
  const known = kinds.filter((kind) => kind === 'ts' || kind === 'js');
  if (known.length === kinds.length && known.length > 0) return known;
  throw new InvalidArgumentError('It must be ts, js or ts,js.');
}

/** Whether this file is the program that runs, also through a link in a bin folder. */
function isProgram(): boolean {
  const script = process.argv[1];
  if (script === undefined) return false;
  try {
    return realpathSync(script) === realpathSync(fileURLToPath(import.meta.url));
  } catch {
    return false;
  }
}

if (isProgram()) process.exitCode = await main(process.argv.slice(2));
