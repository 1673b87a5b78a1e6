/** `nnc check`: formats for machines, levels on the command line, and `--fix`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, nnc } from './support.ts';

const twoLayers = `model M(x: float[B, 8]) -> float[B, 4] { return x |> Linear(16) |> Linear(4) }
`;
const wrong = `fn f(x: float[N, 1], y: float[N]) -> float[N] = x - y
fn g(a: float[N], b: float[M]) -> float[N] = a + b
`;
const logs = `fn f(x: float[N, C]) -> float[N, C] = log(softmax(x))
fn g(x: float[N, C]) -> float[N, C] = log(softmax(2 * x))
`;

type Json = Readonly<Record<string, unknown>>;

/** What the standard (SARIF 2.1.0) demands of what we write: required properties, their types, enumerations, and that indices and regions make sense. */
function isSarif(log: Json): string[] {
  const bad: string[] = [];
  const need = (ok: boolean, what: string): void => void (ok || bad.push(what));
  const object = (x: unknown): Json => (typeof x === 'object' && x !== null ? (x as Json) : {});
  const list = (x: unknown, what: string): readonly Json[] => {
    need(Array.isArray(x), `${what} is an array`);
    return Array.isArray(x) ? (x as readonly Json[]) : [];
  };
  const text = (x: unknown, what: string): void =>
    need(typeof object(x)['text'] === 'string' && object(x)['text'] !== '', what);
  const region = (x: unknown, what: string): void => {
    const r = object(x);
    for (const key of ['startLine', 'startColumn', 'endLine', 'endColumn'])
      need(Number.isInteger(r[key]) && (r[key] as number) >= 1, `${what}.${key} from 1`);
    const [from, to] = [Number(r['startLine']), Number(r['endLine'])];
    need(from < to || (from === to && Number(r['startColumn']) <= Number(r['endColumn'])), `${what} runs forward`);
  };
  const physical = (x: unknown, what: string): void => {
    const uri = object(object(x)['artifactLocation'])['uri'];
    need(typeof uri === 'string' && /^[\w./:%~+-]+$/.test(uri), `${what} has a URI`);
    region(object(x)['region'], `${what}.region`);
  };
  need(log['version'] === '2.1.0', 'version');
  need(typeof log['$schema'] === 'string', '$schema');
  for (const run of list(log['runs'], 'runs')) {
    const driver = object(object(run['tool'])['driver']);
    need(typeof driver['name'] === 'string', 'tool.driver.name');
    need(run['columnKind'] === 'utf16CodeUnits' || run['columnKind'] === 'unicodeCodePoints', 'columnKind');
    const rules = list(driver['rules'], 'rules');
    need(new Set(rules.map((r) => r['id'])).size === rules.length, 'rule ids are unique');
    for (const rule of rules) {
      need(typeof rule['id'] === 'string', 'rule.id');
      text(rule['shortDescription'], 'rule.shortDescription');
      text(rule['fullDescription'], 'rule.fullDescription');
      text(rule['help'], 'rule.help');
    }
    for (const result of list(run['results'], 'results')) {
      text(result['message'], 'result.message');
      need(['none', 'note', 'warning', 'error'].includes(result['level'] as string), 'result.level');
      need(rules[result['ruleIndex'] as number]?.['id'] === result['ruleId'], 'ruleIndex names the rule');
      for (const l of list(result['locations'], 'locations')) physical(l['physicalLocation'], 'location');
      const related = 'relatedLocations' in result ? list(result['relatedLocations'], 'relatedLocations') : [];
      need(new Set(related.map((l) => l['id'])).size === related.length, 'ids of related locations');
      for (const l of related) {
        physical(l['physicalLocation'], 'relatedLocation');
        text(l['message'], 'relatedLocation.message');
      }
      for (const fix of 'fixes' in result ? list(result['fixes'], 'fixes') : []) {
        text(fix['description'], 'fix.description');
        const changes = list(fix['artifactChanges'], 'artifactChanges');
        need(changes.length > 0, 'a fix changes something');
        for (const change of changes)
          for (const r of list(change['replacements'], 'replacements')) {
            region(r['deletedRegion'], 'deletedRegion');
            need(typeof object(r['insertedContent'])['text'] === 'string', 'insertedContent');
          }
      }
    }
  }
  return bad;
}

describe('check --format', () => {
  it('sarif is what the standard demands', async () => {
    const cwd = folder({ 'a b.nn': wrong, 'c.nn': twoLayers, 'd.nn': logs });
    const { code, out } = await nnc(cwd, ['check', 'a b.nn', 'c.nn', 'd.nn', 'gone.nn', '--format', 'sarif']);
    expect(code).toBe(1);
    const log = JSON.parse(out) as Json;
    expect(isSarif(log)).toEqual([]);
    const [run] = log['runs'] as { results: Json[]; tool: { driver: { rules: Json[] } } }[];
    expect(run!.results.map((r) => `${String(r['ruleId'])} ${String(r['level'])}`)).toEqual([
      'NN201 error',
      'NN202 error',
      'NN604 warning',
      'NN304 warning',
      'NN304 warning',
      'NN920 error',
    ]);
    expect(out).toContain('"uri": "a%20b.nn"');
    expect(run!.results.filter((r) => 'fixes' in r)).toHaveLength(3);
  });

  it('a check of the standard by itself finds what is wrong', () => {
    expect(
      isSarif({ version: '2.1.0', $schema: '', runs: [{ tool: {}, results: [{ level: 'bad' }] }] }).length,
    ).toBeGreaterThan(4);
  });

  it('sarif without a report is a log without results', async () => {
    const { code, out } = await nnc(folder({ 'a.nn': 'const width = 8\n' }), ['check', 'a.nn', '--format', 'sarif']);
    expect(code).toBe(0);
    expect(isSarif(JSON.parse(out) as Json)).toEqual([]);
  });

  it('github', async () => {
    const cwd = folder({ 'a.nn': wrong, 'c.nn': twoLayers });
    const { out } = await nnc(cwd, ['check', 'a.nn', 'c.nn', '--format', 'github']);
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(
      /^::error file=a\.nn,line=1,endLine=1,col=51,endColumn=52,title=NN201::`-` would pair .*%0A/,
    );
    expect(lines[2]).toMatch(/^::warning file=c\.nn,line=1,.*title=NN604::/);
  });
});

describe('levels on the command line', () => {
  const cwd = () => folder({ 'c.nn': twoLayers });
  it('warnings are warnings', async () => {
    expect(await nnc(cwd(), ['check', 'c.nn'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/1 file checked: 1 warning\n$/) as string,
    });
  });
  it('--deny warnings makes errors of them', async () => {
    expect((await nnc(cwd(), ['check', 'c.nn', '--deny', 'warnings'])).code).toBe(1);
  });
  it('--allow leaves a report out, by code or by name', async () => {
    for (const name of ['NN604', 'linear-linear'])
      expect(await nnc(cwd(), ['check', 'c.nn', '--allow', name, '--deny', 'warnings'])).toMatchObject({
        code: 0,
        out: '1 file checked: no problems\n',
      });
  });
  it('a name that has no level is wrong usage, with the nearest', async () => {
    const { code, err } = await nnc(cwd(), ['check', 'c.nn', '--allow', 'linear-liner']);
    expect(code).toBe(2);
    expect(err).toContain('did you mean `linear-linear`?');
  });
});

describe('check --fix', () => {
  it('applies what needs no asking, says so, and leaves the rest', async () => {
    const text = `${logs}fn h(x: float[N]) -> float[N] = x ** 2 # squared
fn k(x: float[N]) -> float[N] = exq(x)
`;
    const cwd = folder({ 'a.nn': text });
    const { code, out } = await nnc(cwd, ['check', 'a.nn', '--fix']);
    expect(readFileSync(join(cwd, 'a.nn'), 'utf8')).toBe(`fn f(x: float[N, C]) -> float[N, C] = log_softmax(x)
fn g(x: float[N, C]) -> float[N, C] = log_softmax(2 * x)
fn h(x: float[N]) -> float[N] = x ^ 2 // squared
fn k(x: float[N]) -> float[N] = exq(x)
`);
    expect(out.split('\n').filter((l) => l.includes(' fixed: '))).toHaveLength(4);
    expect(out).toContain('a.nn:1:43: NN304 fixed: take log_softmax');
    expect(code).toBe(1);
    expect(out).toContain('NN704');
    // A second time there is nothing to do, and nothing is written.
    const again = await nnc(cwd, ['check', 'a.nn', '--fix']);
    expect(again.out).not.toContain('fixed');
  });

  it('mends imported files too, and a file that does not exist is only reported', async () => {
    const cwd = folder({
      'a.nn': 'import f from "./b.nn"\nfn g(x: float[N, C]) -> float[N, C] = f(x)\n',
      'b.nn': logs,
    });
    const { out } = await nnc(cwd, ['check', 'a.nn', 'gone.nn', '--fix', '--format', 'json']);
    expect(readFileSync(join(cwd, 'b.nn'), 'utf8')).toContain('= log_softmax(2 * x)');
    expect(out).toContain('NN920');
  });
});

describe('what is drawn', () => {
  it.each([40, 60, 80, 100, 140])('no line is wider than %i columns, with or without colour', async (width) => {
    const cwd = folder({ 'a.nn': wrong, 'c.nn': twoLayers, 'd.nn': logs });
    const plain = await nnc(cwd, ['check', 'a.nn', 'c.nn', 'd.nn', '--width', String(width)]);
    for (const line of plain.out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(width);
    const coloured = await nnc(cwd, ['check', 'a.nn', 'c.nn', 'd.nn', '--width', String(width)], { tty: true });
    // eslint does not like control characters in patterns: the escape is built.
    const escapes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');
    expect(coloured.out).not.toBe(plain.out);
    expect(coloured.out.replace(escapes, '')).toBe(plain.out);
  });
});
