/** Notes 7 and 9: language models of one size on a novel, and what the translator attends to. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseTokenizer } from '../../analysis/text/tokens.ts';
import type { TranslateRecord } from '../../cli/commands/translate.ts';
import { figure, heatMaps, type HeatMap, type Point } from '../../cli/report/figure.ts';
import type { RunRecord } from '../../cli/report/record.ts';
import { encoder } from '../../analysis/text/tokens.ts';
import { decodeWeights } from '../../runtime/files.ts';
import { compile } from '../../compiler/index.ts';
import { instantiate, type ResultTensor } from '../../cli/artifact.ts';
import { recorded } from './studies.ts';
import { save } from './support.ts';

const data = (part: string): string => `nnc-out/data/moby-${part}.safetensors`;

export async function languageModels(): Promise<void> {
  const names = [
    ['Gpt', 'decoder-only Transformer'],
    ['Gru', 'GRU'],
    ['Lstm', 'LSTM'],
    ['Simple', 'simple recurrent network'],
  ] as const;
  const curves = [];
  for (const [color, [name, title]] of names.entries()) {
    const words = `train examples/text.nn --only ${name}Text --data ${data('train')} --test ${data('test')} --target wasm --quiet`;
    const run = await recorded<RunRecord>(words.split(' '), `text-${name}`, 'run.json');
    const points = run.epochs.map(({ epoch, train }): Point => [epoch, train['bits'] ?? NaN]);
    const test = run.test!['bits']!;
    curves.push(
      { name: title, color, style: 'both' as const, points },
      { name: '', color, style: 'points' as const, points: [[run.epochs.length + 0.3, test]] as Point[] },
    );
    console.log(
      `| ${title} | ${run.parameters} | ${points.map(([, y]) => y.toFixed(2)).join(', ')} | ${test.toFixed(2)} | ${Math.round(run.seconds)} s |`,
    );
  }
  save(
    'language-models.svg',
    figure([{ title: 'bits a character: training by epoch, and the test at the end', x: { label: 'epoch' }, curves }], {
      title: 'Bits a character of four language models',
      columns: 1,
      panelWidth: 520,
      panelHeight: 280,
    }),
  );
}

interface Language {
  /** Folder of the run, beginning of its data's names. */
  readonly name: string;
  readonly data: string;
  readonly consts: Readonly<Record<string, number>>;
  readonly train: readonly string[];
  readonly translate: readonly string[];
  /** Whose attention is drawn, and where. */
  readonly sentence: string;
  readonly picture: string;
}

const program = 'examples/translation.nn';
const spanish: Language = {
  name: 'translation',
  data: 'verses',
  consts: {},
  train: [],
  translate: [],
  sentence: 'And the king said unto him, What is thy name?',
  picture: 'attention.svg',
};
const chineseLanguage: Language = {
  name: 'chinese',
  data: 'messages-zh',
  consts: { pieces: 3000 },
  train: ['--epochs', '8'],
  translate: ['--bleu', 'characters'],
  sentence: 'Delete the selected table',
  picture: 'attention-chinese.svg',
};

export const translation = (): Promise<void> => translated(spanish);
export const chinese = (): Promise<void> => translated(chineseLanguage);

/** Trained, scored on all of the test sentences greedily and with a beam; and the attention of the translation of a sentence. */
async function translated(language: Language): Promise<void> {
  const { name, consts, sentence } = language;
  const file = (part: string): string => `nnc-out/data/${language.data}-${part}.safetensors`;
  const constants = Object.entries(consts).flatMap(([key, value]) => ['--const', `${key}=${value}`]);
  const common = [program, ...constants, '--target', 'wasm'];
  const data = ['--data', file('train'), '--test', file('validation')];
  const run = await recorded<RunRecord>(['train', ...common, ...data, ...language.train, '--quiet'], name, 'run.json');
  console.log(
    `${run.parameters} parameters, ${run.epochs.length} epochs, ${Math.round(run.seconds)} s; validation ${JSON.stringify(run.test)}`,
  );
  const weights = join('nnc-out', 'learn', name, 'weights.safetensors');
  const translate = (words: readonly string[], to: string): Promise<TranslateRecord> =>
    recorded<TranslateRecord>(
      ['translate', ...common, '--weights', weights, '--most', '40', ...language.translate, ...words],
      `${name}-${to}`,
      'translate.json',
    );
  for (const beam of [1, 4]) {
    const found = await translate(['--data', file('test'), '--beam', String(beam)], `beam-${beam}`);
    console.log(
      `beam ${beam}: BLEU ${found.bleu!.toFixed(1)}, chrF ${found.chrf!.toFixed(1)}, ${found.sentences} sentences, ${found.seconds.toFixed(0)} s`,
    );
    for (const t of found.translations.slice(0, 12))
      console.log(`  ${t.source}\n    ${t.translation}\n    ${t.reference}`);
  }
  const one = await translate(['--text', sentence, '--beam', '4'], 'sentence');
  const spoken = one.translations[0]!.translation;
  console.log(`${sentence}\n  ${spoken}`);
  save(language.picture, await attention(weights, sentence, spoken, consts));
}

async function attention(
  path: string,
  sentence: string,
  spoken: string,
  consts: Readonly<Record<string, number>>,
): Promise<string> {
  const file = decodeWeights(readFileSync(path));
  if (!file.ok) throw new Error(`${path} cannot be read`);
  const tokenizer = parseTokenizer(file.metadata['tokenizer'] ?? '')!;
  const encode = encoder(tokenizer);
  const [source, before] = [encode(sentence), [1, ...encode(spoken)]];
  const [S, T] = [source.length, before.length];
  const at = 'decoder.1.decoder_layer';
  const { artifacts } = compile(readFileSync(program, 'utf8'), {
    only: 'Translate',
    consts,
    bounds: { B: 1, S, T },
    expose: [`${at}.self.weight`, `${at}.cross.weight`],
  });
  const unit = await instantiate(artifacts.get('Translate')!, 'ts');
  unit.load(file.weights);
  const inputs = { source: Int32Array.from(source), source_length: Int32Array.of(S), before: Int32Array.from(before) };
  const result = unit.forward(inputs, { B: 1, S, T }) as Readonly<Record<string, ResultTensor>>;
  const word = (id: number): string => (id === 1 ? 'start' : tokenizer.symbols[id]!.replace(/^ /, '') || '·');
  /** The mean over heads. */
  const map = (name: string, title: string, columns: readonly string[]): HeatMap => {
    const { shape, data: all } = result[name]!;
    const [, H, rows, width] = shape as [number, number, number, number];
    const values = Array.from({ length: rows }, (_, t) =>
      Array.from({ length: width }, (_v, s) => {
        let sum = 0;
        for (let h = 0; h < H; h++) sum += all[(h * rows + t) * width + s]! / H;
        // The masked places stay empty.
        return name.includes('self') && s > t ? null : sum;
      }),
    );
    return { title, rows: before.map(word), columns, values, full: 1, cell: 16 };
  };
  return heatMaps(
    [
      map(`${at}.self.weight`, 'masked self-attention: row 0 holds word 0 alone', before.map(word)),
      map(`${at}.cross.weight`, 'attention over the source', source.map(word)),
    ],
    { title: 'Attention of the translator', columns: 2 },
  );
}
