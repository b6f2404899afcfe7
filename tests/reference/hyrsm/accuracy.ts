/** Accuracies: of a batch, and over episodes. */
import { fromNumbers } from '../../../src/engine/ndarray.ts';
import { type EpisodeScores, summarizeEpisodes, topCorrect } from '../../../src/fewshot/accuracy.ts';
import { type Adapter, type Compared, compareArray, type ReferenceCase } from '../case.ts';
import { adapterOf, numbersOf, rowsOf } from './inputs.ts';

const compareNumbers = (c: ReferenceCase, key: string, values: readonly number[]): Compared =>
  compareArray(c, key, fromNumbers(values, c.arrays[key].shape, 'float64'));

const topK = adapterOf('metrics', c => {
  const [n, way] = c.arrays['in.preds'].shape;
  const batch = { scores: numbersOf(c, 'in.preds'), labels: numbersOf(c, 'in.labels'), way };
  const correct = [1, 5].map(k => topCorrect(batch, k));
  return [
    compareNumbers(c, 'out.correct', correct),
    compareNumbers(
      c,
      'out.errors',
      correct.map(count => 100 * (1 - count / n)),
    ),
    compareNumbers(
      c,
      'out.acc',
      correct.map(count => (100 * count) / n),
    ),
  ];
});

/** Published accuracies are in percent, and those by class fractions. */
const aggregation = adapterOf('test_aggregation', c => {
  const way = c.arrays['in.logits'].shape[2];
  const logits = rowsOf(c, 'in.logits');
  const labels = rowsOf(c, 'in.target_labels');
  const classes = rowsOf(c, 'in.real_target_labels');
  const episodes: EpisodeScores[] = logits.map((scores, i) => ({ scores, labels: labels[i], classes: classes[i], way }));
  const { accuracies, accuracy, classes: byClass } = summarizeEpisodes(episodes);
  const topFive = episodes.map(episode => topCorrect(episode, 5) / episode.labels.length);
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  return [
    compareNumbers(c, 'out.top1_err', [100 * (1 - accuracy.mean)]),
    compareNumbers(c, 'out.top5_err', [100 * (1 - mean(topFive))]),
    compareNumbers(c, 'out.per_class_id', [...byClass.keys()]),
    compareNumbers(
      c,
      'out.per_class_acc',
      [...byClass.values()].map(({ queries, correct }) => correct / queries),
    ),
    compareNumbers(
      c,
      'sane.episode_acc',
      [...accuracies].map(value => 100 * value),
    ),
    compareNumbers(c, 'sane.mean_acc', [100 * accuracy.mean]),
    compareNumbers(c, 'sane.ci95_halfwidth', [100 * accuracy.halfWidth]),
  ];
});

/** Adapters of accuracies. */
export const adapters: Adapter[] = [topK, aggregation];
