import { vjp } from './grad.ts';
import { apply1, identityOp, type Op, rule, zero } from './op.ts';
import { after } from './ops/order.ts';
import type { Tensor } from './tensor.ts';

interface Rematerialized {
  readonly f: (...args: readonly Tensor[]) => Tensor;
}

/** The value of its first input; differentiated through the function applied to the others. */
const rematOp: Op<Rematerialized> = {
  ...(identityOp as unknown as Op<Rematerialized>),
  vjp: ([ct], { attrs: { f }, inputs: [, ...args] }) => {
    if (!ct) return [undefined, ...zero([], { inputs: args } as never)];
    const again = args.map(x => after(x, ct));
    const floating = again.filter(x => x.dtype.startsWith('float'));
    const cotangents = vjp([f(...again)], [ct], floating);
    return [undefined, ...again.map(x => (floating.includes(x) ? cotangents[floating.indexOf(x)] : undefined))];
  },
};

/**
 * `remat(f)(...args)` is f(...args), but what f computes on the way is not kept for the backward pass: it is computed again there,
 * from the arguments. Less memory for more arithmetic. f must take every large tensor that it reads as an argument.
 * Source: gradient checkpointing, with the name it has in JAX.
 */
export function remat<A extends readonly Tensor[]>(f: (...args: A) => Tensor): (...args: A) => Tensor {
  return (...args) => {
    rule(args.length > 0, 'remat: the function needs at least one argument');
    const y = f(...args);
    return apply1(rematOp, [y, ...args], { f: f as unknown as Rematerialized['f'] });
  };
}
