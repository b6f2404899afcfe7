/** Which rows of a score file count. */

/** A test set of known and unknown videos. */
export interface Protocol {
  readonly name: ProtocolName;
  /** What it is, for people. */
  readonly title: string;
  /** K, where the protocol fixes it. */
  readonly knownClasses?: number;
  /** Sizes of the lists: a file with more rows holds repetitions. */
  readonly knownVideos?: number;
  readonly unknownVideos?: number;
  /** Labels on the unknown side that are known classes under another name. */
  readonly overlapping: readonly number[];
  /** The published evaluation averages over blocks of the unknown side. */
  readonly blocks: boolean;
}

/** Names of the protocols. */
export const protocolNames = ['hmdb', 'mit', 'plain'] as const;
export type ProtocolName = (typeof protocolNames)[number];

/** UCF-101's first test split against HMDB-51's or Moments in Time's, or any two sets of rows. */
export const protocols: Readonly<Record<ProtocolName, Protocol>> = {
  hmdb: {
    name: 'hmdb',
    title: 'UCF-101 test split 1 against HMDB-51 test split 1 without 8 classes that are in UCF-101',
    knownClasses: 101,
    knownVideos: 3783,
    unknownVideos: 1530,
    // golf, pullup, pushup, ride_bike, ride_horse, shoot_ball, shoot_bow, swing_baseball
    overlapping: [15, 26, 29, 30, 31, 34, 35, 43],
    blocks: false,
  },
  mit: {
    name: 'mit',
    title: 'UCF-101 test split 1 against Moments in Time v2, validation',
    knownClasses: 101,
    knownVideos: 3783,
    unknownVideos: 30500,
    overlapping: [],
    blocks: true,
  },
  plain: { name: 'plain', title: 'all known rows against all unknown rows', overlapping: [], blocks: false },
};
