/**
 * The slips that people make, as changes of a program's text: one record an operator. A site is a set of edits and the expression that they change,
 * both as offsets of the original text. Operators know the tree and its types, so that a change is one that a person could have made; whether it
 * is wrong is for the study to find out.
 */
import type { BinaryExpr, Expr, Index, IndexName, Span } from '../../grammar/ast.ts';
import { walk } from '../../grammar/walk.ts';

import {
  applications,
  at,
  binaries,
  configurationNumbers,
  equations,
  firstUse,
  inGuard,
  isBare,
  lettersAround,
  maskBodies,
  misspelt,
  nodes,
  put,
  reads,
  reduces,
  sizeNames,
  statements,
  type Material,
  type Site,
} from './material.ts';

export interface Operator {
  readonly name: string;
  readonly what: string;
  readonly sites: (m: Material) => Site[];
}

export const operators: readonly Operator[] = [
  {
    name: 'swap two axes of a read',
    what: '`q[b, t, e]` → `q[b, e, t]`',
    sites: (m) =>
      reads(m).flatMap((r) => {
        const k = r.indices.findIndex(
          (i, n) => isBare(i) && r.indices[n + 1] !== undefined && isBare(r.indices[n + 1]!),
        );
        const last = r.indices.length - 2;
        const from = last >= 0 && isBare(r.indices[last]!) && isBare(r.indices[last + 1]!) ? last : k;
        if (from < 0) return [];
        const [x, y] = [r.indices[from]!, r.indices[from + 1]!];
        return [at(r.span, put(x.span, m.context.text(y.span)), put(y.span, m.context.text(x.span)))];
      }),
  },
  {
    name: 'swap two axes on the left',
    what: '`let y[b, t, d] = …` → `let y[b, d, t] = …`',
    sites: (m) =>
      equations(m).flatMap((e) => {
        const list = e.indices as readonly Index[];
        if (list.length < 2) return [];
        const [x, y] = [list.at(-2)!, list.at(-1)!];
        return [at(e.span, put(x.span, m.context.text(y.span)), put(y.span, m.context.text(x.span)))];
      }),
  },
  {
    name: 'swap two axes of a type',
    what: '`x: float[B, T, D]` → `x: float[B, D, T]`',
    sites: (m) =>
      m.bodies.flatMap(({ owner }) =>
        (owner.kind === 'train' ? [] : owner.parameters).flatMap((p) => {
          const dims = p.type?.shape ?? [];
          if (dims.length < 2) return [];
          const [x, y] = [dims.at(-2)!, dims.at(-1)!];
          return [at(p.type!.span, put(x.span, m.context.text(y.span)), put(y.span, m.context.text(x.span)))];
        }),
      ),
  },
  {
    name: 'drop an index of a read',
    what: '`x[b, t, d]` → `x[b, t]`',
    sites: (m) =>
      reads(m).flatMap((r) =>
        r.indices.length < 2
          ? []
          : [at(r.span, { start: r.indices.at(-2)!.span.end, end: r.indices.at(-1)!.span.end, text: '' })],
      ),
  },
  {
    name: 'drop the indices of a read',
    what: '`x[b, t, d]` → `x`',
    sites: (m) => reads(m).map((r) => at(r.span, { start: r.target.span.end, end: r.span.end, text: '' })),
  },
  {
    name: 'another index in a read',
    what: '`x[b, s, d]` → `x[b, t, d]`',
    sites: (m) =>
      reads(m).flatMap((r) => {
        const i = [...r.indices].reverse().find((x): x is IndexName => isBare(x) && m.context.letter(x) !== null);
        if (i === undefined) return [];
        const other = lettersAround(m, r).find(
          (n) => n !== i.name.text && !r.indices.some((x) => x.kind === 'index' && x.name.text === n),
        );
        return other === undefined ? [] : [at(r.span, put(i.span, other))];
      }),
  },
  {
    name: 'swap the parts of a group',
    what: '`(h e)` → `(e h)`',
    sites: (m) =>
      m.bodies
        .flatMap((b) => b.groups)
        .flatMap((g) => {
          if (g.parts.length < 2) return [];
          const [x, y] = [g.parts[0]!, g.parts[1]!];
          return [at(g.span, put(x.span, m.context.text(y.span)), put(y.span, m.context.text(x.span)))];
        }),
  },
  {
    name: 'drop a part of a group',
    what: '`(h e)` → `e`',
    sites: (m) =>
      m.bodies
        .flatMap((b) => b.groups)
        .flatMap((g) => (g.parts.length < 2 ? [] : [at(g.span, put(g.span, m.context.text(g.parts.at(-1)!.span)))])),
  },
  {
    name: 'another axis in a reduction',
    what: '`softmax[s] …` → `softmax[t] …`, `sum[d] …` → `sum[o] …`',
    sites: (m) =>
      reduces(m).flatMap((r) => {
        const i = r.indices[0];
        if (i === undefined || i.run) return [];
        const others = lettersAround(m, r).filter((n) => !r.indices.some((x) => x.name.text === n));
        const other = others.at(-1);
        return other === undefined ? [] : [at(r.span, put(i.name.span, other))];
      }),
  },
  {
    name: 'drop an axis of a reduction',
    what: '`sum[c, p] …` → `sum[c] …`',
    sites: (m) =>
      reduces(m).flatMap((r) =>
        r.indices.length < 2
          ? []
          : [at(r.span, { start: r.indices.at(-2)!.span.end, end: r.indices.at(-1)!.span.end, text: '' })],
      ),
  },
  {
    name: 'another reduction',
    what: '`sum` → `mean`, `max` → `sum`, `argmax` → `max`',
    sites: (m) => {
      const other: Readonly<Record<string, string>> = {
        sum: 'mean',
        mean: 'sum',
        max: 'sum',
        min: 'max',
        argmax: 'max',
        logsumexp: 'sum',
        prod: 'sum',
        any: 'all',
        all: 'any',
      };
      return reduces(m).flatMap((r) =>
        r.operator in other ? [at(r.span, put(r.operatorSpan, other[r.operator]!))] : [],
      );
    },
  },
  {
    name: 'wrong width of a layer',
    what: '`Linear(64)` → `Linear(65)`, `Linear(D)` → `Linear(D + 1)`',
    sites: (m) =>
      configurationNumbers(m).flatMap(({ a, parameter, value }) =>
        ['out', 'hidden', 'width', 'count'].includes(parameter)
          ? [
              {
                edits: [
                  put(
                    value.span,
                    value.kind === 'number' ? String(value.value + 1) : `${m.context.text(value.span)} + 1`,
                  ),
                ],
                target: { start: a.stage.start, end: a.stage.end },
              },
            ]
          : [],
      ),
  },
  {
    name: 'the width of another axis',
    what: '`Linear(D)` → `Linear(T)`, `sqrt(E)` → `sqrt(D)`',
    sites: (m) =>
      m.bodies.flatMap((body) => {
        const out: Site[] = [];
        walk(body.owner, (n, parent) => {
          if (n.kind !== 'name' || parent === null || parent.kind === 'size') return undefined;
          const e = n as Expr & { kind: 'name' };
          const binding = m.context.binding(e);
          if (binding?.kind !== 'size' && !(binding?.kind === 'value' && binding.origin === 'config')) return undefined;
          // Types of signatures have an operator of their own.
          for (let p = m.context.parent(e); p !== null; p = m.context.parent(p)) if ('dtype' in p) return undefined;
          const other = sizeNames(m, body).find((s) => s !== e.name);
          if (other !== undefined) out.push(at(e.span, put(e.span, other)));
          return undefined;
        });
        return out;
      }),
  },
  {
    name: 'change a kernel, stride or padding',
    what: '`stride: 2` → `stride: 3`',
    sites: (m) =>
      applications(m).flatMap(({ a }) =>
        [...a.config, ...a.tensors].flatMap(([parameter, value]) =>
          ['stride', 'kernel', 'pad', 'size', 'dilation', 'scale'].includes(parameter) && value.kind === 'number'
            ? [
                {
                  edits: [put(value.span, String(value.value + 1))],
                  target: { start: a.stage.start, end: a.stage.end },
                },
              ]
            : [],
        ),
      ),
  },
  {
    name: 'off by one in an index',
    what: '`x[b, t - 1]` → `x[b, t]`, `x[b, t]` → `x[b, t + 1]`',
    sites: (m) =>
      reads(m).flatMap((r) => {
        const shifted = r.indices.find((i) => i.kind === 'expression' && i.value.kind === 'binary');
        if (shifted?.kind === 'expression') {
          const { value } = shifted as { value: BinaryExpr };
          return [at(r.span, put(value.span, `${m.context.text(value.span)} + 1`))];
        }
        const i = [...r.indices].reverse().find((x): x is IndexName => isBare(x) && m.context.letter(x) !== null);
        return i === undefined ? [] : [at(r.span, put(i.span, `${i.name.text} + 1`))];
      }),
  },
  {
    name: 'off by one in an extent',
    what: '`let y[t: T] = …` → `let y[t: T + 1] = …`',
    sites: (m) =>
      equations(m).flatMap((e) => {
        const list = (e.indices as readonly Index[]).flatMap((i) =>
          i.kind === 'index' ? [i] : i.kind === 'group' ? i.parts : [],
        );
        const i = list.find((x) => x.extent !== null);
        return i?.extent == null ? [] : [at(e.span, put(i.extent.span, `${m.context.text(i.extent.span)} + 1`))];
      }),
  },
  {
    name: 'off by one in a number of classes',
    what: '`label: i32[B] < 10` → `label: i32[B] < 11`',
    sites: (m) => {
      const out: Site[] = [];
      for (const { owner } of m.bodies)
        walk(owner, (n) => {
          const below = (n as { below?: Expr | null }).below;
          if (below != null)
            out.push(
              at(
                (n as { span: Span }).span,
                put(
                  below.span,
                  below.kind === 'number' ? String(below.value + 1) : `${m.context.text(below.span)} + 1`,
                ),
              ),
            );
          return undefined;
        });
      return out;
    },
  },
  {
    name: 'swap two arguments',
    what: '`cross_entropy(logits, label)` → `cross_entropy(label, logits)`',
    sites: (m) =>
      nodes(m, 'call').flatMap(({ node }) => {
        const [x, y] = node.arguments;
        return x === undefined ||
          y === undefined ||
          x.name !== null ||
          y.name !== null ||
          m.context.text(x.span) === m.context.text(y.span)
          ? []
          : [at(node.span, put(x.span, m.context.text(y.span)), put(y.span, m.context.text(x.span)))];
      }),
  },
  {
    name: 'drop an argument',
    what: '`attention(q, k, v)` → `attention(q, k)`',
    sites: (m) =>
      nodes(m, 'call').flatMap(({ node }) =>
        node.arguments.length < 2
          ? []
          : [at(node.span, { start: node.arguments.at(-2)!.span.end, end: node.arguments.at(-1)!.span.end, text: '' })],
      ),
  },
  {
    name: 'drop a stage',
    what: '`x |> Linear(8) |> relu` → `x |> Linear(8)`',
    sites: (m) =>
      nodes(m, 'pipe').map(({ node }) =>
        // What comes next takes now what the dropped stage took.
        ({
          edits: [{ start: node.value.span.end, end: node.span.end, text: '' }],
          target: { start: node.span.start, end: m.context.enclosing(node, 'pipe')?.span?.end ?? node.span.end },
        }),
      ),
  },
  {
    name: 'double a stage',
    what: '`x |> Linear(8)` → `x |> Linear(8) |> Linear(8)`',
    sites: (m) =>
      nodes(m, 'pipe').map(({ node }) =>
        at(node.span, { start: node.span.end, end: node.span.end, text: ` |> ${m.context.text(node.stage.span)}` }),
      ),
  },
  {
    name: 'add a softmax to a result',
    what: '`return y |> Linear(10)` → `return y |> Linear(10) |> softmax`',
    sites: (m) =>
      m.bodies.flatMap(({ owner }) =>
        owner.kind !== 'model' || Array.isArray(owner.result)
          ? []
          : owner.body.statements.flatMap((s) => {
              const value = s.kind === 'return' || s.kind === 'expression' ? s.value : null;
              return value === null
                ? []
                : [
                    at(value.span, {
                      start: value.span.start,
                      end: value.span.end,
                      text: ['pipe', 'call', 'name'].includes(value.kind)
                        ? `${m.context.text(value.span)} |> softmax`
                        : `(${m.context.text(value.span)}) |> softmax`,
                    }),
                  ];
            }),
      ),
  },
  {
    name: 'drop a softmax',
    what: '`softmax[s] score[…]` → `score[…]`',
    sites: (m) =>
      reduces(m).flatMap((r) =>
        r.operator === 'softmax' ? [at(r.span, { start: r.span.start, end: r.operand.span.start, text: '' })] : [],
      ),
  },
  {
    name: 'turn a mask round',
    what: '`s <= t` → `s >= t` in a guard or mask',
    sites: (m) => {
      const turned: Readonly<Record<string, string>> = { '<=': '>=', '<': '>', '>=': '<=', '>': '<' };
      return binaries(m).flatMap((e) =>
        e.operator in turned && inGuard(m, e) ? [at(e.span, put(e.operatorSpan, turned[e.operator]!))] : [],
      );
    },
  },
  {
    name: 'negate a mask',
    what: '`where keep(q: t, k: s)` → `where not keep(q: t, k: s)`',
    sites: (m) => [
      ...reduces(m).flatMap((r) =>
        r.guard === null ? [] : [at(r.guard.span, put(r.guard.span, `not (${m.context.text(r.guard.span)})`))],
      ),
      ...maskBodies(m).map((e) => at(e.span, put(e.span, `not (${m.context.text(e.span)})`))),
    ],
  },
  {
    name: 'drop a guard',
    what: '`softmax[s where s <= t] …` → `softmax[s] …`',
    sites: (m) =>
      reduces(m).flatMap((r) =>
        r.guard === null ? [] : [at(r.span, { start: r.indices.at(-1)!.span.end, end: r.guard.span.end, text: '' })],
      ),
  },
  {
    name: 'strict for not strict',
    what: '`s <= t` → `s < t`',
    sites: (m) => {
      const other: Readonly<Record<string, string>> = { '<=': '<', '<': '<=', '>=': '>', '>': '>=' };
      return binaries(m).flatMap((e) =>
        e.operator in other && inGuard(m, e) ? [at(e.span, put(e.operatorSpan, other[e.operator]!))] : [],
      );
    },
  },
  {
    name: 'swap query and key of a mask',
    what: '`keep(q: t, k: s)` → `keep(q: s, k: t)`',
    sites: (m) =>
      nodes(m, 'call').flatMap(({ node }) => {
        const q = node.arguments.find((a) => a.name?.text === 'q');
        const k = node.arguments.find((a) => a.name?.text === 'k');
        return q === undefined || k === undefined
          ? []
          : [
              at(
                node.span,
                put(q.value.span, m.context.text(k.value.span)),
                put(k.value.span, m.context.text(q.value.span)),
              ),
            ];
      }),
  },
  {
    name: 'drop a scale',
    what: '`sum[e] q * k / sqrt(E)` → `sum[e] q * k`',
    sites: (m) =>
      binaries(m).flatMap((e) =>
        e.operator === '/' &&
        e.right.kind === 'call' &&
        e.right.callee.kind === 'name' &&
        e.right.callee.name === 'sqrt'
          ? [at(e.span, { start: e.left.span.end, end: e.span.end, text: '' })]
          : [],
      ),
  },
  {
    name: 'drop an else',
    what: '`x[b, t - 1] else 0` → `x[b, t - 1]`',
    sites: (m) =>
      nodes(m, 'else').map(({ node }) => at(node.span, { start: node.left.span.end, end: node.span.end, text: '' })),
  },
  {
    name: 'another operator',
    what: '`a + b` → `a - b`, `a * b` → `a + b`',
    sites: (m) => {
      const other: Readonly<Record<string, string>> = { '+': '-', '-': '+', '*': '/', '/': '*' };
      return binaries(m).flatMap((e) =>
        e.operator in other ? [at(e.span, put(e.operatorSpan, other[e.operator]!))] : [],
      );
    },
  },
  {
    name: 'wrong constant',
    what: '`1e-5` → `1e3`, `lr: 1e-3` → `lr: 100`',
    sites: (m) =>
      nodes(m, 'number').flatMap(({ node }) =>
        node.integer || node.value === 0
          ? []
          : [at(node.span, put(node.span, node.value < 0.5 ? String(node.value * 1e5) : String(node.value / 1e5)))],
      ),
  },
  {
    name: 'misspell a name',
    what: '`logits` → `lgoits`',
    sites: (m) =>
      nodes(m, 'name').flatMap(({ node }) =>
        node.name.length < 2 || misspelt(node.name) === node.name
          ? []
          : [at(node.span, put(node.span, misspelt(node.name)))],
      ),
  },
  {
    name: 'misspell an argument',
    what: '`pad: 1` → `pda: 1`',
    sites: (m) =>
      nodes(m, 'call').flatMap(({ node }) =>
        node.arguments.flatMap((a) =>
          a.name === null || a.name.text.length < 2 || misspelt(a.name.text) === a.name.text
            ? []
            : [at(a.span, put(a.name.span, misspelt(a.name.text)))],
        ),
      ),
  },
  {
    name: 'a value for another',
    what: '`attention(query, key)` → `attention(key, key)`: the binding before',
    sites: (m) =>
      m.bodies.flatMap((body) => {
        const names = body.lets.map((l) => l.name.text);
        const out: Site[] = [];
        for (const r of body.reads) {
          const k = r.target.kind === 'name' ? names.indexOf(r.target.name) : -1;
          if (k > 0 && names[k - 1] !== names[k]) out.push(at(r.target.span, put(r.target.span, names[k - 1]!)));
        }
        return out;
      }),
  },
  {
    name: 'forget a statement',
    what: 'a `let` or an assignment is missing',
    sites: (m) =>
      statements(m).flatMap((s) => {
        const name = (s as { name?: { text: string } }).name?.text ?? '';
        // The place of the mistake is where the value was to be used; nothing else of it is left.
        const body = m.bodies.find((b) => b.owner.span.start <= s.span.start && s.span.end <= b.owner.span.end);
        const use = body === undefined ? null : firstUse(body, name, s.span.end);
        const target = use ?? s.span;
        return [
          {
            edits: [{ start: s.span.start, end: s.span.end, text: '' }],
            target: { start: target.start, end: target.end },
          },
        ];
      }),
  },
  {
    name: 'another element type',
    what: '`label: i32[B] < 10` → `label: float[B]`, `x: float[B, D]` → `x: i32[B, D]`',
    sites: (m) => {
      const out: Site[] = [];
      for (const { owner } of m.bodies) {
        const types =
          owner.kind === 'train'
            ? owner.statements.flatMap((s) => (s.kind === 'input' ? [s.type] : []))
            : owner.parameters.flatMap((p) => p.type ?? []);
        for (const t of types)
          if (t.shape !== null)
            out.push(
              at(
                t.span,
                t.dtype.text === 'i32'
                  ? {
                      start: t.dtype.span.start,
                      end: t.span.end,
                      text: `float[${t.shape.map((d) => m.context.text(d.span)).join(', ')}]`,
                    }
                  : put(t.dtype.span, 'i32'),
              ),
            );
      }
      return out;
    },
  },
];
