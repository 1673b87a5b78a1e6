/**
 * A small pretty printer in the manner of Wadler and Oppen: a document says where lines may break, a group breaks only when it does not
 * fit. It knows nothing of `.nn`.
 */
export type Doc =
  | string
  | readonly Doc[]
  | { readonly kind: 'group' | 'indent'; readonly content: Doc }
  /** Flat: `flat`; broken: a new line. A hard line is always a new line. */
  | { readonly kind: 'line'; readonly flat: string; readonly hard: boolean };

export const line: Doc = { kind: 'line', flat: ' ', hard: false };
export const softline: Doc = { kind: 'line', flat: '', hard: false };
export const hardline: Doc = { kind: 'line', flat: '', hard: true };
export const group = (...content: readonly Doc[]): Doc => ({ kind: 'group', content });
export const indent = (...content: readonly Doc[]): Doc => ({ kind: 'indent', content });
export const join = (separator: Doc, docs: readonly Doc[]): Doc =>
  docs.flatMap((doc, i) => (i === 0 ? [doc] : [separator, doc]));

interface Command {
  readonly indentation: number;
  readonly broken: boolean;
  readonly doc: Doc;
}

const isList = (doc: Doc): doc is readonly Doc[] => Array.isArray(doc);

/** Does `first` fit flat into `room` columns, followed by `rest` up to its next possible break? */
function fits(room: number, first: Command, rest: readonly Command[]): boolean {
  const stack: Command[] = [first];
  let next = rest.length - 1;
  for (;;) {
    let command = stack.pop();
    if (command === undefined) {
      if (next < 0) return true;
      command = rest[next--]!;
    }
    const { doc, broken, indentation } = command;
    if (typeof doc === 'string') {
      room -= doc.length;
      if (room < 0) return false;
    } else if (isList(doc)) {
      for (let i = doc.length - 1; i >= 0; i--) stack.push({ indentation, broken, doc: doc[i]! });
    } else if (doc.kind === 'line') {
      if (broken || doc.hard) return true;
      room -= doc.flat.length;
      if (room < 0) return false;
    } else stack.push({ indentation, broken, doc: doc.content });
  }
}

export function render(doc: Doc, width: number): string {
  const out: string[] = [];
  const stack: Command[] = [{ indentation: 0, broken: true, doc }];
  let column = 0;
  while (stack.length > 0) {
    const { doc: current, broken, indentation } = stack.pop()!;
    if (typeof current === 'string') {
      out.push(current);
      column += current.length;
    } else if (isList(current)) {
      for (let i = current.length - 1; i >= 0; i--) stack.push({ indentation, broken, doc: current[i]! });
    } else if (current.kind === 'line') {
      if (broken || current.hard) {
        out.push('\n', ' '.repeat(indentation));
        column = indentation;
      } else {
        out.push(current.flat);
        column += current.flat.length;
      }
    } else if (current.kind === 'indent') {
      stack.push({ indentation: indentation + 2, broken, doc: current.content });
    } else {
      const flat: Command = { indentation, broken: false, doc: current.content };
      const fitting = !broken || fits(width - column, flat, stack);
      stack.push(fitting ? flat : { ...flat, broken: true });
    }
  }
  return out.join('').replace(/[ ]+$/gm, '');
}
