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

const verses = (part: string): string => `nnc-out/data/verses-${part}.safetensors`;
const sentence = 'And the king said unto him, What is thy name?';

/** Greedy and beam, scored on the test verses; and the attention of the greedy translation of a sentence. */
export async function translation(): Promise<void> {
  const train = `train examples/translation.nn --data ${verses('train')} --test ${verses('validation')} --target wasm --quiet`;
  const run = await recorded<RunRecord>(train.split(' '), 'translation', 'run.json');
  console.log(`${run.parameters} parameters, ${Math.round(run.seconds)} s; validation ${JSON.stringify(run.test)}`);
  const weights = join('nnc-out', 'learn', 'translation', 'weights.safetensors');
  for (const beam of [1, 4]) {
    const words = `translate examples/translation.nn --weights ${weights} --data ${verses('test')} --limit 200 --beam ${beam} --most 40 --target wasm`;
    const found = await recorded<TranslateRecord>(words.split(' '), `translation-beam-${beam}`, 'translate.json');
    console.log(
      `beam ${beam}: BLEU ${found.bleu!.toFixed(1)}, chrF ${found.chrf!.toFixed(1)}, ${found.sentences} sentences, ${found.seconds.toFixed(0)} s`,
    );
    for (const t of found.translations.slice(0, 6))
      console.log(`  ${t.source}\n    ${t.translation}\n    ${t.reference}`);
  }
  const one = await recorded<TranslateRecord>(
    [
      'translate',
      'examples/translation.nn',
      '--weights',
      weights,
      '--text',
      sentence,
      '--beam',
      '4',
      '--most',
      '40',
      '--target',
      'wasm',
    ],
    'translation-sentence',
    'translate.json',
  );
  const spoken = one.translations[0]!.translation;
  console.log(`${sentence}\n  ${spoken}`);
  save('attention.svg', await attention(weights, spoken));
}

async function attention(path: string, spoken: string): Promise<string> {
  const file = decodeWeights(readFileSync(path));
  if (!file.ok) throw new Error(`${path} cannot be read`);
  const tokenizer = parseTokenizer(file.metadata['tokenizer'] ?? '')!;
  const encode = encoder(tokenizer);
  const [source, before] = [encode(sentence), [1, ...encode(spoken)]];
  const [S, T] = [source.length, before.length];
  const at = 'decoder.1.decoder_layer';
  const { artifacts } = compile(readFileSync('examples/translation.nn', 'utf8'), {
    only: 'Translate',
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
