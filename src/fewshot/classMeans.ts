import { concat, mean, reshape, slice, type Tensor } from '../engine/index.ts';

/** Where the supports of the classes are: in the order of classes, `shots[n]` of class n. */
export type Shots = readonly number[];

/**
 * Supports of an episode in the order of their classes: the position of each, and how many every class has. Labels are 0 … way - 1 in any order.
 * @throws RangeError naming a label that is no class, or a class without support
 */
export function byClass(labels: ArrayLike<number | bigint>, way: number): { order: number[]; shots: number[] } {
  const members = Array.from({ length: way }, (): number[] => []);
  for (let i = 0; i < labels.length; i++) {
    const label = Number(labels[i]);
    if (!(Number.isInteger(label) && label >= 0 && label < way))
      throw new RangeError(`support ${i}: expected a label from 0 to ${way - 1}, found ${label}`);
    members[label].push(i);
  }
  const empty = members.findIndex(list => list.length === 0);
  if (empty >= 0) throw new RangeError(`class ${empty} of ${way}: expected at least one support, found none`);
  return { order: members.flat(), shots: members.map(list => list.length) };
}

/** Means over the supports of each class: x with the supports along `axis` -> with the classes there. */
export function classMeans(x: Tensor, shots: Shots, axis: number): Tensor {
  if (shots.every(shot => shot === 1)) return x;
  if (shots.every(shot => shot === shots[0])) {
    const shape = [...x.shape.slice(0, axis), shots.length, shots[0], ...x.shape.slice(axis + 1)];
    return mean(reshape(x, shape), axis + 1);
  }
  return concat(
    ofClasses(x, shots, axis).map(part => mean(part, axis, true)),
    axis,
  );
}

/** The supports of each class, along `axis`. */
export function ofClasses(x: Tensor, shots: Shots, axis: number): Tensor[] {
  let from = 0;
  return shots.map(shot => {
    from += shot;
    return slice(x, axis, from - shot, from);
  });
}
