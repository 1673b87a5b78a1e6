/** `nnc train`: data in, weights and a report out. The order: read, check, meet the data, compile for their sizes, train, test, write. */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { TrainDeclaration } from '../../grammar/ast.ts';
import { report } from '../../compiler/diagnostics/render/index.ts';
import type { Artifact, Sources } from '../../compiler/index.ts';
import type { TrainSettings } from '../../compiler/graph/types.ts';
import {
  batchOf,
  evaluateEventually,
  fold,
  split as splitColumns,
  trainedRows,
  type EventualTrainable,
  type Metrics,
} from '../../runtime/fit.ts';
import { exportWeights } from '../../runtime/exchange.ts';
import { encodeWeights } from '../../runtime/files.ts';
import { spread, trialsOf, type Trial } from '../../runtime/trials.ts';
import {
  awaited,
  gpuLimits,
  instantiateAny,
  memoryOf,
  parametersOf,
  type RunTarget,
  type Threads,
} from '../artifact.ts';
import { prepareFolder, readBytes, removeFile, writeFile } from '../files.ts';
import { wantedByTrain } from '../inputs.ts';
import { lookOf, type Io, type LookOptions } from '../io.ts';
import { cliReport, formatBytes, refuse } from '../problems.ts';
import { checkedProgram, chooseTrain, compiled, openProject, showReports, type Project } from '../project.ts';
import type { RunRecord } from '../report/record.ts';
import { renderReport } from '../report/report.ts';
import { createProgress, formatMeasure, type Progress } from '../terminal/progress.ts';
import { tokenizerOfData } from '../text/tokenizer.ts';
import { readSaved, type RunFacts } from '../train/checkpoint.ts';
import { beside, countable, openRunData, type RunData } from '../train/data.ts';
import { drawSamples } from '../train/samples.ts';
import { begun, startOf } from '../train/start.ts';
import { finite, trainable, trainSession, type SessionResult } from '../train/session.ts';
import { weightsBytes } from '../weights.ts';

export interface TrainOptions extends LookOptions {
  readonly only?: string;
  readonly data?: readonly string[];
  readonly test?: readonly string[];
  readonly epochs?: number;
  readonly batch?: number;
  readonly seed?: number;
  readonly out?: string;
  readonly resume?: boolean;
  /** Weights to begin with, and the `checkpoint` map by which they are read. */
  readonly from?: readonly string[];
  readonly map?: string;
  /** A `checkpoint` map of the source: weights are also written under its names and in its layouts. */
  readonly checkpoint?: string;
  readonly quiet?: boolean;
  /** Go on with NaN and infinity in the data. */
  readonly allowNonfinite?: boolean;
  readonly target: RunTarget;
  readonly gpuMatrices?: boolean;
  readonly memory?: number | 'least';
  readonly threads: Threads;
  /** Steps of which one has its loss read back, on a GPU. */
  readonly readEvery: number;
  readonly const?: Readonly<Record<string, number>>;
}

/** Of a program with a schedule like `plateau`. */
const NEEDS_VALIDATION = 'a schedule goes by the loss of validations, and there is none: validate(split: 0.1)';

/** Rows of a batch where neither the source nor the user says. */
const usualBatch = 32;

export async function train(io: Io, file: string, options: TrainOptions): Promise<number> {
  const started = io.date();
  const project = openProject(io, file);
  const consts = options.const ?? {};
  const { program } = checkedProgram(project, consts);
  const declaration = chooseTrain(program, project.path, options.only);
  const name = declaration.name.text;
  const wanted = wantedByTrain(program, declaration);

  const files = chooseData(
    io,
    project,
    options,
    wanted.specs.map((spec) => spec.name),
  );
  const data = openRunData(io, files.train, wanted);
  const test = files.test.length === 0 || wanted.specs.length === 0 ? null : openRunData(io, files.test, wanted);

  const broken = [...data.remarks, ...(test?.remarks ?? [])]
    .filter(({ code }) => code === 'NN526')
    .map((p) => report(p).message);
  if (broken.length > 0 && options.allowNonfinite !== true) refuse('NN944', { places: broken });

  const batch = batchOf(options.batch ?? wanted.batch?.value ?? usualBatch, data.rows, wanted.batch?.parts ?? 1);
  const sizes = greatest(data, test);
  if (wanted.batch !== null) sizes.set(wanted.batch.size, batch);
  const { artifacts, reports, sources } = compiled(project, {
    only: name,
    bounds: Object.fromEntries(sizes),
    consts,
    targets: [options.target],
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    ...(await gpuLimits(options.target, options.gpuMatrices)),
    otherwise: Math.max(batch, ...sizes.values()),
  });
  const artifact = artifacts.get(name)!;
  const remarks = [...data.remarks, ...(test?.remarks ?? [])].map(report);
  // Notes say how data were read; who reads them as they should be need not be told each time.
  const warnings = [...reports, ...remarks].filter(({ severity }) => severity === 'warning');
  showReports(io, warnings, sources, options);

  const out = options.out ?? join('nnc-out', name);
  prepareFolder(io, out);
  const settings = artifact.unit.training;
  const parts = settings?.batch?.parts ?? 1;
  const maps = (artifact.plan.checkpoints ?? []).map((c) => c.name);
  if (options.checkpoint !== undefined && !maps.includes(options.checkpoint))
    refuse('NN940', {
      path: project.path,
      checkpoint: options.checkpoint,
      reasons: [`the source has ${maps.length === 0 ? 'no checkpoint map' : `the checkpoint maps ${maps.join(', ')}`}`],
    });
  if (options.from !== undefined && options.resume === true)
    refuse('NN937', {
      path: options.from.join(', '),
      unit: name,
      reason: '--resume goes on from the checkpoint in the folder',
      notes: ['leave one of --from and --resume out'],
    });
  if (options.map !== undefined && options.from === undefined)
    refuse('NN937', { path: options.map, unit: name, reason: '--map says how to read the file of --from', notes: [] });
  const start =
    options.from === undefined
      ? null
      : startOf(io, artifact, {
          from: options.from,
          ...(options.map === undefined ? {} : { map: options.map }),
        });
  if (batch < parts) refuse('NN927', { rows: data.rows, reason: `a step takes its batch in ${parts} equal parts` });
  const trials = trialsOf(settings?.runs ?? 1, settings?.folds ?? null, options.seed ?? 0);

  const once = async (trial: Trial, out: string): Promise<{ code: number; record: RunRecord }> => {
    const { share, training, validation, rows } = divided(data, settings, trial);
    if (artifact.plan.programs['validated'] !== undefined && validation === null)
      refuse('NN930', { unit: name, reasons: [NEEDS_VALIDATION] });
    const facts: RunFacts = {
      seed: trial.seed,
      target: options.target,
      batch,
      split: share,
      rows: data.rows,
      data: digest(
        Object.values(data.columns)
          .map((column) => column.data)
          .concat(Object.values(data.whole)),
      ),
      program: digest([new TextEncoder().encode(sources.files.map(({ text }) => text).join('\0'))]),
    };
    const checkpointPath = join(out, 'checkpoint.safetensors');
    const resumed = options.resume === true ? readSaved(io, checkpointPath, artifact.plan, facts) : null;
    const epochs = options.epochs ?? settings?.epochs ?? 1;

    const unit = await instantiateAny(artifact, options.target, facts.seed, options.threads, null, options.gpuMatrices);
    if (start !== null) unit.load(begun(await unit.weights(), start));
    const counts = { train: rows.train, validation: rows.validation, test: test?.rows ?? 0 };
    if (options.quiet !== true) {
      io.stdout.write(`${name} in ${project.path}${trialText(trial, trials)}: ${introduction(artifact, counts)}\n`);
      for (const line of start?.lines ?? []) io.stdout.write(`${line}\n`);
      if (resumed !== null) io.stdout.write(`going on after ${resumed.saved.state.checkpoint.step} steps\n`);
    }
    for (const change of resumed?.changed ?? []) io.stderr.write(`warning: ${change}\n`);

    const batchSize = wanted.batch?.size ?? null;
    const result = await trainSession(io, artifact, trainable(unit, data, batchSize), {
      epochs,
      batch,
      patience: settings?.patience ?? null,
      seed: facts.seed,
      training,
      validation,
      rows: trainedRows(parts, rows.train, batch),
      parts,
      readEvery: options.readEvery,
      checkpointPath,
      facts,
      resume: resumed?.saved ?? null,
      progress: progressOf(io, options, epochs, trainedRows(parts, rows.train, batch), resumed?.saved.state.epoch ?? 0),
    });

    const kept = result.best?.epoch ?? (result.epochs.at(-1)?.epoch ?? 0) - 1;
    const usable = result.end !== 'diverged' || result.best !== null;
    // A run that kept nothing does not leave an earlier one's weights under its report.
    const stale = ['weights.safetensors', ...(result.epochs.length === 0 ? ['checkpoint.safetensors'] : [])];
    const removed = usable ? [] : stale.filter((file) => removeFile(io, join(out, file)));
    if (usable) {
      // Weights of a language model go with the tokenizer of the text that they were trained on.
      const tokenizer = tokenizerOfData(io, files.train);
      const further: Record<string, string> = tokenizer === null ? {} : { tokenizer: JSON.stringify(tokenizer) };
      const trained = await unit.weights();
      const bytes = weightsBytes(trained, name, kept + 1, further);
      writeFile(io, join(out, 'weights.safetensors'), bytes);
      if (options.checkpoint !== undefined) {
        const theirs = exportWeights(artifact.plan, options.checkpoint, trained);
        writeFile(io, join(out, `weights.${options.checkpoint}.safetensors`), encodeWeights(theirs));
      }
    }
    const tested =
      test === null || !usable ? null : await testMeasures(artifact, trainable(unit, test, batchSize), test, batch);

    const record: RunRecord = {
      version: 1,
      program: basename(project.path),
      path: project.path,
      consts,
      train: name,
      target: options.target,
      started,
      seconds: result.seconds,
      seed: facts.seed,
      epochsPlanned: epochs,
      rows: counts,
      parameters: parametersOf(artifact.plan),
      memory: memoryOf(artifact.plan),
      configuration: [
        ...(options.from === undefined ? [] : [['from', options.from.join(', ')] as const]),
        ...configuration(declaration, sources),
      ],
      epochs: result.epochs,
      best: result.best === null ? null : { epoch: result.best.epoch + 1, measure: 'loss', value: result.best.loss },
      end: result.end,
      test: tested === null ? null : finite(tested),
      warnings: warnings.map(({ message }) => message),
    };
    writeFile(io, join(out, 'run.json'), `${JSON.stringify(record, null, 2)}\n`);
    const reportPath = join(out, 'report.html');
    writeFile(io, reportPath, renderReport(record));

    io.stdout.write(outcome(result, epochs, tested, test));
    if (test !== null && usable && options.quiet !== true) {
      const drawn = await drawSamples(artifact, unit, wanted, test, batch, lookOf(io.stdout, io, options));
      if (drawn !== '') io.stdout.write(`\n${drawn}\n`);
    }
    unit.close();
    if (usable) io.stdout.write(`weights: ${join(out, 'weights.safetensors')}\n`);
    io.stdout.write(`report: ${reportPath}\n`);
    if (removed.length > 0) io.stdout.write(`removed ${removed.join(' and ')} of an earlier run from ${out}\n`);
    if (result.diverged !== null) {
      const diverged = cliReport('NN926', {
        ...result.diverged,
        kept: result.best === null ? null : result.best.epoch + 1,
        saved: result.epochs.length,
      });
      showReports(io, [diverged], sources, options);
      return { code: 1, record };
    }
    return { code: result.end === 'interrupted' ? 130 : 0, record };
  };

  if (trials.length === 1) return (await once(trials[0]!, out)).code;
  return severalTimes(io, out, trials, once);
}

/** `runs 10`, `validate(folds: 5)`: a folder for each training, and over all of them what they have in common. */
async function severalTimes(
  io: Io,
  out: string,
  trials: readonly Trial[],
  once: (trial: Trial, folder: string) => Promise<{ code: number; record: RunRecord }>,
): Promise<number> {
  const done: { trial: Trial; folder: string; record: RunRecord }[] = [];
  let failed = 0;
  for (const trial of trials) {
    const folder = join(out, trialName(trial, '-'));
    prepareFolder(io, folder);
    const { code, record } = await once(trial, folder);
    if (code === 130) return code;
    if (code !== 0) failed = code;
    done.push({ trial, folder, record });
    io.stdout.write('\n');
  }
  const measured = done.map(({ record }) => measuresOf(record));
  const over = spread(measured);
  const losses = measured.map((m) => m['loss'] ?? Infinity);
  const best = done[losses.indexOf(Math.min(...losses))]!;
  const record: RunRecord = {
    ...best.record,
    trials: done.map(({ trial, record: own }, k) => ({
      name: trialName(trial, ' '),
      seed: trial.seed,
      end: own.end,
      measures: finite(measured[k]!),
    })),
    spread: over,
  };
  for (const file of ['weights.safetensors'])
    if (best.record.end !== 'diverged') writeFile(io, join(out, file), readBytes(io, join(best.folder, file)));
  writeFile(io, join(out, 'run.json'), `${JSON.stringify(record, null, 2)}\n`);
  writeFile(io, join(out, 'report.html'), renderReport(record));
  const lines = Object.entries(over).map(
    ([measure, { mean, deviation, least, most }]) =>
      `${measure} ${formatMeasure(mean)} ± ${formatMeasure(deviation ?? 0)} (${formatMeasure(least)} to ${formatMeasure(most)})`,
  );
  const what = best.record.epochs.some((e) => e.validation !== null) ? 'validation' : 'training';
  io.stdout.write(`${done.length} trainings, ${what}, mean ± deviation: ${lines.join(', ')}\n`);
  io.stdout.write(`best: ${trialName(best.trial, ' ')}, whose weights are in ${join(out, 'weights.safetensors')}\n`);
  io.stdout.write(`report: ${join(out, 'report.html')}\n`);
  return failed;
}

const trialName = ({ run, fold }: Trial, between: string): string =>
  [`run${between}${run + 1}`, ...(fold === null ? [] : [`fold${between}${fold + 1}`])].join(between);

const trialText = (trial: Trial, trials: readonly Trial[]): string =>
  trials.length === 1 ? '' : `, ${trialName(trial, ' ')}`;

/** What a training is judged by: the validation of its best epoch, else the figures of its last. */
function measuresOf({ epochs, best }: RunRecord): Metrics {
  const epoch = best === null ? epochs.at(-1) : epochs.find((e) => e.epoch === best.epoch);
  const values = epoch?.validation ?? epoch?.train ?? {};
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? NaN]));
}

/** `--data` and `--test`, else what lies beside the program. */
function chooseData(
  io: Io,
  { path }: Project,
  options: TrainOptions,
  inputs: readonly string[],
): { train: readonly string[]; test: readonly string[] } {
  const given = options.data ?? [];
  if (inputs.length === 0) return { train: [], test: [] };
  if (given.length > 0) return { train: given, test: options.test ?? [] };
  const found = beside(io, path, 'train');
  if (found.files.length === 0) return refuse('NN923', { path, inputs, looked: found.looked });
  return { train: found.files, test: options.test ?? beside(io, path, 'test').files };
}

/** The greatest value of each size in any of the data. */
function greatest(data: RunData, test: RunData | null): Map<string, number> {
  const sizes = new Map(data.sizes);
  for (const [size, value] of test?.sizes ?? []) sizes.set(size, Math.max(value, sizes.get(size) ?? 0));
  return sizes;
}

function divided({ columns, rows }: RunData, settings: TrainSettings | null, trial: Trial) {
  if (trial.fold !== null && Object.keys(columns).length > 0) {
    const folds = settings!.folds!;
    if (folds < 2 || folds > rows) refuse('NN927', { rows, reason: `they do not go into ${folds} folds` });
    const parts = fold(columns, folds, trial.fold, trial.seed);
    const train = Math.floor(((trial.fold + 1) * rows) / folds) - Math.floor((trial.fold * rows) / folds);
    return { share: null, ...parts, rows: { train: rows - train, validation: train } };
  }
  const split = settings?.split ?? null;
  const share = split !== null && split > 0 ? split : null;
  if (share === null || Object.keys(columns).length === 0) {
    return { share: null, training: columns, validation: null, rows: { train: rows, validation: 0 } };
  }
  const held = Math.max(1, Math.round(rows * share));
  if (held >= rows) return refuse('NN927', { rows, reason: `holding out ${share} of them leaves none to train on` });
  const parts = splitColumns(columns, share, trial.seed);
  return { share, ...parts, rows: { train: rows - held, validation: held } };
}

const testMeasures = (
  artifact: Artifact,
  unit: EventualTrainable,
  test: RunData,
  batch: number,
): Promise<Metrics | null> => awaited(artifact, () => evaluateEventually(unit, countable(test.columns), batch));

function progressOf(io: Io, options: TrainOptions, epochs: number, rows: number, start: number): Progress {
  const silent: Progress = {
    step: () => {},
    epoch: () => {},
    say: (text) => io.stderr.write(`${text}\n`),
    finish: () => {},
  };
  if (options.quiet === true) return silent;
  const { color } = lookOf(io.stdout, io, options);
  return createProgress({ stream: io.stdout, now: io.now, epochs, rows, start, color });
}

function introduction({ plan }: Artifact, rows: RunRecord['rows']): string {
  const number = (n: number) => n.toLocaleString('en-US');
  const parts = [
    `${number(rows.train)} rows to train on`,
    ...(rows.validation > 0 ? [`${number(rows.validation)} to validate`] : []),
    ...(rows.test > 0 ? [`${number(rows.test)} to test`] : []),
  ];
  return `${parts.join(', ')}; ${number(parametersOf(plan))} parameters, ${formatBytes(memoryOf(plan))} of memory`;
}

function outcome(result: SessionResult, epochs: number, tested: Metrics | null, test: RunData | null): string {
  const done = result.epochs.length;
  const lines: string[] = [];
  if (result.end === 'early')
    lines.push(`stopped early after ${done} of ${epochs} epochs: the validation loss no longer falls`);
  if (result.end === 'interrupted') lines.push(`interrupted after ${done} of ${epochs} epochs; --resume goes on`);
  const last =
    result.best === null ? result.epochs.at(-1) : result.epochs.find(({ epoch }) => epoch - 1 === result.best!.epoch);
  if (last !== undefined) {
    const what = last.validation === null ? 'training' : 'validation';
    const measures = measureText(last.validation ?? last.train);
    lines.push(`${result.best === null ? 'last' : 'best'} epoch ${last.epoch}: ${measures} (${what})`);
  }
  if (tested !== null) lines.push(`test: ${measureText(tested)} (${test!.rows.toLocaleString('en-US')} rows)`);
  return lines.map((line) => `${line}\n`).join('');
}

const measureText = (values: Readonly<Record<string, number | null>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${formatMeasure(value ?? NaN)}`)
    .join(', ');

/** How the block says it is trained, in its own words. */
function configuration(declaration: TrainDeclaration, sources: Sources): [string, string][] {
  const shown = new Set([
    'minimize',
    'metric',
    'optimizer',
    'gradient',
    'batch',
    'epochs',
    'validate',
    'runs',
    'precision',
  ]);
  return declaration.statements.flatMap((s): [string, string][] => {
    if (!shown.has(s.kind)) return [];
    const text = sources.text(s.span).replace(/\s+/g, ' ').trim();
    return [[s.kind, text.slice(s.kind.length).trim()]];
  });
}

function digest(parts: readonly (Float32Array | Int32Array | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return hash.digest('hex');
}
