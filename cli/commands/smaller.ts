/**
 * `nnc run --compare int8`: what a model loses when its weights are stored in fewer bytes. The same rows through the whole and the stored weights:
 * the largest and the mean difference of every result and how often its greatest element stays the same; and, where the file trains the model and
 * the data have what that needs, the metrics with both.
 */
import { evaluateAll, type Metrics, type Trainable } from '../../runtime/fit.ts';
import type { Weights } from '../../runtime/weights.ts';
import type { Artifact } from '../../compiler/index.ts';
import type { Program } from '../../compiler/check/program.ts';
import { guarded, instantiate } from '../artifact.ts';
import { wantedByTrain } from '../inputs.ts';
import type { Io } from '../io.ts';
import { formatBytes, Refusal } from '../problems.ts';
import { compiled, type Project } from '../project.ts';
import type { NamedTensor } from '../results.ts';
import { countable, openRunData } from '../train/data.ts';

interface Row {
  readonly name: string;
  readonly largest: number;
  readonly mean: number;
  /** Of the values. */
  readonly size: number;
  /** Share of the rows (of the last axis) whose greatest element is at the same place; null for anything else than rows of several. */
  readonly same: number | null;
}

export function differences(whole: readonly NamedTensor[], stored: readonly NamedTensor[]): Row[] {
  return whole.map(({ name, shape, data }, k): Row => {
    const other = stored[k]!.data;
    let largest = 0;
    let sum = 0;
    let size = 0;
    for (let i = 0; i < data.length; i++) {
      const difference = Math.abs(data[i]! - other[i]!);
      largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference);
      sum += difference;
      size = Math.max(size, Math.abs(data[i]!));
    }
    const last = shape.at(-1) ?? 1;
    let same = 0;
    const rows = shape.length >= 2 && last > 1 && data instanceof Float32Array ? data.length / last : 0;
    const top = (list: ArrayLike<number>, from: number): number => {
      let best = from;
      for (let i = from + 1; i < from + last; i++) if (list[i]! > list[best]!) best = i;
      return best;
    };
    for (let r = 0; r < rows; r++) if (top(data, r * last) === top(other, r * last)) same++;
    return { name, largest, mean: sum / Math.max(1, data.length), size, same: rows === 0 ? null : same / rows };
  });
}

const number = (x: number): string => Number(x.toPrecision(4)).toString();

export function comparisonText(rules: string, rows: readonly Row[], whole: Artifact, stored: Artifact): string {
  const kept = (a: Artifact): string => formatBytes(a.plan.arenas.persistent);
  const count = stored.plan.leaves.filter((leaf) => leaf.stored !== undefined).length;
  return [
    `f32 against ${rules}: ${count} of ${stored.plan.leaves.length} parameters and states stored smaller, ${kept(whole)} → ${kept(stored)}`,
    ...rows.map(({ name, largest, mean, size, same }) =>
      [
        `  ${name}: largest difference ${number(largest)}, mean ${number(mean)}, of values up to ${number(size)}`,
        ...(same === null ? [] : [`; the same greatest element in ${(100 * same).toFixed(2)} % of the rows`]),
      ].join(''),
    ),
  ].join('\n');
}

/** Metrics of the file's one train block with whole and with stored weights, or why there are none. */
export async function metricsBeside(
  io: Io,
  project: Project,
  program: Program,
  data: readonly string[],
  batch: number,
  model: string,
  whole: Weights,
  stored: Weights,
): Promise<string> {
  const trains = program.entry.ast.declarations.flatMap((d) => (d.kind === 'train' ? [d] : []));
  const [train] = trains;
  if (train === undefined || trains.length > 1) return '  no metrics: they are those of a file with one train block';
  try {
    const wanted = wantedByTrain(program, train);
    const opened = openRunData(io, data, wanted);
    const bounds = Object.fromEntries(opened.sizes);
    if (wanted.batch !== null) bounds[wanted.batch.size] = Math.min(batch, opened.rows);
    const name = train.name.text;
    const artifact = compiled(project, { only: name, bounds, otherwise: batch }).artifacts.get(name)!;
    const [a, b] = await Promise.all(
      [whole, stored].map(async (weights) => {
        const unit = await instantiate(artifact, 'ts');
        const own = new Map(
          artifact.plan.leaves.flatMap(({ path }) => {
            const found = weights.get(path) ?? weights.get(path.replace(`${model}.`, ''));
            return found === undefined ? [] : [[path, { dtype: found.dtype, shape: found.shape, data: found.data }]];
          }),
        );
        guarded(artifact, () => unit.load(own));
        const found = evaluateAll(unit as unknown as Trainable, countable(opened.columns), batch);
        unit.close();
        return found ?? ({} as Metrics);
      }),
    );
    return Object.keys(a!)
      .map((metric) => `  ${metric}: ${number(a![metric]!)} → ${number(b![metric]!)}`)
      .join('\n');
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `  no metrics: ${error.reports[0]?.message ?? 'the data do not fit the train block'}`;
  }
}
