import { tsmPrefix } from './tsm.ts';

/** The checkpoints of TSM networks whose names are known. */
export type TsmNaming = 'psl' | 'tsm' | 'mmaction2';

/** Where one checkpoint's array goes: a name of ours, or nowhere because it is the classifier of another label set. */
export interface RenamedArray {
  readonly from: string;
  readonly to: string | undefined;
}

/**
 * Which network's checkpoint has these names; undefined for none.
 * - `psl`: PSL's own, ours;
 * - `tsm`: the official Kinetics models, `module.base_model.…` and `module.new_fc.*` (with or without `module.`);
 * - `mmaction2`: `backbone.conv1.conv.weight`, `backbone.layer1.0.conv1.conv.net.weight`, … and `cls_head.fc_cls.*`.
 */
export function tsmNaming(names: readonly string[]): TsmNaming | undefined {
  const has = (pattern: RegExp) => names.some(name => pattern.test(name));
  if (has(/^backbone\.base_model\.conv1\.weight$/)) return 'psl';
  if (has(/^(module\.)?base_model\.conv1\.weight$/)) return 'tsm';
  if (has(/^backbone\.conv1\.conv\.weight$/)) return 'mmaction2';
  return undefined;
}

/**
 * Our name of each array of a TSM checkpoint, in the checkpoint's order. Weights of Kinetics models were trained on normalised frames
 * (mean 0.485, 0.456, 0.406 and deviation 0.229, 0.224, 0.225 of values in [0, 1]), on which the published PSL does not run them.
 * @throws Error naming the first array that does not fit the naming
 */
export function renameTsm(names: readonly string[], naming: TsmNaming): RenamedArray[] {
  return names.map(from => {
    const to = renamers[naming](from);
    if (to === undefined) throw new Error(`array ${from}: not a name of a TSM checkpoint of the kind ${naming}`);
    return { from, to: to === dropped ? undefined : to };
  });
}

/** Stands for an array that is left out. */
const dropped = '';

const renamers: Readonly<Record<TsmNaming, (name: string) => string | undefined>> = {
  psl: name => (/^(backbone\.base_model|head)\.|^prototypes$/.test(name) ? name : undefined),
  tsm: name => {
    const inner = name.replace(/^module\./, '');
    if (/^(new_fc|base_model\.fc)\./.test(inner)) return dropped;
    const found = /^base_model\.(.+)$/.exec(inner);
    return found ? `${tsmPrefix}${found[1]}` : undefined;
  },
  mmaction2: name => {
    if (/^cls_head\./.test(name)) return dropped;
    const found = /^backbone\.((?:layer\d\.\d+\.)?)(conv(\d)|downsample)\.(conv|bn)\.((?:net\.)?)(\w+)$/.exec(name);
    if (!found) return undefined;
    const [, block, layer, digit, kind, net, part] = found;
    if (layer === 'downsample')
      return block && !net ? `${tsmPrefix}${block}downsample.${kind === 'conv' ? 0 : 1}.${part}` : undefined;
    return `${tsmPrefix}${block}${kind === 'conv' ? `${layer}.${net}` : `bn${digit}.`}${part}`;
  },
};
