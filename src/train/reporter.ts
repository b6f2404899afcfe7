/** What long work says while it runs, in lines of text; kept off standard output, which belongs to results. */

/** How far a piece of work is. */
export interface ProgressUpdate {
  /** What is being done, e.g. `epoch 3/40`. */
  readonly label: string;
  readonly done: number;
  readonly total: number;
  /** Shown after the numbers, e.g. the current loss. */
  readonly detail?: string;
}

/** Takes messages and progress. */
export interface Reporter {
  info(line: string): void;
  warn(line: string): void;
  progress(update: ProgressUpdate): void;
}

/** A reporter that says nothing. */
export function silentReporter(): Reporter {
  return { info() {}, warn() {}, progress() {} };
}

/** Where and when {@link consoleReporter} writes. */
export interface ConsoleOptions {
  readonly stream?: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  /** Milliseconds of any clock. */
  readonly now?: () => number;
}

/** Milliseconds between two updates: on a terminal, where one line is rewritten, and elsewhere, where each is a new line. */
const interval = { terminal: 100, file: 5000 } as const;

/**
 * Writes to standard error (or `stream`): messages as lines, progress with the remaining time. On a terminal the progress line is
 * rewritten in place; elsewhere a line is added at most every five seconds.
 */
export function consoleReporter({ stream = process.stderr, now = () => performance.now() }: ConsoleOptions = {}): Reporter {
  const terminal = stream.isTTY === true;
  let shownLine = false;
  let shownAt = terminal ? Number.NEGATIVE_INFINITY : now();
  const started = new Map<string, { done: number; at: number; last: number }>();

  const clear = (): void => {
    if (shownLine) stream.write('\r\x1b[K');
    shownLine = false;
  };
  const line = (text: string): void => {
    clear();
    stream.write(`${text}\n`);
  };
  return {
    info: line,
    warn: text => line(`warning: ${text}`),
    progress: update => {
      const at = now();
      // `epoch 3/40` goes on where `epoch 2/40` was, a test in between costs time too, and work that is resumed does not begin at 0:
      // the rate is that of what was done since the first update of a kind.
      const kind = update.label.replace(/\d+/g, '#');
      let begin = started.get(kind);
      if (!begin || update.done <= begin.last) begin = { done: update.done, at, last: update.done };
      started.set(kind, { ...begin, last: update.done });
      const finished = update.done >= update.total;
      if (at - shownAt < (terminal ? interval.terminal : interval.file) && !(terminal && finished)) return;
      shownAt = at;
      const text = progressText(update, remainingSeconds(update, begin.done, (at - begin.at) / 1000));
      if (!terminal) return line(text);
      stream.write(`\r\x1b[K${text.slice(0, Math.max(20, (stream.columns ?? 100) - 1))}`);
      shownLine = true;
      if (finished) clear();
    },
  };
}

function remainingSeconds({ done, total }: ProgressUpdate, first: number, elapsed: number): number | undefined {
  return done > first && done < total ? (elapsed / (done - first)) * (total - done) : undefined;
}

function progressText({ label, done, total, detail }: ProgressUpdate, remaining: number | undefined): string {
  const percent = total > 0 ? Math.floor((100 * done) / total) : 100;
  const left = remaining === undefined ? '' : `, ${showDuration(remaining)} left`;
  return `${label}: ${done}/${total} (${percent} %)${left}${detail ? `, ${detail}` : ''}`;
}

/** Seconds as `8 s`, `3:05 min` or `2:10 h`. */
export function showDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number): string => String(n).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)} h`;
}
