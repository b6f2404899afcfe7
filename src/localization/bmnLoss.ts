/**
 * Losses of the boundary-matching network. Source: T. Lin et al., "BMN", ICCV 2019, section 4.3, eq. 4 to 7.
 */
import { add, broadcastTo, cast, div, greater, log, maximum, mul, neg, sub, sum, type Tensor } from '../engine/index.ts';

/** Added to probabilities before their logarithm. */
const epsilon = 1e-6;

/**
 * Weighted binary logistic loss: positives and negatives weigh as if each were half of all n: -(1 / n) sum of (n / 2n+) y log p + (n / 2n-) (1 - y) log(1 - p), over the
 * entries of `counted` (0 or 1). Without positives, or without negatives, that side is left out.
 */
function weightedLogistic(p: Tensor, positive: Tensor, counted?: Tensor): Tensor {
  const [yes, no] = counted ? [mul(positive, counted), mul(sub(1, positive), counted)] : [positive, sub(1, positive)];
  const side = (of: Tensor, probability: Tensor): Tensor =>
    div(sum(mul(of, log(add(probability, epsilon)))), mul(maximum(sum(of), 1), 2));
  return neg(add(side(yes, p), side(no, sub(1, p))));
}

const above = (x: Tensor, threshold: number, like: Tensor): Tensor => cast(greater(x, threshold), like.dtype);

/**
 * Loss of starts or ends (the published code adds both): probabilities and targets of one shape; targets above 1/2 are positives.
 * @returns a scalar
 */
export function bmnBoundaryLoss(probabilities: Tensor, targets: Tensor): Tensor {
  return weightedLogistic(probabilities, above(targets, 0.5, probabilities));
}

/**
 * Loss of the probability that a proposal is good.
 * @param probabilities channel 1 of the confidences, `[batch, D, T]`
 * @param ious IoU of each proposal with the nearest action, `[batch, D, T]`
 * @param valid 1 for proposals that end within the video, `[D, T]`
 * @param threshold IoU above which a proposal is good; published 0.9
 * @returns a scalar
 */
export function bmnClassLoss(probabilities: Tensor, ious: Tensor, valid: Tensor, threshold = 0.9): Tensor {
  return weightedLogistic(
    probabilities,
    above(mul(ious, valid), threshold, probabilities),
    broadcastTo(valid, probabilities.shape),
  );
}

/**
 * Loss of the regressed IoU: squared error over all good proposals (IoU above 0.7), and as many, on average, of the middling (0.3 to 0.7) and of the bad ones, which
 * are drawn.
 * @param predicted channel 0 of the confidences, `[batch, D, T]`
 * @param uniforms what is drawn from, `[batch, D, T]` in [0, 1)
 * @returns a scalar, half the mean over the proposals that count
 */
export function bmnRegressionLoss(predicted: Tensor, ious: Tensor, valid: Tensor, uniforms: Tensor): Tensor {
  const counted = broadcastTo(valid, predicted.shape);
  const inside = mul(ious, counted);
  const good = above(inside, 0.7, predicted);
  const notBad = above(inside, 0.3, predicted);
  const middling = sub(notBad, good);
  const bad = mul(sub(1, notBad), counted);
  const drawn = (of: Tensor): Tensor => {
    const share = div(sum(good), maximum(sum(of), 1));
    return mul(of, cast(greater(share, uniforms), predicted.dtype));
  };
  const chosen = add(good, add(drawn(middling), drawn(bad)));
  const error = sub(predicted, inside);
  return mul(div(sum(mul(chosen, mul(error, error))), maximum(sum(chosen), 1)), 0.5);
}
