/**
 * Packs the bytes of WebAssembly modules into text, with the model of `runtime/packed.ts`, which unpacks them where the module starts: half as much as gzip
 * leaves. The text is base64: of bytes with nothing left to compress gzip makes six bits a character again.
 */
import { predicted } from '../../../runtime/packed.ts';

/** Below so many bytes the code that unpacks and the time that it takes are more than what is saved. */
export const LEAST = 16_000;

const DIGITS = 91;
const TOP = DIGITS ** 6;

/** `unpacked(text, bytes.length)` gives the bytes back. The text can stand between double quotes. */
export function pack(bytes: Uint8Array): string {
  let text = '';
  let low = 0;
  let high = TOP * DIGITS - 1;
  const emit = (digit: number): void => {
    text += digit === 57 ? ' ' : String.fromCharCode(digit + 35);
  };
  predicted(bytes.length, (p, at, node, guess) => {
    const middle = low + Math.floor((high - low) * p);
    const bit = node > 0 ? (bytes[at]! >> (Math.clz32(node) - 24)) & 1 : +(bytes[at] === guess);
    if (bit > 0) high = middle;
    else low = middle + 1;
    while (Math.floor(low / TOP) === Math.floor(high / TOP)) {
      emit(Math.floor(high / TOP));
      low = (low % TOP) * DIGITS;
      high = (high % TOP) * DIGITS + DIGITS - 1;
    }
    return bit;
  });
  for (let rest = high, k = 0; k < 7; k++, rest = (rest % TOP) * DIGITS) emit(Math.floor(rest / TOP));
  return text;
}
