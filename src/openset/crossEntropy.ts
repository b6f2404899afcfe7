import { logSoftmax, mean, mul, neg, oneHot, sum, type Tensor } from '../engine/index.ts';

/** Cross-entropy of each sample, -log softmax(logits) at its class: logits `[batch, K]`, labels integers `[batch]` -> `[batch]`. */
export function crossEntropies(logits: Tensor, labels: Tensor): Tensor {
  return neg(sum(mul(logSoftmax(logits), oneHot(labels, logits.shape[1], logits.dtype)), 1));
}

/** Mean cross-entropy: logits `[batch, K]`, labels integers `[batch]` -> scalar. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return mean(crossEntropies(logits, labels));
}
