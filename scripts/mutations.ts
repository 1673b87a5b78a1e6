/**
 * `npm run mutations`: the mutation study over every example, benchmark and library file, written to docs/mutations.md. Options: `--most N` sites of
 * an operator in a file (default 3), `--only TEXT` files whose name has it, `--operator TEXT` those operators, `--show OUTCOME` prints those mutants
 * instead of writing, `--save FILE` keeps what is found and goes on from there, `--shard 1/2` half of the files, `--join FILES` writes the page
 * from what shards have kept.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Callable } from '../grammar/ast.ts';
import { parse } from '../grammar/parse.ts';
import { operators } from './mutations/operators.ts';
import { remaining } from './mutations/remains.ts';
import { study, type Library, type Mutant, type Source } from './mutations/study.ts';

interface Fixtures {
  readonly cases: readonly {
    readonly body: string;
    readonly more?: string;
    readonly shape: readonly number[];
    readonly tensors: Readonly<Record<string, unknown>>;
    readonly ints: Readonly<Record<string, { readonly value: unknown; readonly below: number }>>;
  }[];
  readonly optimizers: readonly { readonly optimizer: string }[];
}

const shapeOf = (value: unknown): number[] => (Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : []);

/** A model that gives what a case of the library's fixtures computes. */
function caseProgram(c: Fixtures['cases'][number], k: number): string {
  const ints = Object.entries(c.ints).map(([n, i]) => `${n}: i32[${shapeOf(i.value).join(', ')}] < ${i.below}`);
  const floats = Object.entries(c.tensors).filter(([path]) => !path.includes('.') && path !== 'cot');
  const parameters = [...ints, ...floats.map(([n, v]) => `${n}: float[${shapeOf(v).join(', ')}]`)];
  const result = c.shape.length > 0 ? `float[${c.shape.join(', ')}]` : 'float';
  return `model Case${k}(${parameters.join(', ')}) -> ${result} {\n  ${c.more ?? ''}\n  return ${c.body}\n}\n`;
}

/** Programs that use what a file of the library declares: a case for each of its callables, from the comparisons with PyTorch. */
function usersOf(text: string, fixtures: Fixtures): string[] {
  const declared = parse({ id: 0, text }).module.declarations.filter((d): d is Callable => 'parameters' in d);
  return declared.flatMap((d): string[] => {
    const name = new RegExp(`\\b${d.name.text}\\b`);
    if (d.kind === 'optimizer') {
      const used = fixtures.optimizers.find((o) => name.test(o.optimizer));
      return used === undefined
        ? []
        : [
            `train Fit {\n  input x: float[B, 4]\n  minimize mean((x |> Linear(3)) ^ 2)\n  optimizer ${used.optimizer}\n  batch B = 4\n}\n`,
          ];
    }
    const k = fixtures.cases.findIndex((c) => name.test(c.body));
    return k < 0 ? [] : [caseProgram(fixtures.cases[k]!, k)];
  });
}

export function sourcesIn(root: string): { readonly sources: Source[]; readonly library: Library } {
  const library: Record<string, string> = {};
  for (const name of readdirSync(join(root, 'library')).sort())
    if (name.endsWith('.nn')) library[name] = readFileSync(join(root, 'library', name), 'utf8');
  const folder = join(root, 'test/fixtures/library');
  const families = readdirSync(folder)
    .filter((f) => f.endsWith('.json') && !f.startsWith('second'))
    .map((f) => JSON.parse(readFileSync(join(folder, f), 'utf8')) as Partial<Fixtures>);
  const fixtures: Fixtures = {
    cases: families.flatMap((f) => f.cases ?? []),
    optimizers: families.flatMap((f) => f.optimizers ?? []),
  };
  const sources: Source[] = [];
  for (const folder of ['examples', 'bench'])
    for (const f of readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
      if (f.isFile() && f.name.endsWith('.nn') && !f.parentPath.includes('node_modules')) {
        const path = join(f.parentPath, f.name);
        sources.push({ name: path.slice(root.length + 1), text: readFileSync(path, 'utf8') });
      }
  sources.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const [name, text] of Object.entries(library))
    sources.push({ name: `library/${name}`, text, users: usersOf(text, fixtures) });
  return { sources, library };
}

const percent = (n: number, of: number): string => (of === 0 ? '-' : `${((100 * n) / of).toFixed(1)} %`);

export interface Summary {
  readonly mutants: number;
  readonly error: number;
  readonly lint: number;
  readonly harmless: number;
  readonly missed: number;
  /** Missed ones in which a shape or role that the checker infers differs. */
  readonly typesDiffer: number;
  readonly reported: number;
  readonly onTarget: number;
  readonly named: number;
  readonly first: number;
  readonly any: number;
}

export function summary(list: readonly Mutant[]): Summary {
  const count = (test: (m: Mutant) => boolean): number => list.filter(test).length;
  return {
    mutants: list.length,
    error: count((m) => m.outcome === 'error'),
    lint: count((m) => m.outcome === 'lint'),
    harmless: count((m) => m.outcome === 'harmless'),
    missed: count((m) => m.outcome === 'missed'),
    typesDiffer: count((m) => m.typesDiffer),
    reported: count((m) => m.onTarget !== null),
    onTarget: count((m) => m.onTarget === true),
    named: count((m) => m.named === true),
    first: count((m) => m.fix === 'first'),
    any: count((m) => m.fix === 'first' || m.fix === 'any'),
  };
}

function page(
  all: readonly Mutant[],
  most: number,
  files: number,
  total: number,
  without: readonly string[],
  date: string,
  joined: boolean,
): string {
  const rows = operators.map((o) => {
    const s = summary(all.filter((m) => m.operator === o.name));
    return `| ${o.name} | ${o.what.replaceAll('|', '\\|')} | ${[s.mutants, s.error, s.lint, s.harmless, s.missed, s.typesDiffer].join(' | ')} | ${percent(s.onTarget, s.reported)} | ${percent(s.named, s.reported)} | ${percent(s.first, s.reported)} |`;
  });
  const s = summary(all);
  const examples = operators.flatMap((o) => {
    const missed = all.filter((m) => m.operator === o.name && m.outcome === 'missed');
    const shown = [
      ...missed.filter((m) => m.typesDiffer).slice(0, 2),
      ...missed.filter((m) => !m.typesDiffer).slice(0, 1),
    ];
    return shown.map(
      (m) =>
        `- ${o.name}, ${m.file}:${m.line}${m.typesDiffer ? ' (types differ)' : ''}\n  - \`${m.before}\`\n  - \`${m.after === '' ? '(nothing)' : m.after}\``,
    );
  });
  const whole = s.missed - s.typesDiffer;
  const open = all.filter((m) => m.typesDiffer);
  const named = new Set(remaining.flatMap((r) => r.operators ?? []));
  const classes = remaining.flatMap(({ operators: own, what, why }) => {
    const list = open.filter((m) => (own === null ? !named.has(m.operator) : own.includes(m.operator)));
    if (list.length === 0) return [];
    return [`- **${list.length}: ${what}.** ${why}\n  ${list.map((m) => `${m.file}:${m.line}`).join(', ')}`];
  });
  return `# The mutation study

Written by \`npm run mutations\` on ${date}; do not edit. ${operators.length} operators (\`scripts/mutations/operators.ts\`) on ${files} of the ${total} examples, benchmarks and library
files; at most ${most} sites of an operator in a file, evenly chosen.${
    without.length > 0 ? ` Not in it, for want of time: ${without.join(', ')}.` : ''
  }${joined ? ' It was joined from pieces: lints and repairs that came between them are in the later ones only.' : ''}

A mutant is *an error*, *a lint* (or another warning), *harmless* (its graphs after simplification are the original's, or compute the same numbers) or *missed*. Of
the missed, *types differ* counts those in which a shape or role that the checker infers is another. *On target* is the share of reports whose place lies on the changed expression, *shown* the share that
point there with their place, a place shown beside it, or their first fix; *restored* the share whose first fix gives the original text back, but for white space.
What a dropped stage changes is the chain from its beginning to the stage that now takes its place; what a forgotten statement changes is the first use of its name.

**${s.mutants} mutants: ${s.error} errors (${percent(s.error, s.mutants)}), ${s.lint} lints (${percent(s.lint, s.mutants)}), ${s.harmless} harmless (${percent(s.harmless, s.mutants)}), ${s.missed} missed (${percent(s.missed, s.mutants)}), ${s.typesDiffer} of these with other types. Of ${s.reported} reports ${percent(s.onTarget, s.reported)} are on target, ${percent(s.named, s.reported)} show the place; ${percent(s.first, s.reported)} restore the
program with their first fix, ${percent(s.any, s.reported)} with any.**

| operator | as in | mutants | error | lint | harmless | missed | types differ | on target | shown | restored |
| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |
${rows.join('\n')}

## Against the aims

Aimed at were: nothing missed that changes a shape or a role, 95 % on target, 70 % restored by the first fix.

- *Nothing missed that changes a shape or a role* ${
    open.length === 0
      ? 'holds.'
      : `does not hold: ${open.length} mutants (${percent(open.length, s.mutants)}) have other types and no report. Their classes are below.`
  }
- ${whole} missed mutants compute another function of the same types: another operator, constant, reduction or guard. Lints catch those of a known kind (scales, masks, lengths, rates, averages beyond one,
  empty ranges).
- *On target*: two places contradict each other, and types cannot say which is wrong. The report stands where a small change makes everything fit (\`compiler/repair\`). What remains is mostly what
  left nothing behind but an unused name, and places where several small changes fit alike.
- *Restored*: what was left out (a statement, a stage, a constant) cannot be guessed; where it was exchanged or is one too many, the first fix mostly restores it.

## Other types and no report

Each is a program that somebody could have written so from the beginning.

${classes.join('\n')}

## What is missed

${examples.join('\n')}
`;
}

/** What a run has found so far, by file: a file whose text and sampling are the same, studied by the same build, is not studied again. */
interface Found {
  readonly key: string;
  readonly build: string;
  readonly seconds: number;
  readonly mutants: readonly Mutant[];
}

const readFound = (file: string): Record<string, Found> =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Found>) : {};

/** Names the build that runs: its own modules. */
function buildOf(): string {
  const own = join(fileURLToPath(import.meta.url), '../..');
  const hash = createHash('sha256');
  for (const f of readdirSync(own, { recursive: true, withFileTypes: true }))
    if (f.isFile() && /\.[jt]s$/.test(f.name) && !f.parentPath.includes('node_modules'))
      hash.update(readFileSync(join(f.parentPath, f.name)));
  return hash.digest('hex').slice(0, 16);
}

function main(argv: readonly string[]): void {
  const option = (name: string): string | undefined => {
    const k = argv.indexOf(`--${name}`);
    return k < 0 ? undefined : argv[k + 1];
  };
  const most = Number(option('most') ?? 3);
  const { sources, library } = sourcesIn(process.cwd());
  const [only, save, show, operator] = [option('only'), option('save'), option('show'), option('operator')];
  const [shard, shards] = (option('shard') ?? '1/1').split('/').map(Number) as [number, number];
  // Long and short ones alternate, so that shards take about as long.
  const chosen = sources
    .filter((s) => only === undefined || s.name.includes(only))
    .sort((a, b) => a.text.length - b.text.length)
    .filter((_, k) => k % shards === shard - 1);
  const build = option('join') === undefined ? buildOf() : '';
  const found: Record<string, Found> = save === undefined ? {} : readFound(save);
  if (option('join') === undefined)
    for (const source of chosen) {
      const key = createHash('sha256')
        .update(`${build} ${most} ${operator ?? ''} ${source.text}`)
        .digest('hex')
        .slice(0, 16);
      if (found[source.name]?.key === key) continue;
      const begun = performance.now();
      const mutants = study(source, library, {
        most,
        ...(operator === undefined ? {} : { operators: operators.filter((o) => o.name.includes(operator)) }),
      });
      const seconds = (performance.now() - begun) / 1000;
      found[source.name] = { key, build, seconds, mutants };
      if (save !== undefined) writeFileSync(save, JSON.stringify(found));
      const s = summary(mutants);
      process.stderr.write(
        `${source.name}: ${s.mutants} mutants, ${s.missed} missed (${s.typesDiffer}), on target ${percent(s.onTarget, s.reported)}, restored ${percent(s.first, s.reported)}, ${seconds.toFixed(0)} s\n`,
      );
    }
  for (const file of option('join')?.split(',') ?? []) Object.assign(found, readFound(file));
  const order = new Map(sources.map((s, k) => [s.name, k]));
  const all = Object.values(found)
    .flatMap((f) => f.mutants)
    .sort((a, b) => order.get(a.file)! - order.get(b.file)!);
  if (show !== undefined) {
    for (const m of all)
      if (
        m.outcome === show ||
        (show === 'types' && m.typesDiffer) ||
        (show === 'off' && m.onTarget === false) ||
        (show === 'unrestored' && (m.fix === 'none' || m.fix === 'any'))
      )
        process.stdout.write(
          `${m.operator} | ${m.file}:${m.line} | ${m.codes.join(' ')}\n    ${m.before}\n    ${m.after}\n    ${m.said}\n`,
        );
  } else if (only === undefined && shards === 1) {
    const files = new Set(all.map((m) => m.file)).size;
    const text = page(
      all,
      most,
      files,
      sources.length,
      sources.map((x) => x.name).filter((n) => !(n in found)),
      new Date().toISOString().slice(0, 10),
      new Set(Object.values(found).map((f) => f.build)).size > 1,
    );
    writeFileSync('docs/mutations.md', text);
    process.stdout.write(`${text.split('\n').slice(10, 13).join('\n')}\n`);
  }
}

// Run as a script (also compiled, from dist/): the repository is where it is run.
const started = process.argv[1];
if (started !== undefined && /mutations\.[jt]s$/.test(started) && resolve(started) === fileURLToPath(import.meta.url))
  main(process.argv);
