/**
 * Where a piece of a file stands. An editor keeps the trees of the declarations that a keystroke did not touch; what moves when a line is
 * added above them is their place, not the trees. A span made by a place is therefore relative to it, and its `start` and `end` are always
 * those of the text as it is now.
 *
 * Spans of a file parsed in one go are plain objects; both are `Span`s, and nobody needs to know which he holds.
 */
import type { Span } from './ast.ts';

let places = 0;

export class Place {
  /** Unlike `file` and `offset`, stays the same while the text around the piece changes. */
  readonly id = ++places;
  file: number;
  offset: number;

  constructor(file: number, offset = 0) {
    this.file = file;
    this.offset = offset;
  }

  /** From and to count from the beginning of the piece. */
  span(from: number, to: number): Span {
    return new PlacedSpan(this, from, to);
  }
}

export class PlacedSpan implements Span {
  readonly place: Place;
  readonly from: number;
  readonly to: number;

  constructor(place: Place, from: number, to: number) {
    this.place = place;
    this.from = from;
    this.to = to;
  }

  get file(): number {
    return this.place.file;
  }

  get start(): number {
    return this.place.offset + this.from;
  }

  get end(): number {
    return this.place.offset + this.to;
  }

  toJSON(): Span {
    return { file: this.file, start: this.start, end: this.end };
  }
}
