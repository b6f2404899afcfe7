import { ndarray } from '../ndarray.ts';
import type { GraphBuilder } from '../onnx.ts';

const nodeCount = 32;

/**
 * The error function in float64, for which ONNX Runtime has no kernel: erf(x) = 2x/sqrt(pi) * integral of e^(-x^2 t^2) over [0, 1]
 * by Gauss-Legendre quadrature, which for |x| <= 6 (beyond, erf is 1 to the last bit) is exact to 1e-15 with 32 nodes.
 */
export function lowerErfFloat64(g: GraphBuilder, x: string): string {
  const { nodes, weights } = gaussLegendre(nodeCount);
  const bounded = g.node('Min', [g.node('Max', [x, g.scalar(-6, 'float64')]), g.scalar(6, 'float64')]);
  const column = g.node('Unsqueeze', [bounded, g.ints([-1])]);
  const exponents = g.node('Mul', [
    g.node('Mul', [column, column]),
    g.constant(
      ndarray(
        'float64',
        [nodeCount],
        nodes.map(t => -t * t),
      ),
    ),
  ]);
  const terms = g.node('Mul', [g.node('Exp', [exponents]), g.constant(ndarray('float64', [nodeCount], weights))]);
  const integral = g.node('ReduceSum', [terms, g.ints([-1])], { keepdims: { int: 0 } });
  return g.node('Mul', [g.node('Mul', [bounded, g.scalar(2 / Math.sqrt(Math.PI), 'float64')]), integral]);
}

/** Nodes and weights on [0, 1]: the roots of the Legendre polynomial of degree n, by Newton's method. */
function gaussLegendre(n: number): { nodes: Float64Array; weights: Float64Array } {
  const nodes = new Float64Array(n);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let z = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    // From these starting points Newton's method doubles the right digits each time; six rounds are more than enough.
    for (let round = 0; round < 6; round++) {
      let [before, value] = [1, z];
      for (let j = 2; j <= n; j++) [before, value] = [value, ((2 * j - 1) * z * value - (j - 1) * before) / j];
      slope = (n * (z * value - before)) / (z * z - 1);
      z -= value / slope;
    }
    nodes[i] = (1 + z) / 2;
    weights[i] = 1 / ((1 - z * z) * slope * slope);
  }
  return { nodes, weights };
}
