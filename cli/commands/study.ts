/**
 * `nnc study`: one program trained many times on resampled rows, with training, validation and test kept apart; for each value of a const, if one
 * is varied. Out come the errors with intervals, the decomposition of the error into bias, variance and noise, and the curves.
 */
import { basename, join } from 'node:path';
import { decompose, type Decomposition } from '../../analysis/decomposition.ts';
import type { Scheme } from '../../analysis/resample.ts';
import type { Artifact } from '../../compiler/index.ts';
import { parametersOf, type NodeTarget } from '../artifact.ts';
import { prepareFolder, writeFile } from '../files.ts';
import { wantedByTrain } from '../inputs.ts';
import type { Io, LookOptions } from '../io.ts';
import { refuse } from '../problems.ts';
import { checkedProgram, chooseTrain, compiled, openProject, showReports } from '../project.ts';
import { predictionOf } from '../study/prediction.ts';
import type { StudyRecord, VariantRecord } from '../study/record.ts';
import { decompositionStream, partsOf, runs, type OneRun } from '../study/runs.ts';
import { curveFigure, studyFigure, studyHtml, studyText } from '../study/show.ts';
import { variantRecord } from '../study/summary.ts';
import { compared } from '../study/truth.ts';
import { beside, openRunData, selectRows, type RunData } from '../train/data.ts';

export interface StudyOptions extends LookOptions {
  readonly only?: string;
  readonly data?: readonly string[];
  readonly test?: readonly string[];
  readonly holdout?: number;
  readonly vary?: { readonly name: string; readonly values: readonly number[] };
  readonly retrainings: number;
  readonly resample?: Scheme;
  readonly rows?: number;
  readonly sameStart?: boolean;
  readonly noise?: number;
  readonly prediction?: string;
  readonly truth?: string;
  readonly confidence: number;
  readonly epochs?: number;
  readonly batch?: number;
  readonly seed?: number;
  readonly const?: Readonly<Record<string, number>>;
  readonly out?: string;
  readonly quiet?: boolean;
  readonly target: NodeTarget;
}

const usualBatch = 32;
const usualHoldout = 0.2;

export async function study(io: Io, file: string, options: StudyOptions): Promise<number> {
  const begun = io.now();
  const project = openProject(io, file);
  const values: readonly (number | null)[] = options.vary?.values ?? [null];
  const constsOf = (value: number | null): Record<string, number> => ({
    ...options.const,
    ...(options.vary === undefined || value === null ? {} : { [options.vary.name]: value }),
  });
  // Every variant is checked before the first is trained.
  const checked = values.map((value) => checkedProgram(project, constsOf(value)));
  const { program } = checked[0]!;
  const declaration = chooseTrain(program, project.path, options.only);
  const name = declaration.name.text;
  const wanted = wantedByTrain(program, declaration);
  if (wanted.specs.length === 0 || wanted.batch === null)
    return refuse('NN934', { reason: `${name} has no rows of data`, advice: 'a study resamples rows of inputs' });

  const dataFiles = options.data ?? beside(io, project.path, 'train').files;
  if (dataFiles.length === 0)
    return refuse('NN923', {
      path: project.path,
      inputs: wanted.specs.map((spec) => spec.name),
      looked: beside(io, project.path, 'train').looked,
    });
  const testFiles =
    options.test ??
    (options.data === undefined && options.holdout === undefined ? beside(io, project.path, 'test').files : []);
  const data = openRunData(io, dataFiles, wanted);
  const testData = testFiles.length === 0 ? null : openRunData(io, testFiles, wanted);

  const found = predictionOf(program, declaration, options);
  if (!found.ok && (options.prediction !== undefined || options.truth !== undefined))
    return refuse('NN934', {
      reason: found.reason,
      advice: '--prediction names a `let`, --truth an input of the train block',
    });
  const prediction = found.ok ? found.prediction : null;

  const batch = Math.min(options.batch ?? wanted.batch.value ?? usualBatch, data.rows);
  const batchSize = wanted.batch.size;
  const sizes = new Map(data.sizes);
  for (const [size, extent] of testData?.sizes ?? []) sizes.set(size, Math.max(extent, sizes.get(size) ?? 0));
  sizes.set(batchSize, batch);
  const artifacts: Artifact[] = values.map((value, i) => {
    const built = compiled(project, {
      only: name,
      bounds: Object.fromEntries(sizes),
      consts: constsOf(value),
      targets: [options.target],
      ...(prediction === null ? {} : { expose: [prediction.name] }),
      otherwise: Math.max(batch, ...sizes.values()),
    });
    if (i === 0)
      showReports(
        io,
        built.reports.filter(({ severity }) => severity === 'warning'),
        built.sources,
        options,
      );
    return built.artifacts.get(name)!;
  });

  const settings = artifacts[0]!.unit.training;
  const seed = options.seed ?? 0;
  const share = settings?.split ?? null;
  const parts = partsOf(data.rows, testData === null ? (options.holdout ?? usualHoldout) : null, share, seed);
  const scheme: Scheme = options.resample ?? (options.rows === undefined ? 'bootstrap' : 'subset');
  const rows = options.rows ?? parts.pool.length;
  enough(parts.pool.length, rows, scheme, data);
  const testColumns = testData?.columns ?? selectRows(data.columns, parts.test!);
  const test = { data: testData ?? data, columns: testColumns };
  const testRows = testData?.rows ?? parts.test!.length;
  const epochs = options.epochs ?? settings?.epochs ?? 1;

  const out = options.out ?? join('nnc-out', `${name}-study`);
  prepareFolder(io, out);
  let interrupted = false;
  const release = io.onInterrupt(() => {
    if (interrupted) io.abort(130);
    interrupted = true;
    io.stderr.write('stopping after this training; Ctrl-C again stops at once\n');
  });
  const variants: VariantRecord[] = [];
  let first: readonly OneRun[] | null = null;
  let error = '';
  let reason = found.ok ? '' : found.reason;
  if (options.retrainings < 4 && reason === '') reason = 'a decomposition needs four retrainings or more';
  try {
    for (const [i, value] of values.entries()) {
      const label = options.vary === undefined ? '' : `${options.vary.name} ${value}: `;
      const all = await runs(artifacts[i]!, {
        target: options.target,
        epochs,
        batch,
        patience: settings?.patience ?? null,
        batchSize,
        seed,
        retrainings: options.retrainings,
        scheme,
        rows,
        sameStart: options.sameStart === true,
        data,
        parts,
        test,
        prediction: prediction?.name ?? null,
        onRun: async (done) => {
          if (options.quiet !== true && io.stderr.isTTY === true)
            io.stderr.write(
              `\r${label}${done}/${options.retrainings} trained${done === options.retrainings ? '\n' : ''}`,
            );
          await io.pause();
          return !interrupted;
        },
      });
      if (all === null) {
        io.stderr.write('interrupted: nothing is written\n');
        return 130;
      }
      let decomposition: Decomposition | null = null;
      if (prediction !== null && reason === '') {
        const pairs = compared(all, testColumns, prediction.truth, prediction.role, options.noise ?? null);
        if (pairs.ok) {
          error = pairs.error;
          decomposition = decompose(pairs.input, decompositionStream(seed), 1000, options.confidence);
        } else reason = pairs.reason;
      }
      const parameters = parametersOf(artifacts[i]!.plan);
      variants.push(variantRecord(value, parameters, all, first, decomposition, options.confidence));
      first ??= all;
    }
  } finally {
    release();
  }

  const record: StudyRecord = {
    version: 1,
    program: basename(project.path),
    train: name,
    vary: options.vary?.name ?? null,
    scheme,
    retrainings: options.retrainings,
    rows: { each: rows, pool: parts.pool.length, validation: parts.validation?.length ?? 0, test: testRows },
    seed,
    epochs,
    confidence: options.confidence,
    seconds: (io.now() - begun) / 1000,
    decomposition:
      reason === '' && prediction !== null
        ? { prediction: prediction.name, truth: prediction.truth, error }
        : { reason },
    variants,
  };
  writeFile(io, join(out, 'study.json'), `${JSON.stringify(record, null, 1)}\n`);
  writeFile(io, join(out, 'study.html'), studyHtml(record));
  const pictures: readonly (readonly [string, string | null])[] = [
    ['study.svg', studyFigure(record)],
    ['curves.svg', curveFigure(record)],
  ];
  for (const [path, picture] of pictures) if (picture !== null) writeFile(io, join(out, path), picture);
  io.stdout.write(studyText(record));
  io.stdout.write(`report: ${join(out, 'study.html')}\n`);
  return 0;
}

function enough(pool: number, rows: number, scheme: Scheme, data: RunData): void {
  if (pool < 1)
    return refuse('NN927', {
      rows: data.rows,
      reason: 'keeping rows apart to test and to validate leaves none to train on',
    });
  if (scheme === 'subset' && rows > pool)
    return refuse('NN927', {
      rows: data.rows,
      reason: `sets of ${rows} without repetition need more than the ${pool} that are not kept apart`,
    });
}
