import { describe, expect, it } from 'vitest';
import { consoleReporter, showDuration } from '../../src/train/reporter.ts';

/** A reporter with a clock and a stream of its own. */
function recorded(isTTY: boolean) {
  const clock = { seconds: 0 };
  let text = '';
  const stream = {
    isTTY,
    columns: 60,
    write: (piece: string) => {
      text += piece;
    },
  };
  return { clock, reporter: consoleReporter({ stream, now: () => 1000 * clock.seconds }), text: () => text };
}

describe('consoleReporter', () => {
  it('adds a line at most every five seconds where there is no terminal', () => {
    const { clock, reporter, text } = recorded(false);
    for (let done = 1; done <= 12; done++) {
      clock.seconds = done - 1;
      reporter.progress({ label: 'epoch', done, total: 21, detail: 'loss 2' });
    }
    reporter.warn('careful');
    // One a second since the first: 15 and 10 are left.
    expect(text()).toBe('epoch: 6/21 (28 %), 15 s left, loss 2\nepoch: 11/21 (52 %), 10 s left, loss 2\nwarning: careful\n');
  });

  it('rewrites one line on a terminal and clears it for messages', () => {
    const { clock, reporter, text } = recorded(true);
    reporter.progress({ label: 'a', done: 0, total: 2 });
    clock.seconds = 0.01;
    reporter.progress({ label: 'a', done: 1, total: 2 });
    reporter.info('hello');
    expect(text()).toBe('\r\x1b[Ka: 0/2 (0 %)\r\x1b[Khello\n');
  });

  it('keeps the rate over numbered labels and what lies between them', () => {
    const { clock, reporter, text } = recorded(false);
    reporter.progress({ label: 'epoch 1/2', done: 10, total: 20 });
    clock.seconds = 1;
    reporter.progress({ label: 'testing epoch 1', done: 1, total: 1 });
    clock.seconds = 10;
    reporter.progress({ label: 'epoch 2/2', done: 15, total: 20 });
    expect(text()).toBe('epoch 2/2: 15/20 (75 %), 10 s left\n');
  });
});

describe('showDuration', () => {
  it('chooses the unit', () => {
    expect([59.4, 59.6, 3599, 3600, 7260].map(showDuration)).toEqual(['59 s', '1:00 min', '59:59 min', '1:00 h', '2:01 h']);
  });
});
