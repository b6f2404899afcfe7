/** The published score files through `inkling eval openset`, against everything the original evaluation printed of them. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/runCli.ts';

const folder = join(resolve(process.env.INKLING_SHARED ?? '../shared'), 'data', 'psl-scores');

type Numbers = Record<string, number>;
interface Entry {
  readonly method: string;
  readonly regime: string;
  readonly ood: string;
  readonly score_file: string;
  readonly available: boolean;
  readonly all_thresholds: Numbers;
  readonly specific_threshold: Numbers & { readonly rule: string };
  readonly other_conventions_same_samples: Numbers;
  readonly sane_protocol: Numbers;
  readonly counts: Numbers;
  readonly published: { readonly all_thresholds: Numbers; readonly specific_threshold: Numbers };
}
interface Report {
  readonly counts: Numbers;
  readonly accuracy: number;
  readonly ranking: Numbers;
  readonly thresholded: { readonly threshold: { readonly value: number }; readonly ranking: Numbers };
  readonly openness: {
    readonly openMacroF1: number;
    readonly openDeviation: number;
    readonly aurocAtThreshold: number;
    readonly macroF1: readonly number[];
  };
}

let available: Entry[] = [];
let absent: Entry[] = [];
let openness: {
  readonly sequential_seed: { readonly hmdb: Numbers };
  readonly per_method: Record<string, Record<string, number | number[]>>;
};
const reports = new Map<Entry, { readonly sane: Report; readonly published: Report }>();

/** The rule by which an entry's threshold was chosen, as an option. */
function rule({ specific_threshold: { rule: text, threshold_used } }: Entry): string {
  if (text.startsWith('value of the k-th')) return 'known:0.85';
  return text.startsWith('confidence') ? `confidence:${threshold_used}` : String(threshold_used);
}

async function evaluate(entries: readonly Entry[], ...more: string[]): Promise<{ sane: Report; published: Report }[]> {
  const files = entries.map(entry => join(folder, entry.score_file));
  const options = ['--protocol', 'hmdb', '--threshold', entries.map(rule).join(','), '--json', ...more];
  const { code, stdout, stderr } = await runCli(['eval', 'openset', '--scores', ...files, ...options], folder);
  expect([code, stderr]).toEqual([0, '']);
  const { files: results } = JSON.parse(stdout) as { files: { conventions: { sane: Report; published: Report } }[] };
  return results.map(({ conventions }) => conventions);
}

beforeAll(async () => {
  const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as {
    entries: Entry[];
    openness: typeof openness;
  };
  openness = expected.openness;
  available = expected.entries.filter(entry => entry.available);
  absent = expected.entries.filter(entry => !entry.available);
  for (const [i, report] of (await evaluate(available)).entries()) reports.set(available[i], report);
});

/** Percent against fractions. */
function same(name: string, fraction: number, percent: number): void {
  expect(Math.abs(100 * fraction - percent), `${name}: ${100 * fraction}, expected ${percent}`).toBeLessThan(1e-9);
}

describe('the published score files', () => {
  it('are all there but the one known to be missing', () => {
    expect(available).toHaveLength(13);
    expect(absent.map(({ regime, ood, method }) => `${regime} ${ood} ${method}`)).toEqual(['finetuned hmdb SoftMax']);
  });

  it('give the numbers of the original evaluation over all thresholds, and its digits', () => {
    for (const [{ method, regime, all_thresholds: want, counts, published }, { published: got }] of reports) {
      const name = `${regime} ${method}`;
      const values = {
        acc: got.accuracy,
        auroc: got.ranking.auroc,
        aupr: got.ranking.auprTrapezoid,
        fpr95: got.ranking.fpr95Nearest,
      };
      for (const [key, value] of Object.entries(values)) {
        same(`${name} ${key}`, value, want[key]);
        expect((100 * value).toFixed(3), `${name} ${key}`).toBe(published.all_thresholds[key].toFixed(3));
      }
      expect(got.counts.known, name).toBe(counts.known_rows);
    }
  });

  it('give those at a specific threshold', () => {
    for (const [{ method, regime, specific_threshold: want, published }, { published: got }] of reports) {
      const { threshold, ranking } = got.thresholded;
      expect(threshold.value).toBe(want.threshold_used);
      const values = { acc: got.accuracy, auroc: ranking.auroc, aupr: ranking.auprTrapezoid, fpr95: ranking.fpr95Nearest };
      for (const [key, value] of Object.entries(values)) {
        same(`${regime} ${method} ${key}`, value, want[key]);
        expect((100 * value).toFixed(3)).toBe(published.specific_threshold[key].toFixed(3));
      }
    }
  });

  it('give the other conventions on the same samples', () => {
    for (const [
      { method, regime, other_conventions_same_samples: want },
      {
        published: { ranking },
      },
    ] of reports) {
      const name = `${regime} ${method}`;
      same(`${name} AP`, ranking.averagePrecision, want.average_precision);
      same(`${name} AP of known`, ranking.averagePrecisionKnown, want.average_precision_known_positive);
      same(`${name} first above`, ranking.fpr95FirstAbove, want.fpr95_first_roc_corner_with_tpr_above_95);
      same(`${name} at least`, ranking.fpr95AtLeast, want.fpr95_first_point_with_tpr_at_least_95);
      same(`${name} nearest of all`, ranking.fpr95NearestAllPoints, want.fpr95_nearest_without_dropping_collinear_points);
    }
  });

  it('give the sane protocol, without repeated rows', () => {
    for (const [{ method, regime, sane_protocol: want }, { sane }] of reports) {
      const name = `${regime} ${method}`;
      expect(sane.counts).toEqual({ known: want.known, unknown: want.unknown });
      same(`${name} ACC`, sane.accuracy, want.acc);
      same(`${name} AUROC`, sane.ranking.auroc, want.auroc);
      same(`${name} AP`, sane.ranking.averagePrecision, want.aupr_average_precision);
      same(`${name} AUPR`, sane.ranking.auprTrapezoid, want.aupr_trapezoid);
      same(`${name} FPR95`, sane.ranking.fpr95AtLeast, want.fpr95_tpr_at_least_95);
    }
  });

  it('give open macro-F1 over openness, a generator for each method', () => {
    const checked: string[] = [];
    for (const [{ method, regime }, { published }] of reports) {
      const want = openness.per_method[`${method}|HMDB`];
      if (regime !== 'finetuned' || !want) continue;
      checked.push(method);
      const { openMacroF1, openDeviation, aurocAtThreshold, macroF1 } = published.openness;
      same(`${method} open maF1`, openMacroF1, Number(want.open_maf1));
      same(`${method} deviation`, openDeviation, Number(want.open_maf1_std));
      same(`${method} AUROC`, aurocAtThreshold, Number(want.auc_at_threshold));
      same(`${method} closed`, macroF1[0], 100 * Number(want.closed_macro_f1_after_rejection));
      same(`${method} all classes`, macroF1[51], 100 * Number(want.macro_f1_all_unknown_classes));
      // The curve is listed with six decimals.
      expect(macroF1.map(value => value.toFixed(6))).toEqual((want.macro_f1_curve as number[]).map(value => value.toFixed(6)));
    }
    expect(checked.sort()).toEqual(['BNN SVI', 'DEAR', 'MC Dropout', 'RPL']);
  });

  it('give open macro-F1 with one generator for all methods', async () => {
    const methods = ['MC Dropout', 'BNN SVI', 'DEAR'];
    const entries = methods.map(method => available.find(entry => entry.method === method && entry.regime === 'finetuned')!);
    const results = await evaluate(entries, '--one-generator', '--convention', 'published');
    for (const [i, { published }] of results.entries()) {
      same(methods[i], published.openness.openMacroF1, openness.sequential_seed.hmdb[methods[i]]);
    }
  });
});
