import type { Shape } from '../engine/index.ts';
import type { CommonOptions, ParamGroup } from '../nn/index.ts';

/** How parameters are grouped: as the published code does, or as it was meant to. */
export const groupings = ['published', 'intended'] as const;
export type FewshotGrouping = (typeof groupings)[number];

const noDecay: ParamGroup = { weightDecay: 0 };

/**
 * Parameter groups of few-shot models for an optimiser's `groups`:
 * - `published`: no weight decay where a name has "bn" or "norm" in it; the norms of the stem (`backbone.1`) and of shortcuts (`downsample.1`) have neither, and decay;
 * - `intended`: no decay on any norm. Biases decay in both.
 * Names are as published, with or without `head.` in front, or those of torchvision for the backbone.
 */
export function fewshotGroups(grouping: FewshotGrouping): NonNullable<CommonOptions['groups']> {
  return (name, shape) => (/bn|norm/.test(name) || (grouping === 'intended' && isHiddenNorm(name, shape)) ? noDecay : undefined);
}

/** The norms whose names do not say so: that of the stem, and those of shortcuts. */
function isHiddenNorm(name: string, shape: Shape): boolean {
  return shape.length === 1 && /(^|\.)(backbone\.1|downsample\.1)\.(weight|bias)$/.test(name);
}
