/** The language server over its protocol: every feature on small programs, where the right answer can be read off. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  CodeAction,
  CodeLens,
  CompletionList,
  DocumentSymbol,
  FoldingRange,
  Hover,
  InlayHint,
  Location,
  MarkupContent,
  SemanticTokens,
  SignatureHelp,
  TextEdit,
  WorkspaceEdit,
} from 'vscode-languageserver/node';
import { tokenTypes } from '../../editor/features/tokens.ts';
import { bundleServer, Client, root } from './client.ts';

const digits = readFileSync(join(root, 'examples/digits.nn'), 'utf8');

let bundle: string;
let client: Client;
let capabilities: Record<string, unknown>;
let files = 0;
/** A new document with this text. */
const opened = async (text: string): Promise<string> => {
  const name = `file${++files}.nn`;
  await client.open(name, text);
  return name;
};

beforeAll(async () => {
  bundle = mkdtempSync(join(tmpdir(), 'nnc-server-'));
  client = new Client(await bundleServer(bundle));
  capabilities = await client.start({ explainScheme: 'nnc-explain', canRun: true });
});
afterAll(async () => {
  expect(await client.stop()).toBe(0);
  rmSync(bundle, { recursive: true, force: true });
  expect(client.logs).toEqual([]);
});

const markdown = (h: Hover | null): string => (h === null ? '' : (h.contents as MarkupContent).value);
const labels = (c: CompletionList | null): string[] => (c?.items ?? []).map((i) => i.label);

describe('diagnostics', () => {
  it('a program that is right has none', async () => {
    expect(await client.open('digits.nn', digits)).toEqual([]);
  });

  it('in a pause, the mark of an error moves to where it probably comes from, and its fix is found at both places', async () => {
    const text =
      'model Net(x: float[B, 8]) -> float[B, 4] { return x |> Linear(4) }\ntrain Fit {\n  input x: float[B, 8]\n  input label: i32[B] < 5\n  minimize cross_entropy(Net(x), label)\n  optimizer Adam()\n  batch B = 8\n}\n';
    const name = 'pause.nn';
    const uri = client.uri(name);
    const at = (p: { readonly line: number; readonly character: number }): string =>
      text.split('\n')[p.line]!.slice(p.character);
    const [first] = await client.open(name, text);
    expect(at(first!.range.start)).toMatch(/^label\)/);
    const { diagnostics } = await client.published((p) => p.uri === uri);
    expect(at(diagnostics[0]!.range.start)).toMatch(/^5/);
    expect(diagnostics[0]!.message).toContain('write `4`');
    expect(diagnostics[0]!.relatedInformation!.map((r) => at(r.location.range.start).slice(0, 5))).toContain('label');
    for (const { range } of [first!, diagnostics[0]!]) {
      const actions = await client.ask<CodeAction[]>('codeAction', name, { range, context: { diagnostics: [] } });
      expect(actions.map((a) => a.title)).toContain('Write `4`');
    }
  });

  it('a wrong shape is reported with its code, place and explanation', async () => {
    const text =
      'model Wrong(prediction: float[N, 1], target: float[N]) -> float[N, N] { return prediction - target }\n';
    const [d, ...others] = await client.open('wrong.nn', text);
    expect(others).toEqual([]);
    expect(d).toMatchObject({
      code: 'NN201',
      severity: 1,
      source: 'nnc',
      codeDescription: { href: 'nnc-explain:/NN201.md' },
    });
    const { start, end } = d!.range;
    expect(text.slice(client.offset('wrong.nn', start), client.offset('wrong.nn', end))).toMatch(
      /^(prediction )?-( target)?$/,
    );
    expect(d!.relatedInformation!.length).toBeGreaterThan(0);
    const answer = await client.connection.sendRequest<string>('nn/explain', { code: 'NN201' });
    expect(answer).toMatch(/^NN201: /);
  });

  it('goes when the mistake is mended by an incremental edit', async () => {
    const name = await opened('model M(x: float[B, 4]) -> float[B, 3] { return x |> Linear(4) }\n');
    const at = client.offset(name, client.at(name, 'Linear(4)', 7));
    expect(await client.change(name, at, at + 1, '3')).toEqual([]);
  });

  it('an import is read from disk, from the open document before that, and follows its changes', async () => {
    writeFileSync(join(client.folder, 'part.nn'), 'fn twice(x: float[...S]) -> float[...S] = 2 * x\n');
    const user = 'import twice from "./part.nn"\nmodel M(x: float[B, 3]) -> float[B, 3] { return twice(x) }\n';
    expect(await client.open('user.nn', user)).toEqual([]);
    await client.open('part.nn', 'fn twice(x: float[...S]) -> float[...S] = 2 * x\n');
    const uri = client.uri('user.nn');
    const broken = client.published((p) => p.uri === uri && p.diagnostics.length > 0);
    await client.set('part.nn', 'fn thrice(x: float[...S]) -> float[...S] = 3 * x\n');
    expect((await broken).diagnostics.map((d) => d.code)).toContain('NN703');
    const mended = client.published((p) => p.uri === uri && p.diagnostics.length === 0);
    await client.set('part.nn', 'fn twice(x: float[...S]) -> float[...S] = 2 * x\n');
    await mended;
  });
});

const attend = `/// Weighs values by how alike query and key are.
block Attend(heads: int)(x: float[B, T, D]) -> float[B, T, D] {
  require D % heads == 0, "the width must divide into heads"
  let q[b, h: heads, t, e] = (x |> to_q: Linear(D))[b, t, (h e)]
  let score[b, h, t, s] = sum[e] q[b, h, t, e] * q[b, h, s, e]
  let weight[b, h, t, s] = softmax[s] score[b, h, t, s]
  let z[b, t, (h e)] = sum[s] weight[b, h, t, s] * q[b, h, s, e]
  return z |> out: Linear(D)
}

const width = 16

model Net(x: float[B, T, width]) -> float[B, T, width] {
  let y = x |> Attend(4)
  return y |> Attend(heads: 2)
}
`;

describe('hover', () => {
  it('shows types, sizes and their reasons, documentation and signatures', async () => {
    const name = await opened(attend);
    const over = async (piece: string, by = 0): Promise<string> =>
      markdown(await client.ask<Hover | null>('hover', name, { position: client.at(name, piece, by) }));
    expect(await over('score[b')).toContain('let score: float[B, heads, T, T]');
    const callee = await over('Attend(4)');
    expect(callee).toContain('block Attend(heads: int)(x: float[B, T, D]) -> float[B, T, D]');
    expect(callee).toContain('how alike query and key');
    expect(callee).toContain('`D % heads == 0`');
    expect(await over('(h e)', 1)).toContain('index h: 0 … heads - 1');
    expect(await over('D]) -> float')).toContain('size D');
    expect(await over('Linear(D)')).toContain('Affine map of the last axis');
    expect(await over('|> Attend(4)')).toContain('float[B, T, width]');
    expect(await over('softmax[s]')).toMatch(/float|softmax/);
  });
});

describe('inlay hints', () => {
  it('the type after each statement', async () => {
    const name = await opened(attend);
    const range = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };
    const hints = await client.ask<InlayHint[]>('inlayHint', name, { range });
    const shown = hints.map((h) => `${h.position.line}: ${String(h.label)}`);
    expect(shown).toEqual([
      '3: float[B, heads, T, D / heads]',
      '4: float[B, heads, T, T]',
      '5: float[B, heads, T, T] as probs(T)',
      '6: float[B, T, D]',
      '7: float[B, T, D]',
      '13: float[B, T, width]',
      '14: float[B, T, width]',
    ]);
  });
});

describe('navigation', () => {
  it('from a use to the local, the size, the block and the library', async () => {
    const name = await opened(attend);
    const to = async (piece: string, by = 0): Promise<string> => {
      const l = await client.ask<Location | null>('definition', name, { position: client.at(name, piece, by) });
      if (l === null) return 'nothing';
      return l.uri === client.uri(name)
        ? `${l.range.start.line}:${l.range.start.character}`
        : l.uri.replace(/.*\//, '');
    };
    expect(await to('y |> Attend(heads')).toBe('13:6');
    expect(await to('Attend(heads: 2')).toBe('1:6');
    expect(await to('heads: 2')).toBe('1:13');
    expect(await to('h: heads', 3)).toBe('1:13');
    expect(await to('D % heads')).toBe('1:40');
    expect(await to('Linear(D))')).toBe('layers.nn');
    expect(await to('width]) ->')).toBe('10:6');
    expect(await to('[s] score', 1)).toBe('5:22');
  });

  it('references and outline', async () => {
    const name = await opened(attend);
    const found = await client.ask<Location[]>('references', name, {
      position: client.at(name, 'q[b, h: heads'),
      context: { includeDeclaration: true },
    });
    expect(found.map((l) => l.range.start.line)).toEqual([3, 4, 4, 6]);
    const symbols = await client.ask<DocumentSymbol[]>('documentSymbol', name);
    expect(symbols.map((s) => s.name)).toEqual(['Attend', 'width', 'Net']);
    expect(symbols[0]!.children!.map((s) => `${s.name}: ${s.detail ?? ''}`)).toContain('score: float[B, heads, T, T]');
    const folds = await client.ask<FoldingRange[]>('foldingRange', name);
    expect(folds.map((f) => [f.startLine, f.endLine])).toEqual([
      [1, 7],
      [12, 14],
    ]);
  });

  it('semantic tokens colour an axis by its letter', async () => {
    const name = await opened(attend);
    const { data } = await client.ask<SemanticTokens>('semanticTokens/full', name);
    const lines = attend.split('\n');
    const colours = new Map<string, Set<string>>();
    let line = 0;
    let column = 0;
    for (let k = 0; k < data.length; k += 5) {
      line += data[k]!;
      column = data[k]! === 0 ? column + data[k + 1]! : data[k + 1]!;
      const word = lines[line]!.slice(column, column + data[k + 2]!);
      const type = tokenTypes[data[k + 3]!]!;
      (colours.get(word) ?? colours.set(word, new Set()).get(word)!).add(type);
    }
    for (const letter of ['b', 'h', 't', 's', 'e']) {
      expect(colours.get(letter)?.size, letter).toBe(1);
      expect([...colours.get(letter)!][0]).toMatch(/^nnAxis\d$/);
    }
    expect(new Set(['b', 'h', 't', 's', 'e'].map((l) => [...colours.get(l)!][0])).size).toBe(5);
    expect([...colours.get('Attend')!]).toEqual(['class']);
    expect([...colours.get('let')!]).toEqual(['keyword']);
    expect([...colours.get('D')!]).toEqual(['typeParameter']);
  });
});

describe('completion', () => {
  /** What is offered at the `¦`. */
  const at = async (marked: string): Promise<string[]> => {
    const offset = marked.indexOf('¦');
    const name = await opened(marked.replace('¦', ''));
    const before = marked.slice(0, offset).split('\n');
    const position = { line: before.length - 1, character: before.at(-1)!.length };
    return labels(await client.ask<CompletionList | null>('completion', name, { position }));
  };

  it('names in scope and the library in an unfinished statement', async () => {
    const found = await at('block F(n: int)(x: float[B, D]) -> float[B, D] {\n  let hidden = x\n  let y = ¦\n}\n');
    expect(found).toEqual(expect.arrayContaining(['hidden', 'x', 'n', 'B', 'D', 'relu', 'Linear', 'exp']));
    expect(found).not.toContain('y');
  });
  it('named arguments that are not given yet', async () => {
    const found = await at(
      'model M(x: float[B, 3, 8, 8]) -> float[B, 3, 8, 8] { return x |> Conv2d(3, stride: 1, ¦) }\n',
    );
    expect(found.slice(0, 4)).toEqual(['kernel:', 'pad:', 'dilation:', 'bias:']);
    expect(found).not.toContain('stride:');
  });
  it('letters and sizes in brackets, members after a dot, types after a colon, roles after `as`', async () => {
    const letters = await at('model M(x: float[B, T]) -> float[B] {\n  let y[b] = sum[t] x[b, ¦\n}\n');
    expect(letters.slice(0, 2).sort()).toEqual(['b', 't']);
    const members = await at(
      'block F(x: i32[B] < 9) -> float[B, 4] {\n  let e = Embedding(9, 4)\n  let w = e.¦\n  return e(x)\n}\n',
    );
    expect(members).toContain('weight');
    expect(await at('fn f(x: ¦')).toContain('float');
    expect(await at('loss l(x: float[B, C] as ¦')).toEqual(['logits', 'probs', 'log_probs']);
  });
  it('layers after a pipe, with a place for their configuration', async () => {
    const found = await at('model M(x: float[B, 8]) -> float[B, 8] { return x |> ¦ }\n');
    expect(found).toEqual(expect.arrayContaining(['Linear', 'relu', 'LayerNorm']));
    expect(found).not.toContain('Adam');
  });
  it('statements of a train block, optimizers, nothing in prose', async () => {
    expect(await at('train Fit {\n  ¦\n}\n')).toEqual(expect.arrayContaining(['minimize', 'optimizer', 'batch']));
    expect(await at('train Fit {\n  optimizer ¦\n}\n')).toEqual(expect.arrayContaining(['Adam', 'SGD']));
    expect(await at('// note ¦\n')).toEqual([]);
    expect(await at('¦')).toEqual(expect.arrayContaining(['model', 'block', 'fn', 'import']));
  });
});

describe('signature help', () => {
  const at = async (marked: string): Promise<string | null> => {
    const name = await opened(marked.replace('¦', ''));
    const before = marked.slice(0, marked.indexOf('¦')).split('\n');
    const position = { line: before.length - 1, character: before.at(-1)!.length };
    const help = await client.ask<SignatureHelp | null>('signatureHelp', name, { position });
    if (help === null) return null;
    const [s] = help.signatures;
    const place = s!.parameters?.[help.activeParameter!]?.label as [number, number] | undefined;
    return place === undefined ? '' : s!.label.slice(...place);
  };
  it('marks the parameter, also by name, in the second list and after a pipe', async () => {
    expect(await at('model M(x: float[B, 3]) -> float[B, 3] { return x |> Linear(¦')).toBe('out: int');
    expect(await at('model M(x: float[B, 3]) -> float[B, 3] { return x |> Linear(3, ¦')).toBe('bias: bool = true');
    expect(await at('model M(x: float[B, 3]) -> float[B, 3] { return Linear(3)(¦')).toBe('x: float[...S, D]');
    expect(await at('model M(x: float[B, 3]) -> float[B, 3] { return x |> leaky_relu(¦')).toBe('slope: float = 0.01');
    expect(await at('train F {\n optimizer Adam(eps: ¦')).toMatch(/^eps/);
    expect(await at('fn f(x: float) -> float = (¦')).toBeNull();
  });
});

describe('rename', () => {
  const renamed = async (name: string, piece: string, by: number, newName: string): Promise<WorkspaceEdit> =>
    client.ask<WorkspaceEdit>('rename', name, { position: client.at(name, piece, by), newName });

  it('a local, an index of one equation, a size, a block with its uses', async () => {
    const name = await opened(attend);
    const uri = client.uri(name);
    const after = async (piece: string, by: number, to: string): Promise<string> =>
      client.edited(name, (await renamed(name, piece, by, to)).changes![uri]!);
    expect(await after('score[b', 0, 'affinity')).toBe(attend.replace(/\bscore\b/g, 'affinity'));
    const lines = attend.split('\n');
    lines[4] = lines[4]!.replace(/\bs\b/g, 'source');
    expect(await after('t, s] = sum', 3, 'source')).toBe(lines.join('\n'));
    expect(await after('Attend(4)', 0, 'Mix')).toBe(attend.replace(/\bAttend\b/g, 'Mix'));
    const size = await after('D % heads', 0, 'Width');
    expect(size).toContain('x: float[B, T, Width]) -> float[B, T, Width]');
    expect(size).not.toMatch(/\bD\b/);
    expect(await after('width = 16', 0, 'wide')).toBe(attend.replace(/\bwidth(?! must)\b/g, 'wide'));
    const configured = await after('heads: int', 0, 'groups');
    expect(configured).toContain('Attend(groups: 2)');
  });

  it('refuses what is no name, what would clash and what is not the user’s', async () => {
    const name = await opened(attend);
    await expect(renamed(name, 'score[b', 0, 'let')).rejects.toThrow(/word of the language/);
    await expect(renamed(name, 'score[b', 0, '1x')).rejects.toThrow(/not a name/);
    await expect(renamed(name, 'score[b', 0, 'q')).rejects.toThrow(/cannot be|something else/);
    await expect(renamed(name, 'Linear(D)', 0, 'Dense')).rejects.toThrow(/standard library/);
  });

  it('across files, from either side', async () => {
    writeFileSync(join(client.folder, 'unit.nn'), 'fn half(x: float[...S]) -> float[...S] = x / 2\n');
    await client.open('unit.nn', 'fn half(x: float[...S]) -> float[...S] = x / 2\n');
    writeFileSync(
      join(client.folder, 'whole.nn'),
      'import half from "./unit.nn"\nmodel M(x: float[B]) -> float[B] { return half(half(x)) }\n',
    );
    const { changes } = await renamed('unit.nn', 'half', 0, 'halved');
    expect(changes![client.uri('unit.nn')]).toHaveLength(1);
    expect(changes![client.uri('whole.nn')]).toHaveLength(3);
  });
});

describe('edits', () => {
  it('a quick fix mends the program', async () => {
    const text = 'model M(x: float[B, 4]) -> float[B, 4] {\n  let hidden = tanh(x)\n  return hiden\n}\n';
    const name = 'misspelt.nn';
    const [d] = await client.open(name, text);
    const actions = await client.ask<CodeAction[]>('codeAction', name, {
      range: d!.range,
      context: { diagnostics: [d] },
    });
    const fixed = client.edited(name, actions[0]!.edit!.changes![client.uri(name)]!);
    expect(fixed).toBe(text.replace('hiden', 'hidden'));
    expect(await client.set(name, fixed)).toEqual([]);
  });

  it('fix-all applies what is always right', async () => {
    const name = 'foreign.nn';
    await client.open(name, '# a note\nfn f(x: float) -> float = x ** 2\n');
    const context = { diagnostics: [], only: ['source.fixAll'] };
    const range = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
    const [all] = await client.ask<CodeAction[]>('codeAction', name, { range, context });
    const fixed = client.edited(name, all!.edit!.changes![client.uri(name)]!);
    expect(fixed).toContain('// a note');
    expect((await client.set(name, fixed)).filter((d) => d.severity === 1)).toEqual([]);
  });

  it('formatting gives the canonical form, and leaves a damaged text alone', async () => {
    const name = await opened(digits.replace(/ {2}let/g, '     let').replace('->', ' ->   '));
    const edits = await client.ask<TextEdit[]>('formatting', name, { options: { tabSize: 2, insertSpaces: true } });
    expect(client.edited(name, edits)).toBe(digits);
    const damaged = await opened('fn f(x: float = x\n');
    expect(await client.ask('formatting', damaged, { options: { tabSize: 2, insertSpaces: true } })).toEqual([]);
  });
});

describe('code lens', () => {
  it('counts parameters as arithmetic does, and runs train blocks', async () => {
    const name = await opened(
      'model M(x: float[B, 64]) -> float[B, 10] { return x |> Linear(16) |> relu |> Linear(10) }\n',
    );
    const [lens] = await client.ask<CodeLens[]>('codeLens', name);
    const resolved = await client.connection.sendRequest<CodeLens>('codeLens/resolve', lens);
    // 64 * 16 + 16 + 16 * 10 + 10
    expect(resolved.command!.title).toBe('1,210 parameters · 4.7 KiB · 2,410 operations for each B');
    const own = await opened(digits);
    const all = await client.ask<CodeLens[]>('codeLens', own);
    expect(all.map((l) => l.command?.command ?? 'size')).toEqual(['size', 'size', 'nn.run']);
  });
});

describe('protocol', () => {
  it('says what it can', () => {
    expect(Object.keys(capabilities)).toEqual(
      expect.arrayContaining(['hoverProvider', 'inlayHintProvider', 'renameProvider']),
    );
  });
  it('a cancelled request is answered as cancelled, and unknown documents with nothing', async () => {
    const name = await opened(attend);
    const { CancellationTokenSource } = await import('vscode-languageserver/node');
    const source = new CancellationTokenSource();
    // Behind enough work that it is still waiting when it is cancelled.
    const busy = Array.from({ length: 20 }, (_, k) =>
      client.edit(name, 0, 0, `// ${k}\n`).then(() => client.ask('semanticTokens/full', name)),
    );
    const pending = client.connection.sendRequest(
      'textDocument/hover',
      { textDocument: { uri: client.uri(name) }, position: client.at(name, 'score') },
      source.token,
    );
    source.cancel();
    await expect(pending).rejects.toMatchObject({ code: -32800 });
    await Promise.all(busy);
    expect(await client.ask('hover', 'nowhere.nn', { position: { line: 0, character: 0 } })).toBeNull();
  });
  it('ends when the client is gone without a word', async () => {
    const orphan = new Client(join(bundle, 'server.mjs'));
    await orphan.start();
    const ended = new Promise<number | null>((done) => orphan.child.once('exit', (status) => done(status)));
    orphan.child.stdin!.end();
    expect(await ended).toBe(1);
    rmSync(orphan.folder, { recursive: true, force: true });
  });
});
