import { describe, expect, it } from 'vitest';
import { drawPictures } from '../../cli/terminal/picture.ts';
import { createProgress, formatCount, formatMeasure, formatSeconds } from '../../cli/terminal/progress.ts';
import { openData } from '../../cli/data/open.ts';
import { sound } from '../data/tools.ts';

/** A stream that keeps what was written and shows what a terminal would. */
function fake(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  let time = 0;
  return {
    written,
    stream: { isTTY, columns, write: (text: string) => written.push(text) },
    now: () => time,
    wait: (ms: number) => void (time += ms),
    /** The lines on the screen, drawings over drawings. */
    screen: () =>
      written
        .join('')
        .split('\n')
        .map((line) => line.split('\r\x1b[K').at(-1)!),
  };
}

describe('progress', () => {
  it('redraws one line with a bar, measures, throughput and time left', () => {
    const io = fake(true, 90);
    const progress = createProgress({ ...io, epochs: 10, rows: 1000 });
    io.wait(1000);
    progress.step(500, { loss: 1.2345678, accuracy: 0.5 });
    expect(io.screen()).toEqual([
      'epoch  1/10  ████████████░░░░░░░░░░░░  loss 1.235  accuracy 0.5000  500 rows/s  19 s left',
    ]);
    io.wait(1000);
    progress.step(1000, { loss: 1 });
    progress.epoch({ loss: 0.9, accuracy: 0.75 }, { loss: 1.1, accuracy: 0.7 }, true);
    expect(io.screen()).toEqual([
      'epoch  1/10  loss 0.9000 / 1.100  accuracy 0.7500 / 0.7000  500 rows/s  2.0 s  best',
      '',
    ]);
    io.wait(500);
    progress.step(10, { loss: 1 });
    progress.finish();
    progress.finish();
    expect(io.screen().at(-1)).toBe('');
  });
  it('draws at most ten times a second', () => {
    const io = fake(true);
    const progress = createProgress({ ...io, epochs: 1, rows: 1000 });
    for (let i = 0; i < 1000; i++) {
      io.wait(1);
      progress.step(i, { loss: 1 });
    }
    const drawings = io.written.filter((text) => text.startsWith('epoch')).length;
    expect(drawings).toBe(10);
  });
  it('writes only whole lines where there is no terminal', () => {
    const io = fake(false);
    const progress = createProgress({ ...io, epochs: 2, rows: 100 });
    for (let epoch = 0; epoch < 2; epoch++) {
      io.wait(4000);
      progress.step(50, { loss: 1 });
      progress.epoch({ loss: 2 - epoch }, null);
    }
    progress.say('done');
    progress.finish();
    expect(io.written).toEqual([
      'epoch 1/2  loss 2.000  25 rows/s  4.0 s\n',
      'epoch 2/2  loss 1.000  25 rows/s  4.0 s\n',
      'done\n',
    ]);
  });
  it('never fills the last column, however narrow', () => {
    for (const columns of [20, 30, 50, 200]) {
      const io = fake(true, columns);
      const progress = createProgress({ ...io, epochs: 100, rows: 1000 });
      io.wait(3000);
      progress.step(333, { loss: 0.5, accuracy: 0.5, perplexity: 12 });
      expect(io.screen()[0]!.length).toBeLessThan(columns);
    }
  });
  it('counts on from where a run was resumed', () => {
    const io = fake(true);
    const progress = createProgress({ ...io, epochs: 4, start: 2, rows: 100 });
    io.wait(1000);
    progress.step(50, {});
    expect(io.screen()[0]).toMatch(/^epoch 3\/4 .* 3\.0 s left$/);
  });
  it('formats numbers', () => {
    expect(
      [0, 1.23456, 12.3456, 123.456, 1234.56, 0.0123456, 0.00012345, 1.2345e-5, 123456, NaN, Infinity].map(
        formatMeasure,
      ),
    ).toEqual([
      '0.0000',
      '1.235',
      '12.35',
      '123.5',
      '1235',
      '0.01235',
      '0.0001234',
      '1.234e-5',
      '1.235e+5',
      'NaN',
      '∞',
    ]);
    expect([0, 7.5, 42, 950, 999.99, 12345, 999960, 4.56e6].map(formatCount)).toEqual([
      '0.00',
      '7.50',
      '42',
      '950',
      '1.00k',
      '12.3k',
      '1.00M',
      '4.56M',
    ]);
    expect([0.44, 9.96, 59.7, 185, 3599.6, 7620].map(formatSeconds)).toEqual([
      '0.4 s',
      '10 s',
      '1 min 00 s',
      '3 min 05 s',
      '1 h 00 min',
      '2 h 07 min',
    ]);
  });
});

describe('pictures', () => {
  const image = sound(openData('examples/data/digits.csv.gz')).columns.get('image')!;
  const digit = (row: number) => ({
    height: 8,
    width: 8,
    pixels: image.data.subarray(64 * row, 64 * row + 64),
    caption: `digit ${row}`,
  });
  it('draw digits side by side in letters', () => {
    expect(`\n${drawPictures([digit(0), digit(1)], { color: false, width: 80 })}`).toMatchInlineSnapshot(`
      "
          --%%**              ##%%--
          %%@@**@@--          **@@++
        ::@@..  ##++        ..@@@@--
        ::%%    ++++      ==@@@@@@..
        --++    **++          @@@@..
        ::##    %%==          @@@@--
        ..@@--**%%            @@@@--
          ==%%**              **@@**
      digit 0           digit 1
      "
    `);
  });
  it('go on below when the terminal is narrow', () => {
    expect(drawPictures([digit(0), digit(1)], { color: false, width: 30 }).split('\n').length).toBe(9 + 1 + 9 + 1);
  });
  it('draw two rows in one with half blocks', () => {
    const text = drawPictures([{ height: 3, width: 2, pixels: [0, 1, 1, 0, 0.5, NaN] }], { color: true, width: 80 });
    expect(text).toBe(
      '\x1b[38;5;232;48;5;255m▀\x1b[38;5;255;48;5;232m▀\x1b[0m\n\x1b[38;5;244;49m▀\x1b[38;5;160;49m▀\x1b[0m\n',
    );
  });
  it('keep to a given range, and survive blank pictures', () => {
    expect(
      drawPictures([{ height: 1, width: 3, pixels: [0, 5, 10] }], { color: false, width: 80, range: [0, 20] }),
    ).toBe('  ::++\n');
    expect(drawPictures([{ height: 1, width: 2, pixels: [0, 0] }], { color: false, width: 80 })).toBe('\n');
    expect(drawPictures([], { color: false, width: 80 })).toBe('');
  });
});
