/**
 * What a core is taken to do, in one place: the numbers by which schedules of the WebAssembly target choose. Measured on Zen 4 with V8 11.3
 * (docs/performance.md, bench/wasm). A wrong number costs some time and never a result. The unit of costs is about a third of a nanosecond.
 */
export const MACHINE = {
  /** What a size is taken to be where nothing is known of it. */
  nominal: 64,
  /** Sums that a register tile of a product holds: rows x columns. 6 x 8 spills, 4 x 16 runs at a quarter. */
  tile: [5, 8],
  /** Time of a tile by its rows, one of five taken as 1; up to how many panels it is worth counting (bench/wasm/tile.mjs). */
  tileTime: [0, 0.38, 0.5, 0.63, 0.82, 1],
  fewPanels: 8,
  /** Steps of a full tile's loop written out: more are slower, whatever the fences between them. Of lower tiles: tile.ts. */
  unroll: 1,
  /** A product's operands change places where its tiles then take less than this part of the time, and sums are so long that how results are written does not count. */
  worthTurning: 0.75,
  longSum: 128,
  /** Products with fewer rows than this are not worth packing the columns. */
  fewRows: 4,
  /** Least multiplications and additions of a product that is packed at all. */
  leastProduct: 4096,
  /** A vector with the rows of a matrix: streams through the matrix, and vectors along each. One stream alone does 4/5 of two (memory answers late). */
  dots: { points: 2, count: 2 },
  /** f32 of a cache line, and so many streams through memory side by side as are still told apart. */
  line: 16,
  mostStreams: 32,
  /** Greatest bytes of a packed block: of rows, of columns (L2 and L3). All rows in one block are packed once. */
  block: [1 << 20, 1 << 20],
  /** What such a block may grow to, and with how many columns in a block there is no need: packing rows again for the next takes a tenth of their products' time. */
  largeBlocks: [1 << 22, 1 << 24],
  enoughColumns: 128,
  /** Data of a program that are still in a cache at its next call. */
  cached: 1 << 25,
  /** Rows computed together by kernels that have buffers of the row: a multiple of the tile's. */
  rowsTogether: 40,
  /** A multiplication and an addition of a packed product. */
  multiplyAdd: 0.16,
  /** A round of a loop, a plain scalar operation, a load or a store. */
  scalar: 4,
  /** exp, log, tanh and erf of one value; sin, cos, powers and draws of one; any of them for four lanes. */
  heavy: { scalar: 80, rare: 120, lanes: 24 },
  /** A value for which four lanes have no instruction, beyond its cost. */
  singly: 8,
  /** Less work than this is not worth a meeting of threads. */
  worthSharing: 30000,
  /** Rows of a product that threads share whatever the number of columns. */
  rowsToShare: 256,
  /** Of an axis that threads share, the outermost is taken that has so many parts. */
  partsToShare: 16,
} as const;
