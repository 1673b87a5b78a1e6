/** Axes: the batch merged into features, one group in two orders, parameters that depend on the data's sizes, fixed rows, impossible classes. */
import type { Callable, Expr, Index, IndexGroup, IndexName, Span } from '../../grammar/ast.ts';
import { formatShape, formatSize, formatType } from '../check/types.ts';
import { name, names, sub } from '../sizes/poly.ts';
import { asConst } from '../sizes/poly.ts';
import { batchSizes } from './batch.ts';
import type { Axis } from '../check/types.ts';
import type { Body, Context } from './context.ts';
import type { Lint } from './record.ts';

export const batchInFeatures: Lint = {
  code: 'NN130',
  name: 'batch-in-features',
  level: 'warn',
  looksFor:
    'a group on the left that merges the examples of the batch with other axes, anywhere but in front with the batch first',
  avoids: '`(b t)` in front: positions treated as examples',
  run(c) {
    for (const body of c.bodies) {
      const batch = batchSizes(c, body);
      if (batch.size === 0) continue;
      for (const e of body.equations)
        for (const [place, index] of (e.indices as readonly { kind: string }[]).entries()) {
          if (index.kind !== 'group') continue;
          const group = index as unknown as IndexGroup;
          const at = group.parts.findIndex((p) => {
            const l = c.letter(p);
            return l?.extent?.kind === 'size' && batch.has(l.extent.size);
          });
          if (at < 0 || group.parts.length < 2 || (place === 0 && at === 0)) continue;
          const part = group.parts[at]!;
          const axis = c.letter(part)!.extent as { size: Parameters<typeof formatSize>[0] };
          c.report('NN130', part.span, {
            index: part.name.text,
            size: formatSize(axis.size),
            group: c.text(group.span),
          });
        }
    }
  },
};

export const groupOrder: Lint = {
  code: 'NN131',
  name: 'group-order',
  level: 'warn',
  looksFor:
    'the same indices grouped as `(h e)` in one equation and as `(e h)` in another: one of them takes the axis apart in the wrong order',
  avoids: 'a change of order within one equation, which is how an axis is reordered on purpose; axes of one size',
  run(c) {
    for (const body of c.bodies) {
      interface Seen {
        readonly order: string;
        readonly group: IndexGroup;
        readonly equation: object;
      }
      const seen = new Map<string, Seen>();
      for (const group of body.groups) {
        const letters = group.parts.map((p) => c.letter(p));
        if (letters.length < 2 || letters.some((l) => l?.extent?.kind !== 'size')) continue;
        const sizes = letters.map((l) => formatSize((l!.extent as { size: Parameters<typeof formatSize>[0] }).size));
        if (new Set(sizes).size < sizes.length) continue;
        const parts = group.parts.map((p, k) => `${p.name.text}:${sizes[k]!}`);
        const equation =
          c.enclosing(group, 'let') ?? c.enclosing(group, 'assign') ?? c.enclosing(group, 'yield') ?? body.owner;
        // Pair by pair, so that `(n h e)` taken apart and `(e h)` put together are seen, too.
        let contrary: Seen | null = null;
        for (const [k, a] of parts.entries())
          for (const b of parts.slice(k + 1)) {
            const key = [a, b].sort().join(' ');
            const order = `${a} ${b}`;
            const first = seen.get(key);
            if (first === undefined) seen.set(key, { order, group, equation });
            else if (first.order !== order && first.equation !== equation) contrary ??= first;
          }
        if (contrary === null) continue;
        // The odd one is what the left side of its own equation has in the other order.
        const here = leftAgrees(equation, group);
        const there = leftAgrees(contrary.equation, contrary.group);
        const [odd, like] = there === false && here !== false ? [contrary.group, group] : [group, contrary.group];
        c.report(
          'NN131',
          odd.span,
          { group: c.text(odd.span), other: c.text(like.span), otherSpan: like.span },
          reordered(c, odd, like),
        );
      }
    }
  },
};

/** Whether an equation has the letters of a group on its left in the group's order; null where it has not all of them there by themselves. */
function leftAgrees(equation: object, group: IndexGroup): boolean | null {
  const left = ((equation as { readonly indices?: readonly Index[] | null }).indices ?? []).flatMap((i) =>
    i.kind === 'index' ? [i.name.text] : [],
  );
  const at = group.parts.map((p) => left.indexOf(p.name.text));
  if (at.some((k) => k < 0)) return null;
  return at.every((k, n) => n === 0 || k > at[n - 1]!);
}

function reordered(c: Context, group: IndexGroup, like: IndexGroup) {
  const own = new Map(group.parts.map((p: IndexName) => [p.name.text, c.text(p.span)]));
  const shared = like.parts.flatMap((p) => own.get(p.name.text) ?? []);
  if (shared.length < own.size) return [];
  const text = `(${shared.join(' ')})`;
  return [
    {
      title: `group in the same order: \`${text}\``,
      edits: [{ span: group.span, text }],
      applicability: 'maybe' as const,
    },
  ];
}

export const parameterByDataSize: Lint = {
  code: 'NN132',
  name: 'parameter-by-data',
  level: 'warn',
  looksFor:
    'a model with parameters whose shape depends on the size of its inputs that only the data give: batch or length become part of the weights',
  avoids: 'sizes that a `require` fixes to one value, and blocks and functions, whose sizes their caller gives',
  run(c) {
    for (const body of c.bodies) {
      const { owner } = body;
      if (owner.kind !== 'model') continue;
      const signature = c.checked.signatures.get(owner);
      if (signature === undefined || signature.damaged) continue;
      const know = c.knowledge(owner);
      const batch = batchSizes(c, body);
      for (const size of signature.instanceSizes) {
        const p = name(size);
        const fixed = signature.requirements.some(
          (r) =>
            r.condition.kind === 'equal' &&
            !r.condition.negated &&
            know.isEqual(r.condition.left, r.condition.right) &&
            c.constant(sub(r.condition.left, r.condition.right)) === null &&
            names(sub(r.condition.left, r.condition.right)).has(size),
        );
        if (fixed) continue;
        const declared = owner.parameters.find((q) =>
          q.type?.shape?.some((d) => d.kind === 'size' && d.value.kind === 'name' && d.value.name === size),
        );
        const at = (declared ?? owner.name).span;
        c.report('NN132', layerOf(c, body, size) ?? at, {
          model: owner.name.text,
          size,
          declared: at,
          batch: batch.has(p),
        });
      }
    }
  },
};

/** The first layer of a body that takes a size into its parameters, or the leaf that has it. */
function layerOf(c: Context, body: Body, size: string): Span | null {
  const has = (axis: Axis | undefined): boolean => axis?.kind === 'size' && names(axis.size).has(size);
  for (const a of body.applications) {
    const d = a.definition?.declaration as Callable | undefined;
    const signature = d === undefined ? undefined : c.checked.signatures.get(d);
    if (d === undefined || signature === undefined) continue;
    for (const p of signature.parameters) {
      const given = a.tensors.get(p.name);
      const actual = given === undefined ? null : c.type(given);
      if (p.type.kind !== 'tensor' || actual?.kind !== 'tensor') continue;
      const { shape } = p.type;
      const owned = shape.some(
        (axis, k) =>
          axis.kind === 'size' &&
          [...names(axis.size)].some((n) => signature.instanceSizes.has(n)) &&
          has(actual.shape[actual.shape.length - (shape.length - k)]),
      );
      if (owned) return a.stage;
    }
  }
  for (const leaf of body.leaves) {
    const type = c.checked.lets.get(leaf);
    if (type?.kind === 'tensor' && type.shape.some(has)) return leaf.name.span;
  }
  return null;
}

export const fixedRows: Lint = {
  code: 'NN133',
  name: 'fixed-rows',
  level: 'warn',
  looksFor:
    'training inputs that all begin with a number: every batch, also the last, must then have exactly so many rows',
  avoids: 'blocks with any size that the data give, constants as inputs, blocks with `batch`',
  run(c) {
    for (const { owner } of c.bodies) {
      if (owner.kind !== 'train' || owner.statements.some((s) => s.kind === 'batch')) continue;
      const inputs = owner.statements.flatMap((s) => (s.kind === 'input' ? [s] : []));
      const info = c.checked.trains.get(owner);
      if (inputs.length === 0 || info === undefined || info.sizes.length > 0) continue;
      for (const s of inputs) {
        const dim = s.type.shape?.[0];
        const rows = dim?.kind === 'size' ? c.number(dim.value) : null;
        if (dim === undefined || rows === null || rows < 2) continue;
        const type = info.inputs.get(s.name.text);
        c.report(
          'NN133',
          dim.span,
          { input: s.name.text, type: type === undefined ? '' : formatType(type), rows: c.text(dim.span) },
          [],
        );
        break;
      }
    }
  },
};

export const axisNames: Lint = {
  code: 'NN136',
  name: 'axis-names',
  level: 'warn',
  looksFor:
    "a call that gives one of the callee's axes a size of the caller that bears the name of another of the callee's axes",
  avoids: 'callees with one axis, names that the caller does not share, and sizes of one axis given to two',
  run(c) {
    for (const body of c.bodies)
      for (const a of body.applications) {
        const d = a.definition?.declaration as Callable | undefined;
        const signature = d === undefined ? undefined : c.checked.signatures.get(d);
        if (d === undefined || signature === undefined || d === body.owner || signature.sizes.length < 2) continue;
        // Only what every tensor of the call agrees on.
        const given = new Map<string, string>();
        const conflicting = new Set<string>();
        const crossed: { name: string; value: Expr; expected: readonly Axis[]; actual: readonly Axis[] }[] = [];
        for (const p of signature.parameters) {
          const value = a.tensors.get(p.name);
          const actual = value === undefined ? null : c.type(value);
          if (value === undefined || p.type.kind !== 'tensor' || actual?.kind !== 'tensor') continue;
          const { shape } = p.type;
          if (shape.some((x) => x.kind === 'run') || shape.length !== actual.shape.length) continue;
          shape.forEach((axis, k) => {
            const own = bareName(axis);
            const other = bareName(actual.shape[k]);
            if (own === null || !signature.sizes.includes(own)) return;
            const before = given.get(own);
            if (before !== undefined && before !== (other ?? '')) conflicting.add(own);
            given.set(own, other ?? '');
            if (other !== null && other !== own && signature.sizes.includes(other))
              crossed.push({ name: own, value, expected: shape, actual: actual.shape });
          });
        }
        const wrong = crossed.at(0);
        if (wrong === undefined) continue;
        const { name: first, value, expected, actual } = wrong;
        const second = given.get(first)!;
        // T given for H: only where the callee's T gets something else, and nothing else of the callee's gets T too.
        const taken = given.get(second);
        const repeated = [...given.values()].filter((x) => x === second).length > 1;
        if (taken === undefined || taken === second || conflicting.size > 0 || repeated) continue;
        c.report('NN136', value.span, {
          callee: a.name,
          first,
          second,
          expected: formatShape(expected),
          actual: formatShape(actual),
        });
      }
  },
};

/** The name of an axis whose size is one name. */
function bareName(axis: Axis | undefined): string | null {
  if (axis?.kind !== 'size') return null;
  const text = formatSize(axis.size);
  return /^\p{Lu}\w*$/u.test(text) ? text : null;
}

export const floorDivision: Lint = {
  code: 'NN135',
  name: 'floor-division',
  level: 'warn',
  looksFor: 'a comment of one number or size directly behind a value: `D // 2` is D in nnc',
  avoids: 'comments of words, and documentation',
  run(c) {
    for (const body of c.bodies) {
      const { comments } = body.module.ast;
      if (comments.every((x) => x.ownLine)) continue;
      for (const s of body.lets) {
        const { value } = s;
        const comment = comments.find((x) => x.span.start >= value.span.end && x.span.start - value.span.end <= 2);
        if (comment === undefined || !/^\/\/\s*(\d+|[A-Z]\w{0,2})\s*$/.test(c.text(comment.span))) continue;
        const type = c.type(value);
        if (type?.kind !== 'number') continue;
        const divisor = c
          .text(comment.span)
          .replace(/^\/\/\s*/, '')
          .trim();
        const dividend = c.text(value.span);
        c.report('NN135', comment.span, { comment: c.text(comment.span).trim(), dividend }, [
          {
            title: 'divide and round down',
            edits: [
              {
                span: { file: comment.span.file, start: value.span.start, end: comment.span.end },
                text: `floor(${dividend} / ${divisor})`,
              },
            ],
            applicability: 'maybe',
          },
        ]);
      }
    }
  },
};

export const classOutOfRange: Lint = {
  code: 'NN134',
  name: 'class-out-of-range',
  level: 'warn',
  looksFor: 'an index typed below its number of classes, compared with a number that it never has',
  avoids: 'bounds that are not known numbers',
  run(c) {
    for (const body of c.bodies)
      for (const e of body.binaries) {
        if (!['==', '!=', '<', '<=', '>', '>='].includes(e.operator)) continue;
        const sides = [
          { index: e.left, other: e.right, flipped: false },
          { index: e.right, other: e.left, flipped: true },
        ];
        for (const { index, other } of sides) {
          if (index.kind !== 'read' && index.kind !== 'name') continue;
          const type = c.type(index);
          if (type?.kind !== 'tensor' || type.below === null || c.letter(index) !== null) continue;
          const bound = c.constant(type.below);
          const value = c.number(other);
          if (bound === null || value === null || asConst(type.below) === null) continue;
          if (value >= 0 && value < bound) continue;
          // `label < 10` of a label below 10 is a check that says what is known.
          if (e.operator !== '==' && e.operator !== '!=') continue;
          c.report('NN134', other.span, {
            index: c.text(index.span),
            bound: String(bound),
            value: String(value),
            result: e.operator === '==' ? 'never' : 'always',
          });
        }
      }
  },
};
