/** Networks over frames and clips: ResNet, and TSM on it. */
export * from './resnet.ts';
export * from './tsm.ts';
export * from './tsmNames.ts';
export * from './tsmNetwork.ts';
