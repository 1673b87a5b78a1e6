/**
 * Numbers for what nodes are compared by: attributes and types. Equal ones have equal numbers, for the whole process, as polynomials have.
 * Found out once an object: passes that make a graph again hand attributes on.
 */
import type { TensorType } from './types.ts';

const graphNumbers = new WeakMap<object, number>();
let graphCount = 0;

/** Injective text of an attribute value. Polynomials and bodies are compared by identity. */
function canonical(value: unknown): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'boolean' || value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object') throw new Error(`attribute of type ${typeof value}`);
  if ('key' in value && 'id' in value) return `p${String(value.id)}`;
  if ('nodes' in value) {
    let number = graphNumbers.get(value);
    if (number === undefined) graphNumbers.set(value, (number = graphCount++));
    return `g${number}`;
  }
  const entries = Object.entries(value as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${k}:${canonical(v)}`).join()}}`;
}

class Numbers {
  private readonly known = new WeakMap<object, number>();
  private readonly byText = new Map<string, number>();

  of(value: object, text: () => string): number {
    let number = this.known.get(value);
    if (number === undefined) {
      const key = text();
      number = this.byText.get(key);
      if (number === undefined) this.byText.set(key, (number = this.byText.size));
      this.known.set(value, number);
    }
    return number;
  }
}

const attributes = new Numbers();
const types = new Numbers();

export const attributesNumber = (attrs: object): number => attributes.of(attrs, () => canonical(attrs));

export const typeNumber = (type: TensorType): number =>
  types.of(type, () => `${type.dtype}${type.sizes.map((s) => s.id).join()}`);
