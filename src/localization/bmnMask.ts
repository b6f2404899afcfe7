import { type NDArray, ndarray } from '../engine/ndarray.ts';

/** How boundary matching samples proposals. */
export interface BmnSampling {
  /** T: places in time. */
  readonly places: number;
  /** D: longest duration of a proposal, in places. */
  readonly durations: number;
  /** N: points sampled of each proposal. Published: 32. */
  readonly samples: number;
  /** Places averaged for each point. Published: 3. */
  readonly perSample: number;
  /** Part of its length that a proposal is extended by at both ends. Published: 0.5. */
  readonly extension: number;
}

/**
 * The boundary-matching mask `[T, N, D, T]`: entry (tau, n, d, s) is the weight of place tau in point n of the proposal that begins at s and ends at s + d. The points
 * divide the extended proposal evenly; each is the mean of `perSample` places, linear between its two neighbours. What lies outside is
 * nothing, but for the last place before the start, which counts as the first; proposals that end after T are all 0.
 * Source: T. Lin et al., "BMN: Boundary-matching network for temporal action proposal generation", ICCV 2019, section 4.2.
 */
export function bmnMask({ places, durations, samples, perSample, extension }: BmnSampling): NDArray<'float32'> {
  const weights = new Float64Array(places * samples * durations * places);
  const count = samples * perSample;
  for (let d = 0; d < durations; d++) {
    for (let s = 0; s + d < places; s++) {
      const length = d + 1;
      const first = s - length * extension;
      const step = (d + 2 * length * extension) / (count - 1);
      for (let i = 0; i < count; i++) {
        const place = first + step * i;
        const low = Math.trunc(place);
        const towards = place - low;
        const add = (at: number, weight: number): void => {
          if (at < 0 || at >= places) return;
          weights[((at * samples + Math.floor(i / perSample)) * durations + d) * places + s] += weight / perSample;
        };
        add(low, 1 - towards);
        add(Math.ceil(place), towards);
      }
    }
  }
  return ndarray('float32', [places, samples, durations, places], Float32Array.from(weights));
}
