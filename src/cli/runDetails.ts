/** Everything about one run, in lines. */
import { showDuration } from '../train/reporter.ts';
import { bestPoint, lastPoint } from '../train/runCurves.ts';
import type { RunRecord, RunSession } from '../train/runRecord.ts';
import type { Run } from '../train/runs.ts';
import { alignColumns } from './output.ts';
import { metricTitle, nothing, showPoint, showTime } from './runFormat.ts';
import { showEpochs } from './runTables.ts';
import { shellWord } from './shellWord.ts';
import { bytesText } from './units.ts';

/** The record, the sessions, and every metric's last and best value. */
export function runDetails(run: Run): string[] {
  const { record } = run;
  return [
    `${run.path}: ${run.status}, ${showEpochs(run)} epochs, ${showDuration(run.seconds)}`,
    ...run.problems.map(problem => `warning: ${problem}`),
    ...(record ? rows(recordRows(run, record)) : []),
    ...(record?.sessions ?? []).flatMap((session, i) => sessionLines(session, i, record)),
    ...metricLines(run),
  ];
}

function rows(pairs: readonly (readonly [string, string])[]): string[] {
  return pairs.map(([name, value]) => `${name.padEnd(14)}${value}`);
}

function recordRows(run: Run, { task, method, config, classes, from, imported, data }: RunRecord): [string, string][] {
  const shown = classes.slice(0, 5).join(', ') + (classes.length > 5 ? ', …' : '');
  return [
    ['method', `${method} (${task})`],
    ['configuration', `${config ?? nothing}, seed ${run.config?.train.seed ?? nothing}`],
    ['classes', `${classes.length}: ${shown}`],
    ['started from', from ?? imported ?? 'fresh weights'],
    [
      'data',
      data
        ? `${data.train} training and ${data.test} test videos, ${data.files} files, ${bytesText(data.bytes)}, SHA-256 ${data.sha256.slice(0, 12)}`
        : nothing,
    ],
  ];
}

/** One session: when, with what, where. */
function sessionLines(session: RunSession, index: number, record: RunRecord | undefined): string[] {
  const { versions, git, machine, device, threads } = session;
  const end = session.ended === null ? 'not ended in order' : `to ${showTime(session.ended)}`;
  const repository = (name: string, state: RunSession['git']['directory']): string[] =>
    state
      ? [
          `${name} ${state.commit?.slice(0, 10) ?? 'no commit'} on ${state.branch ?? 'no branch'}${state.dirty ? ', changed' : ''}`,
        ]
      : [];
  const own = [...repository('Inkling at', git.package), ...repository('directory at', git.directory)];
  const data = record?.data && session.data !== record.data.sha256 ? [`on other data, SHA-256 ${session.data.slice(0, 12)}`] : [];
  const details = [
    `Inkling ${versions.inkling}, ONNX Runtime ${versions.onnxruntime}, Node ${versions.node}, ${versions.platform}`,
    ...own,
    `${machine.host}: ${machine.cpu}, ${machine.cores} cores, ${bytesText(machine.memory)}, ${machine.os}`,
    `${device}, ${threads === null ? 'threads as ONNX Runtime chooses' : `${threads} thread${threads === 1 ? '' : 's'}`}`,
    ...data,
    ...(session.error === null ? [] : [`error: ${session.error}`]),
    ...(session.command === null ? [] : [`$ inkling ${session.command.map(shellWord).join(' ')}`]),
  ];
  return [
    `${`session ${index + 1}`.padEnd(14)}${showTime(session.started)} ${end}, after epoch ${session.epoch}`,
    ...details.map(line => `${' '.repeat(14)}${line}`),
  ];
}

function metricLines({ curves, epochs }: Run): string[] {
  if (curves.size === 0) return ['no epoch is done'];
  const table = [...curves].map(([metric, curve]) => {
    const isRate = !/^(train|test)\//.test(metric);
    const best = isRate ? nothing : showPoint(metric, bestPoint(curve, metric));
    return [metricTitle(metric), showPoint(metric, lastPoint(curve)), best];
  });
  return ['', ...alignColumns([[`after ${epochs.done} epochs`, 'last (epoch)', 'best (epoch)'], ...table])];
}
