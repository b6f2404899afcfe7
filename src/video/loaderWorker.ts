/** A worker thread of `loader.ts`: makes the clips it is asked for, one request at a time. */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../data/formats/dataError.ts';
import type { ClipRequest } from './clip.ts';
import { tryClips, type WorkerReply } from './loader.ts';

parentPort!.on('message', async ({ id, request }: { readonly id: number; readonly request: ClipRequest }) => {
  const reply: WorkerReply = await tryClips(request).then(
    result => ({ id, result }),
    error => ({ id, error: messageOf(error) }),
  );
  // Clips are handed over, not copied.
  const clips = 'result' in reply && 'clips' in reply.result ? reply.result.clips : [];
  parentPort!.postMessage(
    reply,
    clips.map(clip => clip.data.buffer as ArrayBuffer),
  );
});
