/** Note 4: bias against variance, regularisation of each kind, and early stopping, from the records of `nnc study`. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeIo } from '../../cli/io.ts';
import { main } from '../../cli/main.ts';
import { figure, type Panel } from '../../cli/report/figure.ts';
import type { StudyRecord } from '../../cli/study/record.ts';
import { curvePanels, studyPanels } from '../../cli/study/show.ts';
import { save } from './support.ts';

const silent = { ...nodeIo(), stdout: { write: () => true } };

/** The record of a command; one that lies in nnc-out/learn from before is taken as it is. Remove that folder to run everything anew. */
export async function recorded<T>(words: readonly string[], name: string, file: string): Promise<T> {
  const out = join('nnc-out', 'learn', name);
  const path = join(out, file);
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as T;
  const code = await main([...words, '--out', out], silent);
  if (code !== 0) throw new Error(`nnc ${words.join(' ')} ended with ${code}`);
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

const study = (words: string, name: string): Promise<StudyRecord> =>
  recorded<StudyRecord>(['study', ...words.split(' '), '--target', 'wasm'], name, 'study.json');

export async function biasVariance(): Promise<void> {
  const record = await study(
    'examples/bias-variance.nn --vary hidden=1,2,3,4,8,16,32 --rows 40 --retrainings 40 --epochs 2000 --seed 1',
    'bias-variance',
  );
  save(
    'bias-variance.svg',
    figure(studyPanels(record), {
      title: 'Bias, variance and noise by width',
      columns: 2,
      panelWidth: 420,
      panelHeight: 280,
    }),
  );
}

const digits =
  'examples/regularise.nn --data examples/data/digits-train.csv.gz --test examples/data/digits-test.csv.gz --rows 100 --retrainings 12';
const kinds = [
  'dropout=0,0.1,0.2,0.3,0.5',
  'input_noise=0,0.05,0.1,0.2,0.4',
  'label_noise=0,0.05,0.1,0.2,0.4',
  'l1=0,1e-4,3e-4,1e-3,3e-3',
  'decay=0,0.1,0.3,1,3',
  'hidden=4,8,16,32,64,128',
];

export async function regularisation(): Promise<void> {
  const panels: Panel[] = [];
  for (const kind of kinds) {
    const record = await study(`${digits} --vary ${kind}`, `regularise-${nameOf(kind)}`);
    const [loss] = studyPanels(record);
    panels.push({ ...loss!, title: `loss by ${record.vary}` });
  }
  save(
    'regularisation.svg',
    figure(panels, { title: 'Training, validation and test loss by regularisation', columns: 3 }),
  );
}

const nameOf = (kind: string): string => kind.split('=')[0]!;

export async function earlyStopping(): Promise<void> {
  const record = await study(`${digits} --epochs 250`, 'early-stopping');
  save(
    'early-stopping.svg',
    figure(curvePanels(record), { title: 'Losses by epoch', panelWidth: 560, panelHeight: 280 }),
  );
  const [v] = record.variants;
  console.log(
    `test at the best epoch ${v!.test['loss']!.mean.toFixed(4)}, at the last ${v!.last.test['loss']!.mean.toFixed(4)}`,
  );
}
