/**
 * What the pages of data, options, builds and calls show: files and commands that bring a report about, and the same mended. Plain data; the tests run both
 * (test/diagnostics/shown.test.ts), `nnc explain` and docs/errors print them. What it is not: the pages of what a program alone brings about; those hold a
 * wrong and a mended program in their text.
 */

/** A file: its text; or what NumPy wrote, as the line of Python and the bytes. */
export type ShownFile = string | { readonly python: string; readonly base64: string };
export type ShownFiles = Readonly<Record<string, ShownFile>>;

export interface ShownStep {
  /** Beside those of both. */
  readonly files?: ShownFiles;
  /** `nnc …` or `node call.js`; the last one is what the page is about. */
  readonly commands: readonly string[];
}

export type Shown =
  | { readonly files?: ShownFiles; readonly wrong: ShownStep; readonly mended: ShownStep }
  /** What no input brings about. */
  | { readonly none: string };

const LANGUAGES: Readonly<Record<string, string>> = { nn: 'nn', js: 'js', csv: 'csv', jsonl: 'json', json: 'json' };

const fenced = (language: string, text: string): string => `\`\`\`${language}\n${text.replace(/\n$/, '')}\n\`\`\``;

const filesText = (files: ShownFiles): string[] =>
  Object.entries(files).map(([name, file]) =>
    typeof file === 'string'
      ? `\`${name}\`:\n\n${fenced(LANGUAGES[name.split('.').at(-1)!] ?? 'text', file)}`
      : `\`${name}\`:\n\n${fenced('python', file.python)}`,
  );

/** Markdown: the files of both, then the wrong and the mended way. */
export function shownText(shown: Shown): string {
  if ('none' in shown) return shown.none;
  const step = (title: string, { files = {}, commands }: ShownStep): string =>
    [`**${title}**`, ...filesText(files), fenced('sh', commands.join('\n'))].join('\n\n');
  return [...filesText(shown.files ?? {}), step('Wrong', shown.wrong), step('Mended', shown.mended)].join('\n\n');
}

/** A page about the same files with another command. */
export const commands = (
  files: ShownFiles,
  wrong: string | readonly string[],
  mended: string | readonly string[],
): Shown => ({
  files,
  wrong: { commands: [wrong].flat() },
  mended: { commands: [mended].flat() },
});

/** A page about the same command with other files. */
export const contents = (
  files: ShownFiles,
  wrong: ShownFiles,
  mended: ShownFiles,
  command: string | readonly string[],
): Shown => ({
  files,
  wrong: { files: wrong, commands: [command].flat() },
  mended: { files: mended, commands: [command].flat() },
});

/** The program of most pages. */
export const NET = `model Net(x: float[B, 2]) -> float[B, 3] { return x |> out: Linear(3) }

train Fit {
  input x: float[B, 2]
  input label: i32[B] < 3

  minimize cross_entropy(Net(x), label)
  optimizer SGD(lr: 0.1)
  batch B = 2
  epochs 2
}
`;

/** Rows for it. */
export const ROWS = 'x.0,x.1,label\n0,1,0\n1,0,1\n1,1,2\n0,0,0\n';
