/** `nnc train`: learning, checkpoints, going on, interrupts, and what is wrong with data. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encode } from '../../runtime/safetensors.ts';
import { folder, nnc, program, rows, tensors } from './support.ts';

const here = (): string => folder({ 'net.nn': program, 'rows.csv': rows() });
const digits = resolve('examples/digits.nn');
const train = ['train', 'net.nn', '--data', 'rows.csv'];

describe('digits', () => {
  it('learns to 97 % on the data beside the program', async () => {
    const cwd = folder();
    const { code, out, err } = await nnc(cwd, ['train', digits]);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(Number(/^test: .*accuracy ([\d.]+)/m.exec(out)![1])).toBeGreaterThanOrEqual(0.97);
    expect(out).toMatch(/1,293 rows to train on, 144 to validate, 360 to test; [\d,]+ parameters/);
    // Eight pictures of test digits, with the label and the guess.
    expect(out.match(/\d (✓|→ \d)/g)).toHaveLength(8);
    expect(readdirSync(join(cwd, 'nnc-out/Fit')).sort()).toEqual([
      'checkpoint.safetensors',
      'report.html',
      'run.json',
      'weights.safetensors',
    ]);
    const report = readFileSync(join(cwd, 'nnc-out/Fit/report.html'), 'utf8');
    expect(report).toContain('<!doctype html>');
    const record = JSON.parse(readFileSync(join(cwd, 'nnc-out/Fit/run.json'), 'utf8')) as Record<string, unknown>;
    expect(record).toMatchObject({
      program: 'digits.nn',
      train: 'Fit',
      seed: 0,
      rows: { train: 1293, validation: 144, test: 360 },
    });
  });

  it('writes the weights of the best epoch, which run gives again', async () => {
    const cwd = folder();
    const trained = await nnc(cwd, ['train', digits, '--epochs', '2', '--out', 'o']);
    expect(trained.code).toBe(0);
    const test = resolve('examples/data/digits-test.csv.gz');
    const args = ['run', digits, '--weights', 'o/weights.safetensors', '--data', test];
    expect(await nnc(cwd, [...args, '--out', 'a.safetensors'])).toMatchObject({
      code: 0,
      out: 'a.safetensors: output [360, 10]\n',
    });
    // Other batches, same numbers.
    expect((await nnc(cwd, [...args, '--out', 'b.safetensors', '--batch', '7'])).code).toBe(0);
    const output = tensors(join(cwd, 'a.safetensors')).get('output')!;
    expect(tensors(join(cwd, 'b.safetensors')).get('output')!.data).toEqual(output.data);
    const accuracy = Number(/^test: .*accuracy ([\d.]+)/m.exec(trained.out)![1]);
    expect(accuracyOf(output.data as Float32Array, await labels(cwd, test))).toBeCloseTo(accuracy, 3);
  });
});

/** The labels, read by other code than nnc's data readers. */
async function labels(cwd: string, path: string): Promise<number[]> {
  const { gunzipSync } = await import('node:zlib');
  const lines = gunzipSync(readFileSync(resolve(cwd, path)))
    .toString()
    .trim()
    .split('\n');
  const column = lines[0]!.split(',').indexOf('label');
  return lines.slice(1).map((line) => Number(line.split(',')[column]));
}

function accuracyOf(output: Float32Array, truth: readonly number[]): number {
  const right = truth.filter((label, i) => {
    const row = [...output.subarray(i * 10, i * 10 + 10)];
    return row.indexOf(Math.max(...row)) === label;
  });
  return right.length / truth.length;
}

describe('going on', () => {
  it('after two epochs is what four at once are, bit for bit', async () => {
    const cwd = here();
    expect((await nnc(cwd, [...train, '--epochs', '4', '--out', 'straight'])).code).toBe(0);
    expect((await nnc(cwd, [...train, '--epochs', '2', '--out', 'parts'])).code).toBe(0);
    const second = await nnc(cwd, [...train, '--epochs', '4', '--out', 'parts', '--resume']);
    expect(second).toMatchObject({ code: 0, err: '' });
    expect(second.out).toContain('going on after 10 steps');
    for (const file of ['weights', 'checkpoint']) expectSame(cwd, file);
    // Two epochs are not four: the comparison can fail.
    expect((await nnc(cwd, [...train, '--epochs', '2', '--out', 'parts'])).code).toBe(0);
    expect(() => expectSame(cwd, 'checkpoint')).toThrow();
  });

  it.each([1, 3, 7, 11])('after an interrupt at step %i too', async (at) => {
    const cwd = here();
    expect((await nnc(cwd, [...train, '--out', 'straight'])).code).toBe(0);
    let step = 0;
    const stopped = await nnc(cwd, [...train, '--out', 'parts'], {
      tty: true,
      onWrite: (text, interrupt) => {
        // The bar is drawn at every step.
        if (/\/s|epoch \d\/\d  [█░]/.test(text) && !text.endsWith('\n') && ++step === at) interrupt();
      },
    });
    expect(stopped.code).toBe(130);
    expect(stopped.out).toContain('stopping after this step and saving');
    expect(stopped.out).toContain('--resume goes on');
    expect(existsSync(join(cwd, 'parts/report.html'))).toBe(true);
    expect(() => expectSame(cwd, 'checkpoint')).toThrow();
    expect((await nnc(cwd, [...train, '--out', 'parts', '--resume'])).code).toBe(0);
    for (const file of ['weights', 'checkpoint']) expectSame(cwd, file);
  });

  it('a second interrupt ends the process at once', async () => {
    const cwd = here();
    let pressed = 0;
    const { code, err } = await nnc(cwd, [...train, '--out', 'parts'], {
      tty: true,
      onWrite: (text, interrupt) => {
        if (!text.startsWith('epoch') || pressed++ > 0) return;
        interrupt();
        interrupt();
      },
    });
    // The test's own `abort` throws where the real one exits.
    expect([code, err]).toEqual([1, expect.stringContaining('aborted with 130') as string]);
  });

  it('changes nothing when training is over', async () => {
    const cwd = here();
    expect((await nnc(cwd, [...train, '--out', 'straight'])).code).toBe(0);
    expect((await nnc(cwd, [...train, '--out', 'parts'])).code).toBe(0);
    expect((await nnc(cwd, [...train, '--out', 'parts', '--resume'])).code).toBe(0);
    for (const file of ['weights', 'checkpoint']) expectSame(cwd, file);
  });

  it('depends on the seed alone', async () => {
    const cwd = here();
    expect((await nnc(cwd, [...train, '--out', 'straight', '--seed', '5', '--quiet'])).code).toBe(0);
    expect((await nnc(cwd, [...train, '--out', 'parts', '--seed', '5'])).code).toBe(0);
    for (const file of ['weights', 'checkpoint']) expectSame(cwd, file);
    expect((await nnc(cwd, [...train, '--out', 'parts', '--seed', '6'])).code).toBe(0);
    expect(() => expectSame(cwd, 'weights')).toThrow();
  });

  it('is refused for another batch, seed or number of rows', async () => {
    const cwd = here();
    expect((await nnc(cwd, [...train, '--epochs', '1'])).code).toBe(0);
    expect(await nnc(cwd, [...train, '--resume', '--batch', '8'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('NN925') as string,
    });
    const seed = await nnc(cwd, [...train, '--resume', '--seed', '9']);
    expect(seed.err).toMatchInlineSnapshot(`
      "error[NN925]: cannot resume from nnc-out/Fit/checkpoint.safetensors: it was trained with --seed 0,
        not 9
      = note: without --resume training begins anew

      "
    `);
    writeFileSync(join(cwd, 'rows.csv'), rows(90));
    const fewer = await nnc(cwd, [...train, '--resume']);
    expect(fewer.err.replace(/\s+/g, ' ')).toContain('it was trained on 100 rows, not 90');
  });

  it('goes on with a changed program whose weights fit, and says so', async () => {
    const cwd = here();
    expect((await nnc(cwd, [...train, '--epochs', '1'])).code).toBe(0);
    writeFileSync(join(cwd, 'net.nn'), program.replace('lr: 1e-2', 'lr: 1e-3'));
    const changed = await nnc(cwd, [...train, '--resume']);
    expect(changed).toMatchObject({ code: 0, err: 'warning: the program has changed since the checkpoint\n' });
    writeFileSync(join(cwd, 'net.nn'), program.replace('Linear(16)', 'Linear(17)'));
    const other = await nnc(cwd, [...train, '--resume']);
    expect(other.code).toBe(1);
    expect(other.err).toContain('NN924');
    expect(other.err).toContain('hidden.weight is f32[16, 4], should be f32[17, 4]');
  });

  it('reports a checkpoint that is missing, cut off, or none', async () => {
    const cwd = here();
    const resume = () => nnc(cwd, [...train, '--resume']);
    expect(await resume()).toMatchObject({ code: 1, err: expect.stringContaining('NN920') as string });
    expect((await nnc(cwd, [...train, '--epochs', '1'])).code).toBe(0);
    const path = join(cwd, 'nnc-out/Fit/checkpoint.safetensors');
    const whole = readFileSync(path);
    for (const length of [0, 4, 100, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, length));
      const { code, err } = await resume();
      expect([code, err.split('\n')[0]]).toEqual([1, expect.stringMatching(/^error\[NN915\]: /)]);
    }
    const text = whole.toString('latin1');
    writeFileSync(path, Buffer.from(text.replace('\\"facts\\"', '\\"fakts\\"'), 'latin1'));
    expect((await resume()).err).toContain('its state is damaged');
    writeFileSync(path, encode(new Map()));
    expect((await resume()).err).toContain('it is no checkpoint of nnc');
  });
});

/** The tensors of a checkpoint, the bytes of weights. */
function expectSame(cwd: string, file: string): void {
  const [a, b] = ['straight', 'parts'].map((out) => join(cwd, out, `${file}.safetensors`));
  if (file === 'weights') expect(readFileSync(a!).equals(readFileSync(b!))).toBe(true);
  const names = [...tensors(a!).keys()];
  expect([...tensors(b!).keys()]).toEqual(names);
  for (const name of names) expect(tensors(b!).get(name)).toEqual(tensors(a!).get(name));
}

describe('what is wrong is reported', () => {
  it('data that do not meet the inputs, before anything is written', async () => {
    const cwd = here();
    writeFileSync(join(cwd, 'bad.csv'), rows().replace('label', 'labels'));
    const { code, err } = await nnc(cwd, ['train', 'net.nn', '--data', 'bad.csv']);
    expect(code).toBe(1);
    expect(err).toMatchInlineSnapshot(`
      "error[NN521]: no column for input label in <here>/bad.csv
      = note: columns there are: x, labels
      = note: the nearest name is labels; to use it, write: input labels, or rename the column

      "
    `);
    writeFileSync(join(cwd, 'bad.csv'), rows().replace(/,\d\n/, ',7\n'));
    const high = await nnc(cwd, ['train', 'net.nn', '--data', 'bad.csv', '--width', '200']);
    expect(high.err).toMatchInlineSnapshot(`
      "error[NN525]: 7 in column label, row 0 (<here>/bad.csv:2) is no index below 3
      = note: input label is declared < 3, so its values are 0 to 2
      = note: Rows count from 0, lines from 1.

      "
    `);
    expect(existsSync(join(cwd, 'nnc-out'))).toBe(false);
  });

  it('no data, no file, no train block', async () => {
    const cwd = here();
    expect((await nnc(cwd, ['train', 'net.nn'])).err).toMatchInlineSnapshot(`
      "error[NN923]: no data for net.nn: its inputs are x, label
      = note: name files with --data; looked for data/net-train.*, data/net.*

      "
    `);
    expect((await nnc(cwd, ['train', 'net.nn', '--data', 'nowhere.csv'])).err).toContain('NN901');
    writeFileSync(join(cwd, 'model.nn'), program.slice(0, program.indexOf('train')));
    expect((await nnc(cwd, ['train', 'model.nn', '--data', 'rows.csv'])).err).toContain(
      'there is no train block in model.nn',
    );
    writeFileSync(join(cwd, 'two.nn'), program + program.slice(program.indexOf('train')).replace('Fit', 'Again'));
    expect((await nnc(cwd, ['train', 'two.nn', '--data', 'rows.csv'])).err).toContain(
      'has several train blocks: Fit, Again',
    );
    expect((await nnc(cwd, ['train', 'two.nn', '--data', 'rows.csv', '--only', 'Again', '--epochs', '1'])).code).toBe(
      0,
    );
    expect((await nnc(cwd, ['train', 'two.nn', '--data', 'rows.csv', '--only', 'Never'])).err).toContain('NN790');
  });

  it('errors in the program', async () => {
    const cwd = here();
    writeFileSync(join(cwd, 'net.nn'), program.replace('out: Linear(3)', 'out: Linear(4)'));
    const { code, err } = await nnc(cwd, train);
    expect(code).toBe(1);
    expect(err).toMatch(/^error\[NN1\d\d\]/);
    expect(err).toContain('net.nn:2:');
  });

  it('a folder that cannot be', async () => {
    const cwd = here();
    const { code, err } = await nnc(cwd, [...train, '--out', 'rows.csv/out']);
    expect([code, err]).toEqual([1, expect.stringContaining('NN921') as string]);
  });

  it('a loss that is no number', async () => {
    const cwd = here();
    writeFileSync(
      join(cwd, 'net.nn'),
      program
        .replace(
          'minimize cross_entropy(logits, label)',
          'minimize cross_entropy(logits, label) * log(0 * sum(logits))',
        )
        .replace('Adam(lr: 1e-2)', 'SGD(lr: 1e-2)'),
    );
    const { code, err } = await nnc(cwd, train);
    expect([code, err]).toEqual([1, expect.stringContaining('NN926') as string]);
  });
});

describe('data', () => {
  it('are found beside the program, several files are one, inputs map to files', async () => {
    const cwd = here();
    mkdirSync(join(cwd, 'data'));
    writeFileSync(join(cwd, 'data/net-train.csv'), rows(60));
    writeFileSync(join(cwd, 'data/net-test.csv'), rows(20));
    expect((await nnc(cwd, ['train', 'net.nn'])).out).toContain('48 rows to train on, 12 to validate, 20 to test');
    expect((await nnc(cwd, ['train', 'net.nn', '--data', 'data/net-train.csv', 'rows.csv'])).out).toContain(
      '128 rows to train on',
    );
    const halved = await nnc(cwd, [
      'train',
      'net.nn',
      '--data',
      'x=rows.csv/2',
      'label=rows.csv',
      '--test',
      'rows.csv',
    ]);
    expect(halved.code).toBe(0);
  });

  it('give sizes that stand in formulas only', async () => {
    const cwd = folder({
      'next.nn': `model Next(token: i32[B, T] < 5) -> float[B, T, 5] { token |> embed: Embedding(5, 8) |> out: Linear(5) }
train Fit {
  input token: i32[B, T + 1] < 5
  let seen[b, t: T] = token[b, t]
  let logp = log_softmax(Next(seen))
  minimize -mean[b, t] logp[b, t, token[b, t + 1]]
  optimizer Adam(lr: 1e-2)
  batch B = 4
}
`,
      'token.csv': `token:0..6\n${Array.from({ length: 20 }, (_, i) => Array.from({ length: 7 }, (__, t) => (i + t) % 5).join(',')).join('\n')}\n`,
    });
    const { code, out, err } = await nnc(cwd, ['train', 'next.nn', '--data', 'token.csv', '--epochs', '20']);
    expect(err).toBe('');
    expect(code).toBe(0);
    // The next token follows from the last: the loss falls towards 0.
    expect(Number(/last epoch 20: loss ([\d.]+)/.exec(out)![1])).toBeLessThan(0.5);
  });
});
