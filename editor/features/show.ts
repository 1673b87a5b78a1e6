/** How the editor writes types, signatures and sizes. Markdown only where it says so. */
import type { Callable } from '../../grammar/ast.ts';
import { formatAxis, formatSize, formatType, type Axis, type Type, type Why } from '../../compiler/check/types.ts';
import { evaluate, names, type Poly } from '../../compiler/sizes/poly.ts';
import type { Sources } from '../../compiler/source/source.ts';
import type { NamedDeclaration } from '../../compiler/check/program.ts';

/** `block Linear(out: int, bias: bool = true)(x: float[...S, D]) -> float[...S, out]`, as it was written, on one line. */
export function signatureText(sources: Sources, d: NamedDeclaration): string {
  const { text } = sources.get(d.span.file);
  if (d.kind === 'const') return `const ${text.slice(d.name.span.start, d.value.span.end)}`;
  if (d.kind === 'train') return `train ${d.name.text}`;
  const from = Math.min(d.span.start, d.name.span.start);
  const head = text.slice(from, Math.max(d.body.span.start, d.name.span.end));
  return oneLine(head).replace(/\s*[={]\s*$/, '');
}

export const oneLine = (text: string): string =>
  text
    .replace(/\/\/[^\n]*/g, '')
    .replace(/\s+/g, ' ')
    .trim();

export const code = (text: string): string => `\`\`\`nn\n${text}\n\`\`\``;

/** Sizes that are known at this place: constants of the file, the batch of the train block. */
export type KnownSizes = ReadonlyMap<string, number>;

export function valueOfSize(p: Poly, known: KnownSizes): number | null {
  for (const n of names(p)) if (!known.has(n)) return null;
  try {
    return evaluate(p, (n) => known.get(n)!);
  } catch {
    return null;
  }
}

const BYTES: Readonly<Record<string, number>> = { float: 4, f32: 4, f16: 2, i32: 4, bool: 1 };

export function bytesOf(t: Type, known: KnownSizes): number | null {
  if (t.kind !== 'tensor') return null;
  let bytes = BYTES[t.dtype] ?? 4;
  for (const axis of t.shape) {
    const size = axis.kind === 'size' ? valueOfSize(axis.size, known) : null;
    if (size === null) return null;
    bytes *= size;
  }
  return bytes;
}

export function showBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1024;
  let k = 0;
  while (value >= 1024 && k < units.length - 1) {
    value /= 1024;
    k++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[k]!}`;
}

export const showCount = (n: number): string => n.toLocaleString('en-US');

/** A type with what is known put in: `float[B, 8 * heads]` with heads = 4 is `float[B, 32]`. */
export function showWithSizes(t: Type, known: KnownSizes, show: (p: Poly) => string = formatSize): string {
  if (t.kind !== 'tensor' || t.shape.length === 0) return formatType(t);
  const axis = (a: Axis): string => {
    if (a.kind === 'run') return formatAxis(a);
    const value = valueOfSize(a.size, known);
    return value === null ? show(a.size) : String(value);
  };
  return `${t.dtype}[${t.shape.map(axis).join(', ')}]`;
}

/** Each size of a shape with the chain of reasons behind it, as a Markdown list; empty where nothing is known. */
export function whereSizesComeFrom(t: Type, sources: Sources, show: (p: Poly) => string = formatSize): string {
  if (t.kind !== 'tensor') return '';
  const lines: string[] = [];
  const seen = new Set<string>();
  const visit = (why: Why, depth: number): void => {
    const place = why.span === null ? '' : ` (${placeOf(sources, why)})`;
    const line = `${'  '.repeat(depth)}- \`${show(why.size)}\`: ${why.text}${place}`;
    if (seen.has(line.trim()) || lines.length >= 12 || depth > 3) return;
    seen.add(line.trim());
    lines.push(line);
    for (const part of why.from) visit(part, depth + 1);
  };
  for (const axis of t.shape) if (axis.kind === 'size' && axis.why !== null) visit(axis.why, 0);
  return lines.join('\n');
}

function placeOf(sources: Sources, why: Why): string {
  const { span } = why;
  if (span === null) return '';
  const { line } = sources.position(span.file, span.start);
  const { path } = sources.get(span.file);
  return `${path.split('/').at(-1)!}, line ${line}`;
}

const ROLES: Readonly<Record<string, string>> = {
  probs: 'probabilities: they sum to 1 along that axis',
  problike: 'numbers between 0 and 1',
  log_probs: 'logarithms of probabilities',
};

export const roleText = (t: Type): string => (t.kind === 'tensor' ? (ROLES[t.role.kind] ?? '') : '');

export const isCallable = (d: NamedDeclaration): d is Callable => d.kind !== 'const' && d.kind !== 'train';
