/**
 * Small grey pictures in a terminal, several side by side with captions: two pixels a character with half blocks and 24 grey levels, or
 * letters of growing darkness where there are no colours. Draws values; reading and choosing them is the caller's.
 */
import { textWidth } from '../../compiler/diagnostics/terminal-text.ts';

export interface Picture {
  readonly height: number;
  readonly width: number;
  /** Row-major, height · width values. */
  readonly pixels: ArrayLike<number>;
  /** Below the picture; cut to its width. */
  readonly caption?: string;
}

export interface PictureOptions {
  readonly color: boolean;
  /** Columns of the terminal: what does not fit goes into further rows of pictures. */
  readonly width: number;
  /** Value drawn black and value drawn white. Default: 0 and the greatest value of each picture. */
  readonly range?: readonly [number, number];
}

/** From dark to light. */
const letters = ' .:-=+*#%@';

export function drawPictures(pictures: readonly Picture[], options: PictureOptions): string {
  // Half blocks make square pixels of one column; letters are twice as high as wide, so a pixel takes two.
  const columns = options.color ? 1 : 2;
  const cell = Math.max(...pictures.map((picture) => Math.max(picture.width * columns, 6)), 0);
  const across = Math.max(1, Math.floor((options.width + 2) / (cell + 2)));
  const lines: string[] = [];
  for (let start = 0; start < pictures.length; start += across) {
    if (start > 0) lines.push('');
    const row = pictures.slice(start, start + across);
    const drawn = row.map((picture) => (options.color ? halfBlocks(picture, options) : asLetters(picture, options)));
    const height = Math.max(...drawn.map((picture) => picture.length));
    for (let i = 0; i < height; i++) {
      lines.push(
        row
          .map((picture, n) => pad(drawn[n]![i] ?? '', drawn[n]![i] === undefined ? 0 : picture.width * columns, cell))
          .join('  ')
          .trimEnd(),
      );
    }
    if (row.some(({ caption }) => caption !== undefined)) {
      lines.push(
        row
          .map(({ caption = '' }) => pad(cut(caption, cell), textWidth(cut(caption, cell)), cell))
          .join('  ')
          .trimEnd(),
      );
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** Brightness from 0 to 1; NaN is null. */
function levels(
  { height, width, pixels }: Picture,
  range: PictureOptions['range'],
): (row: number, column: number) => number | null {
  let most = -Infinity;
  for (let i = 0; i < height * width; i++) if (pixels[i]! > most) most = pixels[i]!;
  const [black, white] = range ?? [0, most > 0 ? most : 1];
  return (row, column) => {
    const value = (pixels[row * width + column]! - black) / (white - black);
    return Number.isNaN(value) ? null : Math.max(0, Math.min(1, value));
  };
}

function halfBlocks(picture: Picture, { range }: PictureOptions): string[] {
  const level = levels(picture, range);
  // 232 to 255 are the greys of the 256-colour palette; NaN is drawn red.
  const grey = (row: number, column: number) => {
    const value = level(row, column);
    return value === null ? 160 : 232 + Math.round(value * 23);
  };
  const lines: string[] = [];
  for (let row = 0; row < picture.height; row += 2) {
    let line = '';
    let before = '';
    for (let column = 0; column < picture.width; column++) {
      const upper = `38;5;${grey(row, column)}`;
      const lower = row + 1 < picture.height ? `48;5;${grey(row + 1, column)}` : '49';
      const style = `\x1b[${upper};${lower}m`;
      line += `${style === before ? '' : style}▀`;
      before = style;
    }
    lines.push(`${line}\x1b[0m`);
  }
  return lines;
}

function asLetters(picture: Picture, { range }: PictureOptions): string[] {
  const level = levels(picture, range);
  return Array.from({ length: picture.height }, (_, row) => {
    let line = '';
    for (let column = 0; column < picture.width; column++) {
      const value = level(row, column);
      line += (
        value === null ? '?' : letters[Math.min(letters.length - 1, Math.floor(value * letters.length))]!
      ).repeat(2);
    }
    return line;
  });
}

const pad = (text: string, used: number, width: number): string => text + ' '.repeat(Math.max(0, width - used));

function cut(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let result = '';
  for (const char of text) {
    if (textWidth(result + char) > width - 1) break;
    result += char;
  }
  return `${result}…`;
}
