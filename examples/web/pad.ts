/**
 * A canvas to draw a digit on, and the 8 × 8 picture that the network gets: the ink's bounding box laid into a square of 32, counted in blocks of 4 by 4, which is how
 * the digits of the data set were made.
 */
const SIDE = 32;
const CELL = SIDE / 8;

export class Pad {
  private readonly canvas: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private readonly changed: () => void;
  private last: readonly [number, number] | null = null;

  constructor(canvas: HTMLCanvasElement, changed: () => void) {
    this.canvas = canvas;
    this.changed = changed;
    this.context = canvas.getContext('2d', { willReadFrequently: true })!;
    this.context.lineWidth = canvas.width / 11;
    this.context.lineCap = 'round';
    this.context.strokeStyle = '#fff';
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.last = this.at(event);
      this.stroke(event);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (this.last !== null) this.stroke(event);
    });
    for (const end of ['pointerup', 'pointercancel'] as const)
      canvas.addEventListener(end, () => {
        this.last = null;
      });
  }

  private at(event: PointerEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  private stroke(event: PointerEvent): void {
    const next = this.at(event);
    this.context.beginPath();
    this.context.moveTo(...this.last!);
    this.context.lineTo(...next);
    this.context.stroke();
    this.last = next;
    this.changed();
  }

  clear(): void {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.changed();
  }

  /** Shows an 8 × 8 picture, smoothly enlarged. */
  show(image: Float32Array): void {
    const { width, height } = this.canvas;
    this.context.clearRect(0, 0, width, height);
    const margin = width / 8;
    this.context.drawImage(picture(image), margin, margin, width - 2 * margin, height - 2 * margin);
    this.changed();
  }

  /** 64 values from 0 to 16; null where nothing is drawn. */
  image(): Float32Array | null {
    const { width, height } = this.canvas;
    const ink = this.context.getImageData(0, 0, width, height).data;
    let [x0, y0, x1, y1] = [width, height, -1, -1];
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        if (ink[4 * (y * width + x) + 3]! > 64)
          [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
    if (x1 < 0) return null;
    const side = Math.max(x1 - x0, y1 - y0, width / 8) + 1;
    const small = new OffscreenCanvas(SIDE, SIDE).getContext('2d')!;
    small.imageSmoothingQuality = 'high';
    const left = (x0 + x1 + 1 - side) / 2;
    const top = (y0 + y1 + 1 - side) / 2;
    small.drawImage(this.canvas, left, top, side, side, 0, 0, SIDE, SIDE);
    const { data } = small.getImageData(0, 0, SIDE, SIDE);
    const out = new Float32Array(64);
    for (let y = 0; y < SIDE; y++)
      for (let x = 0; x < SIDE; x++)
        out[Math.floor(y / CELL) * 8 + Math.floor(x / CELL)]! += data[4 * (y * SIDE + x) + 3]! / 255;
    return out.map((v) => Math.min(16, Math.round(v)));
  }
}

/** White ink of 64 values from 0 to 16. */
export function picture(image: Float32Array): OffscreenCanvas {
  const canvas = new OffscreenCanvas(8, 8);
  const pixels = new ImageData(8, 8);
  image.forEach((v, k) => pixels.data.set([255, 255, 255, (255 * v) / 16], 4 * k));
  canvas.getContext('2d')!.putImageData(pixels, 0, 0);
  return canvas;
}
