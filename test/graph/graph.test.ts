/** The builder, the printer and the verifier. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../compiler/graph/builder.ts';
import { inline } from '../../compiler/graph/copy.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { Origins } from '../../compiler/graph/origin.ts';
import { print } from '../../compiler/graph/print.ts';
import type { Graph, Node, TensorType } from '../../compiler/graph/types.ts';
import { verify } from '../../compiler/graph/verify.ts';
import { fill } from '../../compiler/ops/tensor.ts';
import { mul, name, num, ONE, ZERO } from '../../compiler/sizes/poly.ts';
import { newBuilder } from '../ops/harness.ts';

const B = name('B');
const D = name('D');
const rows: TensorType = { dtype: 'f32', sizes: [B, D] };
const done = (b: GraphBuilder, ...nodes: Node[]): Graph =>
  b.finish(nodes.map((node, k) => ({ name: `y${k}`, node, updates: null })));

describe('builder', () => {
  test('needs an origin', () => {
    const b = new GraphBuilder('g', new Origins());
    expect(() => b.constant(1, 'f32')).toThrow('origin');
  });
  test('at restores the origin, also after a throw', () => {
    const b = newBuilder();
    const before = b.origin;
    const other = b.origins.add({ file: 0, start: 5, end: 6 });
    expect(b.at(other, () => b.constant(1, 'f32')).origin).toBe(other);
    expect(() => b.at(other, () => b.node('part', [], { index: 0 }))).toThrow('part violates C1');
    expect(b.origin).toBe(before);
  });
  test('makes equal nodes once, named leaves never', () => {
    const b = newBuilder();
    const x = b.input('x', 'data', rows);
    expect(b.exp(x)).toBe(b.exp(x));
    expect(b.reduce('sum', x, [0])).toBe(b.reduce('sum', x, [0]));
    expect(b.reduce('sum', x, [0])).not.toBe(b.reduce('sum', x, [1]));
    expect(b.constant(0, 'f32')).not.toBe(b.constant(-0, 'f32'));
    expect(b.constant(0, 'f32')).not.toBe(b.constant(0, 'i32'));
    expect(b.contract(x, x, ['i', 'j'], ['i', 'j'], [])).toBe(b.contract(x, x, ['p', 'q'], ['p', 'q'], []));
    expect(b.input('y', 'data', rows)).not.toBe(b.input('y', 'data', rows));
  });
  test('movements of nothing are their operand', () => {
    const b = newBuilder();
    const x = b.input('x', 'data', rows);
    for (const y of [
      b.transpose(x, [0, 1]),
      b.broadcastTo(x, [B, D]),
      b.split(x, 0, [B]),
      b.merge(x, 1, 1),
      b.slice(x, 1, ZERO, D),
      b.pad(x, 0, ZERO, ZERO, 0),
      b.concat([x], 0),
      b.cast(x, 'f32'),
      b.reduce('sum', x, []),
    ])
      expect(y).toBe(x);
  });
  test('types come from the records', () => {
    const b = newBuilder();
    const x = b.input('x', 'data', rows);
    expect(b.merge(x, 0, 2).type.sizes).toEqual([mul(B, D)]);
    expect(b.newAxis(x, 1).type.sizes).toEqual([B, ONE, D]);
    expect(b.dropAxis(b.newAxis(x, 1), 1).type.sizes).toEqual([B, D]);
    expect(() => b.add(x, b.constant(1, 'f32'))).toThrow('add violates C2');
  });
  test('finish drops what nothing needs', () => {
    const b = newBuilder();
    const x = b.input('x', 'data', rows);
    b.input('unused', 'data', rows);
    b.exp(x);
    const graph = done(b, b.neg(x));
    expect(graph.nodes.map((n) => n.op)).toEqual(['input', 'neg']);
    expect(graph.inputs.length).toBe(1);
  });
});

describe('loops and captures', () => {
  const looped = (): { b: GraphBuilder; graph: Graph } => {
    const b = newBuilder('outer');
    const x = b.input('x', 'data', rows);
    const w = b.input('w', 'param', { dtype: 'f32', sizes: [D] });
    const steps = num(3);
    const outer = b.loop(
      { carries: [x], sequences: [], length: steps, reversed: false, name: 'rounds' },
      (inner, _, [h]) => {
        // A loop in the loop that reads the outermost builder's leaf, twice, and a constant.
        const sums = inner.loop(
          { carries: [h!], sequences: [], length: num(2), reversed: true, name: 'inner' },
          (inmost, _round, [s]) => ({
            carries: [inmost.add(inmost.mul(s!, inmost.broadcastTo(inmost.local(w), [B, D])), b.constantOf(1, rows))],
            yields: [],
          }),
        );
        return {
          carries: [sums.carries[0]!],
          yields: [inner.reduce('sum', inner.mul(h!, inner.broadcastTo(w, [B, D])), [0, 1])],
        };
      },
    );
    return { b, graph: done(b, ...outer.carries, ...outer.yields) };
  };
  test('what a body uses from outside becomes one constant, through every level', () => {
    const { b, graph } = looped();
    expect(verify(graph, b.origins.rows.length)).toEqual([]);
    const scan = graph.nodes.find((n) => n.op === 'scan')!;
    expect(scan.inputs.map((n) => n.op)).toEqual(['input', 'input']);
    expect(print(graph)).toBe(`graph outer
  %0: f32[B, D] = input {name: x, kind: data}
  %1: f32[D] = input {name: w, kind: param}
  %2: (f32[B, D], f32[3]) = scan {length: 3, carries: 1, sequences: 0, reversed: false} %0, %1
      %0: i32[] = input {name: round, kind: body}
      %1: f32[B, D] = input {name: carry0, kind: body}
      %2: f32[D] = input {name: captured0, kind: body}
      %3: (f32[B, D]) = scan {length: 2, carries: 1, sequences: 0, reversed: true} %1, %2
          %0: i32[] = input {name: round, kind: body}
          %1: f32[B, D] = input {name: carry0, kind: body}
          %2: f32[D] = input {name: captured0, kind: body}
          %3: f32[B, D] = broadcast {sizes: [B, D], axes: [1]} %2
          %4: f32[B, D] = mul %1, %3
          %5: f32[] = const {value: 1}
          %6: f32[B, D] = broadcast {sizes: [B, D], axes: []} %5
          %7: f32[B, D] = add %4, %6
          carry0 <- %7
      %4: f32[B, D] = part {index: 0} %3
      %5: f32[B, D] = broadcast {sizes: [B, D], axes: [1]} %2
      %6: f32[B, D] = mul %1, %5
      %7: f32[] = reduce {op: sum, axes: [0, 1]} %6
      carry0 <- %4
      yield0 <- %7
  %3: f32[B, D] = part {index: 0} %2
  %4: f32[3] = part {index: 1} %2
  y0 <- %3
  y1 <- %4
`);
  });
  test('the value is that of the unrolled loop', () => {
    const { graph } = looped();
    const inputs = new Map([
      ['x', fill('f32', [1, 1], () => 2)],
      ['w', fill('f32', [1], () => 3)],
    ]);
    const found = evaluate(graph, inputs, { B: 1, D: 1 });
    // h ← 9 h + 4; yields 3 h before.
    expect([...found.get('y0')!.data]).toEqual([9 * (9 * (9 * 2 + 4) + 4) + 4]);
    expect([...found.get('y1')!.data]).toEqual([6, 66, 606]);
  });
  test('a tuple is not captured, a foreign node is a bug', () => {
    const b = newBuilder();
    const both = b.node('topk', [b.input('x', 'data', rows)], { axis: 0, k: ONE }) as Node;
    expect(() => b.child('body').part(both, 0)).toThrow('only its parts');
    expect(() => newBuilder().neg(b.inputs[0]!)).toThrow('another graph');
  });
  test('inline makes a graph again over other leaves', () => {
    const { graph } = looped();
    const b = newBuilder('copy');
    const leaves = graph.inputs.map((leaf) => b.input(`new ${leaf.attrs.name}`, leaf.attrs.kind, leaf.type));
    const copied = done(b, ...inline(b, graph, leaves));
    expect(verify(copied)).toEqual([]);
    expect(print(copied).replace('graph copy', 'graph outer').replaceAll('new ', '')).toBe(print(graph));
    expect(() => inline(b, graph, [])).toThrow('0 were given');
  });
});

describe('verify', () => {
  const good = (): Graph => {
    const b = newBuilder();
    const x = b.input('x', 'data', rows);
    return done(b, b.neg(b.exp(x)));
  };
  const texts = (graph: Graph): string[] => verify(graph, 1).map((v) => v.text);
  const change = (graph: Graph, k: number, changes: Partial<Node>): Graph => {
    const nodes = [...graph.nodes];
    nodes[k] = { ...nodes[k]!, ...changes } as Node;
    return { ...graph, nodes };
  };
  test('a good graph has no violations', () => void expect(texts(good())).toEqual([]));
  test('order', () => {
    const g = good();
    expect(texts({ ...g, nodes: [...g.nodes].reverse() })[0]).toContain('does not stand before it');
  });
  test('a node twice', () => {
    const g = good();
    expect(texts({ ...g, nodes: [...g.nodes, g.nodes[2]!] })).toEqual(['stands twice in the graph']);
  });
  test('types', () => {
    const g = good();
    expect(texts({ ...change(g, 2, { type: { dtype: 'f16', sizes: rows.sizes } }), outputs: [] })).toEqual([
      'neg has type f16[B, D], its record says f32[B, D]',
    ]);
  });
  test('constraints', () => {
    const g = good();
    const [x] = g.nodes;
    expect(texts({ ...change(g, 2, { inputs: [x!, x!] }), outputs: [] })).toEqual([
      'neg violates C1 (takes one operand): 2 operands; operands f32[B, D], f32[B, D]',
    ]);
  });
  test('origins', () => {
    const g = good();
    expect(texts({ ...change(g, 2, { origin: 7 }), outputs: [] })).toEqual(['has no origin (7)']);
  });
  test('owners', () => {
    const g = good();
    expect(texts({ ...change(g, 2, { owner: {} }), outputs: [] })).toEqual([
      'belongs to another builder than the first node',
    ]);
  });
  test('leaves and outputs', () => {
    const g = good();
    const b = newBuilder();
    const stray = b.input('x', 'data', rows);
    expect(texts({ ...g, inputs: [stray] })).toEqual(['leaf x is no node of the graph']);
    expect(texts({ ...g, inputs: [] })).toEqual(['1 leaves, 0 listed']);
    expect(texts({ ...g, outputs: [{ name: 'y', node: stray, updates: null }] })).toEqual([
      'output y is no node of the graph',
    ]);
    expect(texts({ ...g, outputs: [...g.outputs, ...g.outputs] })).toEqual(['a second output is named y0']);
    const twice = newBuilder();
    const sum = twice.add(twice.input('x', 'data', rows), twice.input('x', 'data', rows));
    expect(texts(done(twice, sum))).toEqual(['a second leaf is named x']);
  });
  test('bodies of loops are checked', () => {
    const b = newBuilder();
    const x = b.input('x', 'data', rows);
    const loop = b.loop({ carries: [x], sequences: [], length: B, reversed: false }, (i, _, [h]) => ({
      carries: [i.exp(h!)],
      yields: [],
    }));
    const graph = done(b, loop.carries[0]!);
    const scan = graph.nodes.find((n) => n.op === 'scan')!;
    const body = change(scan.attrs.body, 2, { origin: -1 });
    const broken = change(graph, graph.nodes.indexOf(scan), {
      attrs: { ...scan.attrs, body: { ...body, outputs: scan.attrs.body.outputs } },
    } as Partial<Node>);
    expect(verify(broken, 1).some((v) => v.graph === 'test/test.loop' && v.text === 'has no origin (-1)')).toBe(true);
  });
});
