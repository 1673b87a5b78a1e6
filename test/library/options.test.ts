/** Every option of every function takes part in a comparison, by name or by place, with another value than its default. Read off the programs of the comparisons, as the parser sees them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parse } from '../../grammar/parse.ts';
import { entriesOf } from '../../scripts/library.ts';
import { descent, groups, programOf, rates, runs } from './cases.ts';

const entries = entriesOf(fileURLToPath(new URL('../../', import.meta.url)));

interface Tree {
  readonly [key: string]: unknown;
}

const isTree = (v: unknown): v is Tree => typeof v === 'object' && v !== null;
const nameOf = (v: unknown): string | null => (isTree(v) && v.kind === 'name' ? (v.name as string) : null);

/** Name → options given, over all texts. A pipe gives the first argument of a function; a layer's configuration begins with its own. */
const given = new Map<string, Set<string>>();
const parametersOf = new Map(
  entries.map(({ callable: c }) => [c.name.text, (c.config ?? c.parameters).map((p) => p.name.text)]),
);
const takesValue = new Set(entries.filter((e) => e.callable.config === null).map((e) => e.callable.name.text));

/** As written, without blanks. */
type Text = (v: unknown) => string;
const written =
  (text: string): Text =>
  (v) => {
    const { span } = v as { readonly span: { readonly start: number; readonly end: number } };
    return text.slice(span.start, span.end).replace(/\s/g, '');
  };

/** Name → option → its default, as the library writes it. */
const defaults = new Map(
  entries.map((e) => {
    const text = readFileSync(new URL(`../../library/${e.chapter}.nn`, import.meta.url), 'utf8');
    const own = (e.callable.config ?? e.callable.parameters).filter((p) => p.default !== null);
    return [e.callable.name.text, new Map(own.map((p) => [p.name.text, written(text)(p.default)]))];
  }),
);

function note(call: Tree, piped: boolean, textOf: Text): void {
  const name = nameOf(call.callee);
  const parameters = name === null ? undefined : parametersOf.get(name);
  if (name === null || parameters === undefined) return;
  const args = call.arguments as readonly {
    readonly name: { readonly text: string } | null;
    readonly value: unknown;
  }[];
  const named = args.flatMap((a) => (a.name === null ? [] : [a.name.text]));
  const open = parameters.filter((p) => !named.includes(p)).slice(piped && takesValue.has(name) ? 1 : 0);
  const places = open.slice(0, args.length - named.length);
  const bare = args.filter((a) => a.name === null);
  const values = new Map([
    ...args.flatMap((a) => (a.name === null ? [] : [[a.name.text, a.value] as const])),
    ...places.map((p, k) => [p, bare[k]!.value] as const),
  ]);
  const other = [...values].filter(([p, v]) => textOf(v) !== defaults.get(name)!.get(p)).map(([p]) => p);
  given.set(name, new Set([...(given.get(name) ?? []), ...other]));
}

function walk(v: unknown, textOf: Text): void {
  if (Array.isArray(v)) for (const one of v) walk(one, textOf);
  if (!isTree(v)) return;
  const stage = v.kind === 'pipe' && isTree(v.stage) && v.stage.kind === 'call' ? v.stage : null;
  if (stage !== null) note(stage, true, textOf);
  if (v.kind === 'call') note(v, false, textOf);
  for (const one of Object.values(v)) walk(one, textOf);
}

for (const text of [
  ...[...groups.values()].map(programOf),
  ...runs.map((r) => descent(r.optimizer)),
  ...rates.map((r) => descent(`SGD(lr: ${r.schedule})`)),
])
  walk(parse({ id: 0, text }).module, written(text));

/** Rates of what draws (random.test.ts has their moments), and what a parameter begins with, which every comparison replaces. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(['AlphaDropout', 'DropPath', 'Dropout', 'SpatialDropout'].map((n) => [n, ['rate']])),
  ...Object.fromEntries(['FeedForward', 'MultiHeadAttention'].map((n) => [n, ['dropout']])),
  ...Object.fromEntries(['RNN', 'LSTM', 'GRU'].flatMap((n) => [`Stacked${n}`, `StackedBi${n}`].map((s) => [s, ['dropout']]))), // prettier-ignore
  ...{ GaussianNoise: ['deviation'], LayerScale: ['initial'], PReLU: ['slope'], ChannelPReLU: ['slope'] },
};

it('every option takes part in a comparison', () => {
  const missing = entries
    .filter((e) => e.chapter !== 'initialisers' && e.callable.kind !== 'mask')
    .flatMap(({ callable: c }) => {
      const options = (c.config ?? c.parameters).filter((p) => p.default !== null).map((p) => p.name.text);
      const own = given.get(c.name.text) ?? new Set<string>();
      return options
        .filter((o) => !own.has(o) && !(ELSEWHERE[c.name.text] ?? []).includes(o))
        .map((o) => `${c.name.text}: ${o}`);
    });
  expect(missing).toEqual([]);
});

it('sees what is given', () => {
  expect([...given.get('leaky_relu')!]).toContain('slope');
  expect([...given.get('Conv2d')!]).toContain('dilation_w');
  expect(given.get('Adamax')!.has('nothing')).toBe(false);
});
