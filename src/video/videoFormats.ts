/** How a data set says what its videos show. See docs/video.md. */
export const videoFormats = ['auto', 'folders', 'lists', 'ucf101', 'hmdb51', 'moments-in-time', 'kinetics'] as const;
export type VideoFormat = (typeof videoFormats)[number];
