/** A few test rows as pictures with the label they have and the one the network gives: for inputs that look like small grey images. */
import type { Artifact } from '../../compiler/index.ts';
import { inputsOf, type EventualInstance } from '../artifact.ts';
import type { InputSpec } from '../data/index.ts';
import type { Wanted } from '../inputs.ts';
import type { Look } from '../io.ts';
import { drawPictures, type Picture } from '../terminal/picture.ts';
import type { RunData } from './data.ts';

const most = 8;

/** Empty where the program has no such inputs: an image [B, h, w] of at most 32 x 32, an i32 label [B], a metric `accuracy`, a result [B, C]. */
export async function drawSamples(
  artifact: Artifact,
  unit: EventualInstance,
  wanted: Wanted,
  data: RunData,
  limit: number,
  look: Look,
): Promise<string> {
  const { specs, batch } = wanted;
  const image = specs.find(({ dtype, dims }) => dtype !== 'i32' && batch !== null && isImage(dims, batch.size));
  const label = specs.find(({ dtype, dims }) => dtype === 'i32' && dims.length === 1 && dims[0] === batch?.size);
  const { plan } = artifact;
  const metrics: readonly string[] = artifact.unit.training?.metrics ?? [];
  if (image === undefined || label === undefined || !metrics.includes('accuracy')) return '';
  if (plan.programs['forward'] === undefined || inputsOf(plan, 'forward').join() !== image.name) return '';

  const [, height, width] = image.dims as [string, number, number];
  const size = height * width;
  const pixels = data.columns[image.name]!.data;
  const labels = data.columns[label.name]!.data;
  const count = Math.min(most, data.rows, limit);
  // Spread over the data, which may be sorted.
  const rows = Array.from({ length: count }, (_, i) => Math.floor((i * data.rows) / count));
  const batchPixels = new Float32Array(count * size);
  rows.forEach((row, i) => batchPixels.set(pixels.subarray(row * size, (row + 1) * size), i * size));
  const [result] = Object.values(await unit.forward({ [image.name]: batchPixels }));
  if (typeof result !== 'object' || result.shape.length !== 2 || result.shape[0] !== count) return '';

  const classes = result.shape[1]!;
  const pictures = rows.map((row, i): Picture => {
    const guess = argmax(result.data.subarray(i * classes, (i + 1) * classes));
    const truth = labels[row]!;
    const caption = guess === truth ? `${truth} ✓` : `${truth} → ${guess}`;
    return { height, width, pixels: pixels.subarray(row * size, (row + 1) * size), caption };
  });
  return drawPictures(pictures, look);
}

function isImage(dims: InputSpec['dims'], batch: string): boolean {
  const small = (dim: InputSpec['dims'][number] | undefined) => typeof dim === 'number' && dim >= 4 && dim <= 32;
  return dims.length === 3 && dims[0] === batch && small(dims[1]) && small(dims[2]);
}

function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
