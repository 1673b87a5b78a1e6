/** The digits of examples/data: gzipped CSV, 64 values from 0 to 16 and a label in a row. */
export interface Digits {
  readonly image: Float32Array<ArrayBuffer>;
  readonly label: Int32Array<ArrayBuffer>;
  readonly count: number;
}

export async function loadDigits(url: string | URL): Promise<Digits> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${String(url)}: ${response.status}`);
  let bytes = new Uint8Array(await response.arrayBuffer());
  // Some servers say that the file is encoded, and the browser has unpacked it.
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    bytes = new Uint8Array(await new Response(unpacked).arrayBuffer());
  }
  const [head, ...rows] = new TextDecoder().decode(bytes).trim().split('\n');
  const at = head!.split(',').indexOf('label');
  const image = new Float32Array(rows.length * 64);
  const label = new Int32Array(rows.length);
  for (const [row, text] of rows.entries()) {
    const values = text.split(',').map(Number);
    label[row] = values.splice(at, 1)[0]!;
    image.set(values, row * 64);
  }
  return { image, label, count: rows.length };
}
