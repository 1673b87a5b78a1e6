/**
 * Runs the examples and holds them to what they claim. An example says in its header how it is run and what must come out:
 *
 *     // run: nnc train examples/digits.nn
 *     // claim: test.accuracy >= 0.97
 *     // small: nnc train examples/digits.nn --epochs 3
 *     // small claim: test.accuracy >= 0.9
 *
 * `small` is the same at a budget for every day; without it `run` is small enough, and without a claim of its own it must keep the large one's.
 * A header may have several runs, and `// data: node dist/scripts/cmudict.js` for what makes their data. A claim compares two numbers, each a
 * number or a place in the JSON that the command writes (run.json, study.json, …): `epochs.last.train.loss < 0.1`.
 *
 *   npx tsc -p scripts && node dist/scripts/examples.js [--full] [name …]
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { nodeIo, type Io } from '../cli/io.ts';
import { main } from '../cli/main.ts';

export interface Claim {
  readonly text: string;
  readonly left: string;
  readonly relation: '<' | '<=' | '>' | '>=' | '==';
  readonly right: string;
}

export interface Run {
  /** Arguments after `nnc`. */
  readonly command: readonly string[];
  readonly claims: readonly Claim[];
}

export interface Experiment {
  readonly full: Run;
  readonly small: Run;
}

export interface Header {
  /** Commands that make the data. */
  readonly data: readonly string[];
  readonly experiments: readonly Experiment[];
}

/** Words of a command line; quotes hold words together. */
export const wordsOf = (text: string): string[] =>
  [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((m) => m[1] ?? m[2] ?? m[3]!);

function claimOf(text: string): Claim {
  const match = /^(\S+)\s*(<=|>=|==|<|>)\s*(\S+)$/.exec(text);
  if (match === null) throw new Error(`not a claim: ${text}`);
  return { text, left: match[1]!, relation: match[2] as Claim['relation'], right: match[3]! };
}

function commandOf(text: string): string[] {
  const [program, ...rest] = wordsOf(text);
  if (program !== 'nnc') throw new Error(`a run begins with nnc: ${text}`);
  return rest;
}

interface Draft {
  run: string[];
  claims: Claim[];
  small: string[] | null;
  smallClaims: Claim[] | null;
}

/** The header's lines, wherever they stand among the comments of the file. */
export function headerOf(source: string): Header {
  const data: string[] = [];
  const drafts: Draft[] = [];
  for (const [, key, value] of source.matchAll(/^\/\/ (data|run|claim|small|small claim): (.+)$/gm)) {
    const text = value!.trim();
    if (key === 'data') data.push(text);
    else if (key === 'run') drafts.push({ run: commandOf(text), claims: [], small: null, smallClaims: null });
    else {
      const draft = drafts.at(-1);
      if (draft === undefined) throw new Error(`${key!} before the first run: ${text}`);
      if (key === 'claim') draft.claims.push(claimOf(text));
      else if (key === 'small') draft.small = commandOf(text);
      else (draft.smallClaims ??= []).push(claimOf(text));
    }
  }
  const experiments = drafts.map(({ run, claims, small, smallClaims }): Experiment => {
    if (claims.length === 0) throw new Error(`a run without a claim: ${run.join(' ')}`);
    return { full: { command: run, claims }, small: { command: small ?? run, claims: smallClaims ?? claims } };
  });
  return { data, experiments };
}

/** The number that a side of a claim stands for; NaN where the path leads nowhere. */
export function valueAt(record: unknown, side: string): number {
  if (/^[-+]?[\d.]/.test(side)) return Number(side);
  let value: unknown = record;
  for (const key of side.split('.')) {
    if (Array.isArray(value)) value = key === 'last' ? (value.at(-1) as unknown) : (value[Number(key)] as unknown);
    else if (typeof value === 'object' && value !== null) value = (value as Readonly<Record<string, unknown>>)[key];
    else return NaN;
  }
  return typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : NaN;
}

/** Whether a claim holds; a path that leads nowhere makes it false. */
export function holds({ left, relation, right }: Claim, record: unknown): boolean {
  const [a, b] = [valueAt(record, left), valueAt(record, right)];
  switch (relation) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    case '==':
      return a === b;
  }
}

export interface Verdict {
  readonly claim: Claim;
  readonly value: number;
  readonly bound: number;
  readonly good: boolean;
}

/** Runs one command, with this folder to write to unless it names one, and holds its record to the claims. */
export async function verdicts(run: Run, folder: string, io: Io): Promise<{ code: number; verdicts: Verdict[] }> {
  const code = await main(run.command.includes('--out') ? run.command : [...run.command, '--out', folder], io);
  const out = run.command.includes('--out') ? run.command[run.command.indexOf('--out') + 1]! : folder;
  const written = existsSync(out)
    ? readdirSync(out).find((name) => /^(run|study|compare|translate)\.json$/.test(name))
    : undefined;
  const record: unknown = written === undefined ? null : JSON.parse(readFileSync(join(out, written), 'utf8'));
  return {
    code,
    verdicts: run.claims.map((claim) => ({
      claim,
      value: valueAt(record, claim.left),
      bound: valueAt(record, claim.right),
      good: code === 0 && holds(claim, record),
    })),
  };
}

export const exampleFiles = (): string[] =>
  readdirSync('examples')
    .filter((name) => name.endsWith('.nn'))
    .sort()
    .map((name) => join('examples', name));

async function all(argv: readonly string[]): Promise<number> {
  const full = argv.includes('--full');
  const io = nodeIo();
  const names = argv.filter((word) => !word.startsWith('--'));
  let wrong = 0;
  let skipped = 0;
  const made = new Set<string>();
  for (const file of exampleFiles().filter((f) => names.length === 0 || names.some((name) => f.includes(name)))) {
    const header = headerOf(readFileSync(file, 'utf8'));
    let missing = '';
    for (const command of header.data.filter((c) => !made.has(c))) {
      const [program, ...rest] = wordsOf(command);
      try {
        execFileSync(program!, rest, { stdio: 'ignore' });
        made.add(command);
      } catch {
        missing = command;
      }
    }
    if (missing !== '') {
      console.log(`SKIPPED ${file}: its data could not be made (${missing})`);
      skipped++;
      continue;
    }
    for (const { full: large, small } of header.experiments) {
      const run = full ? large : small;
      const out = mkdtempSync(join(tmpdir(), 'nnc-example-'));
      const begun = performance.now();
      let said = '';
      const quiet: Io = {
        ...io,
        stdout: { write: (text: string) => (said += text) },
        stderr: { write: (text: string) => (said += text) },
      };
      const result = await verdicts(run, out, quiet);
      rmSync(out, { recursive: true, force: true });
      console.log(`nnc ${run.command.join(' ')}   ${((performance.now() - begun) / 1000).toFixed(1)} s`);
      for (const { claim, value, good } of result.verdicts) {
        console.log(`  ${good ? 'holds ' : 'FAILS '} ${claim.text}   (${value.toPrecision(4)})`);
        if (!good) wrong++;
      }
      if (result.code !== 0) console.log(said);
    }
  }
  if (skipped > 0) console.log(`${skipped} examples skipped`);
  console.log(wrong === 0 ? 'every claim that was tried holds' : `${wrong} claims fail`);
  return wrong === 0 ? 0 : 1;
}

const called = process.argv[1];
if (called !== undefined && import.meta.url === pathToFileURL(resolve(called)).href)
  process.exitCode = await all(process.argv.slice(2));
