/**
 * The readable text of a graph: one node a line, numbered in order, bodies of loops indented below their node. Two graphs that print alike
 * are alike up to origins; numbers do not depend on how the nodes came about.
 */
import { format, type Poly } from '../sizes/poly.ts';
import { showType } from '../ops/shapes.ts';
import type { Graph, Node } from './types.ts';

export interface PrintOptions {
  /** What stands behind a node's line, as a comment: its source place, for one. */
  readonly note?: (node: Node) => string;
}

const isPoly = (value: object): value is Poly => 'key' in value && 'id' in value;

function showValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(showValue).join(', ')}]`;
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value);
  if (isPoly(value)) return format(value);
  if ('from' in value) return showSource(value as { from: string; axis?: number; which?: number });
  if ('stride' in value && 'size' in value) return `${showValue(value.size)} by ${showValue(value.stride)}`;
  return showAttributes(value as Record<string, unknown>);
}

const showSource = (s: { from: string; axis?: number; which?: number }): string =>
  s.from === 'axis' ? `axis ${s.axis}` : `index ${s.which}`;

/** `axis: 1, k: 2`; for a contraction `b i, o i -> b o`. Bodies are left out. */
export const showAttributesOf = (node: Node): string =>
  node.op === 'contract' ? einsum(node.attrs) : showAttributes((node.attrs ?? {}) as Record<string, unknown>);

const showAttributes = (attrs: Record<string, unknown>): string =>
  Object.entries(attrs)
    .filter(([key]) => key !== 'body' && key !== 'type' && key !== 'dtype') // shown otherwise
    .map(([key, value]) => `${key}: ${showValue(value)}`)
    .join(', ');

function nodeText(node: Node, show: (n: Node) => string): string {
  const type = node.members === null ? showType(node.type) : `(${node.members.map(showType).join(', ')})`;
  const operands = node.inputs.map(show).join(', ');
  const attrs = showAttributesOf(node);
  const head = attrs === '' ? '' : ` {${attrs}}`;
  return `${show(node)}: ${type} = ${node.op}${head}${operands === '' ? '' : ` ${operands}`}`;
}

const einsum = (attrs: {
  readonly a: readonly string[];
  readonly b: readonly string[];
  readonly out: readonly string[];
}): string => `${attrs.a.join(' ')}, ${attrs.b.join(' ')} -> ${attrs.out.join(' ')}`;

function lines(graph: Graph, indent: string, options: PrintOptions): string[] {
  const numbers = new Map<Node, number>(graph.nodes.map((n, k) => [n, k]));
  const show = (n: Node): string => `%${numbers.get(n) ?? '?'}`;
  const out: string[] = [];
  for (const node of graph.nodes) {
    const note = options.note?.(node) ?? '';
    out.push(`${indent}${nodeText(node, show)}${note === '' ? '' : `  // ${note}`}`);
    if (node.op === 'scan') out.push(...lines(node.attrs.body, `${indent}    `, options));
  }
  for (const o of graph.outputs) {
    const target = o.updates === null ? o.name : `${o.name} (updates ${o.updates})`;
    out.push(`${indent}${target} <- ${show(o.node)}`);
  }
  return out;
}

/** Ends with a line break. */
export function print(graph: Graph, options: PrintOptions = {}): string {
  return `graph ${graph.name}\n${lines(graph, '  ', options).join('\n')}\n`;
}
