/** Just enough of the ZIP format to open .npz: the central directory, stored and deflated entries, ZIP64 sizes, checksums. No encryption. */
import { crc32, inflateRawSync } from 'node:zlib';

export type Unzipped =
  { readonly ok: true; readonly files: Map<string, Uint8Array> } | { readonly ok: false; readonly what: string };

export const looksLikeZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);

export function unzip(bytes: Uint8Array): Unzipped {
  const fail = (what: string): Unzipped => ({ ok: false, what });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // The end record stands before a comment of at most 65,535 bytes.
  let end = bytes.length - 22;
  while (end >= 0 && end >= bytes.length - 22 - 65_535 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) return fail('it has no directory; it may be cut off');
  let count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if ((count === 0xffff || at === 0xffffffff) && end >= 20 && view.getUint32(end - 20, true) === 0x07064b50) {
    const record = Number(view.getBigUint64(end - 12, true));
    if (record + 56 > bytes.length || view.getUint32(record, true) !== 0x06064b50)
      return fail('its directory is damaged');
    count = Number(view.getBigUint64(record + 32, true));
    at = Number(view.getBigUint64(record + 48, true));
  }
  const files = new Map<string, Uint8Array>();
  for (let entry = 0; entry < count; entry++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50) return fail('its directory is damaged');
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const checksum = view.getUint32(at + 16, true);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const commentLength = view.getUint16(at + 32, true);
    const next = at + 46 + nameLength + extraLength + commentLength;
    if (next > bytes.length) return fail('its directory is damaged');
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const sizes = wideSizes(view, at, at + 46 + nameLength, extraLength);
    if (sizes === null) return fail('its directory is damaged');
    if ((flags & 1) !== 0) return fail(`${name} is encrypted`);
    const local = sizes.offset;
    if (local + 30 > bytes.length || view.getUint32(local, true) !== 0x04034b50)
      return fail(`${name} is not where the directory says`);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (start + sizes.packed > bytes.length) return fail(`${name} is cut off`);
    const packed = bytes.subarray(start, start + sizes.packed);
    let content: Uint8Array;
    if (method === 0) content = packed;
    else if (method === 8) {
      try {
        // The declared size bounds the output: a damaged or hostile entry cannot fill the memory.
        content = inflateRawSync(packed, { maxOutputLength: Math.max(1, sizes.full) });
      } catch {
        return fail(`${name} does not unpack`);
      }
    } else return fail(`${name} is packed by method ${method}, which is not known`);
    if (content.length !== sizes.full || crc32(content) !== checksum) return fail(`${name} fails its checksum`);
    files.set(name, content);
    at = next;
  }
  return { ok: true, files };
}

/** Sizes and offset of a directory entry; those that are all ones stand in the ZIP64 extra field, in this order. */
function wideSizes(view: DataView, at: number, extra: number, length: number) {
  let full = view.getUint32(at + 24, true);
  let packed = view.getUint32(at + 20, true);
  let offset = view.getUint32(at + 42, true);
  if (full !== 0xffffffff && packed !== 0xffffffff && offset !== 0xffffffff) return { full, packed, offset };
  for (let p = extra; p + 4 <= extra + length; p += 4 + view.getUint16(p + 2, true)) {
    if (view.getUint16(p, true) !== 1) continue;
    let q = p + 4;
    const last = q + view.getUint16(p + 2, true);
    const take = (): number => {
      const value = q + 8 <= last && q + 8 <= extra + length ? Number(view.getBigUint64(q, true)) : NaN;
      q += 8;
      return value;
    };
    if (full === 0xffffffff) full = take();
    if (packed === 0xffffffff) packed = take();
    if (offset === 0xffffffff) offset = take();
    return Number.isNaN(full + packed + offset) ? null : { full, packed, offset };
  }
  return null;
}
