/** The canonical form of a document, as the smallest single change. A document with syntax errors is left as it is. */
import { parse } from '../../grammar/parse.ts';
import { print } from '../../grammar/print.ts';

export interface TextChange {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export function format(text: string): TextChange | null {
  const { module, problems } = parse({ id: 0, text });
  if (problems.length > 0) return null;
  const printed = text.includes('\r\n') ? print(module).replace(/\n/g, '\r\n') : print(module);
  if (printed === text) return null;
  let start = 0;
  while (start < text.length && start < printed.length && text[start] === printed[start]) start++;
  let tail = 0;
  while (tail < text.length - start && tail < printed.length - start && text.at(-1 - tail) === printed.at(-1 - tail))
    tail++;
  // Never between the halves of a line break.
  if (tail > 0 && text[text.length - tail] === '\n' && text[text.length - tail - 1] === '\r') tail--;
  return { start, end: text.length - tail, text: printed.slice(start, printed.length - tail) };
}
