/** Integers that are known while a function is written: constants through variables and arithmetic, branches that are never taken, sets that nobody sees. */
import type { Webs } from './webs.ts';
import { formOf, op, resultsOf, type OpTree, type Tree } from './tree.ts';

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number | null>> = {
  'i32.add': (a, b) => (a + b) | 0,
  'i32.sub': (a, b) => (a - b) | 0,
  'i32.mul': (a, b) => Math.imul(a, b),
  'i32.div_u': (a, b) => (b === 0 ? null : ((a >>> 0) / (b >>> 0)) | 0),
  'i32.div_s': (a, b) => (b === 0 || b === -1 ? null : (a / b) | 0),
  'i32.rem_u': (a, b) => (b === 0 ? null : ((a >>> 0) % (b >>> 0)) | 0),
  'i32.rem_s': (a, b) => (b === 0 || b === -1 ? null : (a % b) | 0),
  'i32.and': (a, b) => a & b,
  'i32.or': (a, b) => a | b,
  'i32.xor': (a, b) => a ^ b,
  'i32.shl': (a, b) => a << b,
  'i32.shr_s': (a, b) => a >> b,
  'i32.shr_u': (a, b) => (a >>> b) | 0,
  'i32.eq': (a, b) => +(a === b),
  'i32.ne': (a, b) => +(a !== b),
  'i32.lt_s': (a, b) => +(a < b),
  'i32.gt_s': (a, b) => +(a > b),
  'i32.le_s': (a, b) => +(a <= b),
  'i32.ge_s': (a, b) => +(a >= b),
  'i32.lt_u': (a, b) => +(a >>> 0 < b >>> 0),
  'i32.gt_u': (a, b) => +(a >>> 0 > b >>> 0),
};
/** What leaves the left operand as it is. */
const NEUTRAL: Readonly<Record<string, number>> = {
  'i32.add': 0,
  'i32.sub': 0,
  'i32.mul': 1,
  'i32.div_u': 1,
  'i32.div_s': 1,
  'i32.or': 0,
  'i32.xor': 0,
  'i32.and': -1,
  'i32.shl': 0,
  'i32.shr_s': 0,
  'i32.shr_u': 0,
};
const EQZ = formOf('i32.eqz');
const DROP = formOf('drop');

/** May be left out where its value is not wanted. */
export function isPure(tree: Tree): boolean {
  switch (tree.kind) {
    case 'i32':
    case 'get':
      return true;
    case 'op':
      return !tree.form.writes && tree.form.results > 0 && tree.args.every(isPure);
    default:
      return false;
  }
}

/** How often variables are seen and set, at most. */
export interface Counts {
  readonly gets: number[];
  readonly sets: number[];
}

export interface Folded {
  readonly trees: Tree[];
  readonly counts: Counts;
}

/** `sets`: of each variable. */
export function fold(old: readonly Tree[], webs: Webs, sets: readonly number[], parameters: number): Folded {
  const counts: Counts = { gets: [], sets: [] };
  /** Its value is one for the whole of its life. */
  const steady = (v: number): boolean => (sets[v] ?? 0) + (v < parameters || webs.zero.has(v) ? 1 : 0) === 1;
  const known = new Map<number, Tree>();

  const list = (from: readonly Tree[]): Tree[] => {
    const out: Tree[] = [];
    for (const tree of from) {
      const made = visit(tree);
      if (Array.isArray(made)) out.push(...made);
      else if (made !== null) out.push(made);
    }
    return out;
  };
  const one = (tree: Tree): Tree => {
    const made = visit(tree);
    if (made === null || Array.isArray(made)) throw new Error('a value was lost');
    return made;
  };
  const operation = (tree: OpTree): Tree => {
    const { args } = tree;
    for (let k = 0; k < args.length; k++) args[k] = one(args[k]!);
    const { name } = tree.form;
    const [a, b, c] = args as [Tree, Tree?, Tree?];
    if (name === 'i32.eqz' && a.kind === 'i32') return { kind: 'i32', value: +(a.value === 0) };
    if (name === 'select' && c?.kind === 'i32') {
      const [chosen, other] = c.value === 0 ? [b!, a] : [a, b!];
      if (isPure(other)) return chosen;
    }
    if (b?.kind === 'i32' && args.length === 2) {
      const of = ARITHMETIC[name];
      if (of !== undefined && a.kind === 'i32') {
        const value = of(a.value, b.value);
        if (value !== null) return { kind: 'i32', value };
      }
      if (NEUTRAL[name] === b.value) return a;
      if (b.value === 0 && name === 'i32.eq') return op(EQZ, [a]);
      // (x + m) + n
      if (name === 'i32.add' && a.kind === 'op' && a.form === tree.form && a.args[1]?.kind === 'i32')
        return op(tree.form, [a.args[0]!, { kind: 'i32', value: (a.args[1].value + b.value) | 0 }]);
    }
    return tree;
  };
  const visit = (tree: Tree): Tree | Tree[] | null => {
    switch (tree.kind) {
      case 'i32':
        return tree;
      case 'get': {
        const value = known.get(tree.variable) ?? tree;
        if (value.kind === 'get') counts.gets[value.variable] = (counts.gets[value.variable] ?? 0) + 1;
        return value.kind === 'get' && value !== tree ? { ...value } : value;
      }
      case 'set':
      case 'tee': {
        const value = one(tree.value);
        const is = value.kind === 'i32' || (value.kind === 'get' && steady(value.variable));
        if (tree.variable >= 0 && is && steady(tree.variable)) known.set(tree.variable, value);
        if (tree.variable < 0 || known.has(tree.variable)) {
          if (tree.kind === 'tee') return value;
          return isPure(value) ? null : resultsOf(value) === 0 ? value : op(DROP, [value]);
        }
        tree.value = value;
        counts.sets[tree.variable] = (counts.sets[tree.variable] ?? 0) + 1;
        return tree;
      }
      case 'op': {
        const made = operation(tree);
        return made.kind === 'op' && made.form === DROP && isPure(made.args[0]!) ? null : made;
      }
      case 'call':
        for (let k = 0; k < tree.args.length; k++) tree.args[k] = one(tree.args[k]!);
        return tree;
      case 'then': {
        tree.value = one(tree.value);
        tree.after = list(tree.after);
        return tree.after.length === 0 ? tree.value : tree;
      }
      case 'br':
        if (tree.condition === null) return tree;
        tree.condition = one(tree.condition);
        if (tree.condition.kind !== 'i32') return tree;
        return tree.condition.value === 0 ? null : { ...tree, condition: null };
      case 'block':
      case 'loop':
        tree.body = list(tree.body);
        return tree;
      case 'if': {
        tree.condition = one(tree.condition);
        if (tree.condition.kind === 'i32' && !leaves(tree.body, tree)) {
          const kept = tree.condition.value === 0 ? (tree.otherwise ?? []) : tree.body;
          const made = list(kept);
          if (resultsOf(tree) === 0) return made;
          return made.length === 1 ? made[0]! : { kind: 'block', type: tree.type, label: tree.label, body: made };
        }
        tree.body = list(tree.body);
        if (tree.otherwise !== null) tree.otherwise = list(tree.otherwise);
        if (tree.body.length === 0 && (tree.otherwise ?? []).length === 0)
          return isPure(tree.condition) ? null : op(DROP, [tree.condition]);
        return tree;
      }
    }
  };
  return { trees: list(old), counts };
}

/** Whether a branch inside leaves this one. */
function leaves(list: readonly Tree[], of: Extract<Tree, { kind: 'if' }>): boolean {
  const inside = (tree: Tree): boolean => {
    switch (tree.kind) {
      case 'br':
        return tree.label === of.label;
      case 'block':
      case 'loop':
        return tree.body.some(inside);
      case 'if':
        return tree.body.some(inside) || (tree.otherwise ?? []).some(inside);
      case 'then':
        return tree.after.some(inside);
      default:
        return false;
    }
  };
  return list.some(inside) || (of.otherwise ?? []).some(inside);
}
