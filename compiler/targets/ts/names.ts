/** JavaScript identifiers from the names of a kernel, unique in one function. */

const RESERVED = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for ' +
    'function if implements import in instanceof interface let new null package private protected public return static super switch this ' +
    'throw true try typeof undefined var void while with yield NaN Infinity Math Object Array Map Set Error Float32Array Float64Array ' +
    'Int32Array Uint8Array Uint32Array ArrayBuffer globalThis ' +
    'erf toHalf floorDivide modulo uniform threefryWord0 threefryWord1'
  ).split(' '),
);

export function identifier(text: string): string {
  const plain = text.replace(/[^\p{L}\p{N}_$]+/gu, '_').replace(/^_+(?=.)|_+$/g, '');
  const started = /^[\p{L}_$]/u.test(plain) ? plain : `_${plain}`;
  return RESERVED.has(started) ? `${started}_` : started;
}

export class Names {
  private readonly taken: Set<string>;

  constructor(taken: Iterable<string> = []) {
    this.taken = new Set(taken);
  }

  take(text: string): string {
    const base = identifier(text);
    let name = base;
    for (let n = 2; this.taken.has(name); n++) name = /\d$/.test(base) ? `${base}_${n}` : `${base}${n}`;
    this.taken.add(name);
    return name;
  }

  /** The block that declared them is closed. */
  release(names: Iterable<string>): void {
    for (const name of names) this.taken.delete(name);
  }
}
