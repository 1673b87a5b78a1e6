/**
 * What a command may touch of the outside: streams, the working folder, the clock, interrupts. Tests bring their own; `nodeIo` is the real one.
 * Files are not here: commands read and write them with Node's own functions, by paths that `files.ts` resolves against `cwd`.
 */
export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Io {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds, increasing. */
  readonly now: () => number;
  /** The time of day, ISO 8601. */
  readonly date: () => string;
  /** Calls `handler` at Ctrl-C instead of ending the process; the returned function takes it back. */
  readonly onInterrupt: (handler: () => void) => () => void;
  /** Lets waiting events (an interrupt, the terminal) have their turn. */
  readonly pause: () => Promise<void>;
  /** Ends the process now. */
  readonly abort: (code: number) => void;
}

export function nodeIo(): Io {
  for (const stream of [process.stdout, process.stderr]) {
    // `nnc check … | head`: the reader has seen enough.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
      throw error;
    });
  }
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: process.cwd(),
    env: process.env,
    now: () => performance.now(),
    date: () => new Date().toISOString(),
    onInterrupt: (handler) => {
      process.on('SIGINT', handler);
      return () => process.off('SIGINT', handler);
    },
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    abort: (code) => process.exit(code),
  };
}

/** How text is drawn on a stream: `--no-color`, `--width`, NO_COLOR, and what the stream is. */
export interface Look {
  readonly color: boolean;
  readonly width: number;
}

export interface LookOptions {
  readonly color?: boolean;
  readonly width?: number;
}

export function lookOf(stream: Stream, io: Io, options: LookOptions): Look {
  const wanted = options.color !== false && (io.env['NO_COLOR'] ?? '') === '';
  const forced = !['', '0', 'false'].includes(io.env['FORCE_COLOR'] ?? '');
  return { color: wanted && (stream.isTTY === true || forced), width: options.width ?? stream.columns ?? 100 };
}
