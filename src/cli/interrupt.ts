/** Stopping long work by Ctrl-C. */

/** Exit codes by convention: 128 + the signal's number. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** A terminal sends Ctrl-C to every process of a command, and the first of them passes it on: what comes at once is one request. */
const oneRequest = 400;

/** A request to stop, and what to exit with after it. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** Undefined while nobody asked. */
  exitCode(): number | undefined;
  /** Stops listening. */
  dispose(): void;
}

/**
 * Listens for SIGINT and SIGTERM: the first request aborts `signal` and calls `onRequest`; a second one ends the process at once.
 */
export function listenForInterrupt(onRequest: () => void): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  let requestedAt = 0;
  const handle = (name: NodeJS.Signals): void => {
    const code = exitCodes[name as keyof typeof exitCodes];
    if (exitCode !== undefined) {
      if (performance.now() - requestedAt > oneRequest) process.exit(code);
      return;
    }
    exitCode = code;
    requestedAt = performance.now();
    onRequest();
    controller.abort();
  };
  process.on('SIGINT', handle).on('SIGTERM', handle);
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    dispose: () => void process.off('SIGINT', handle).off('SIGTERM', handle),
  };
}
