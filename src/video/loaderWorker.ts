/** A worker thread of `loader.ts`: makes the clips it is asked for, one request at a time, in order. */
import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { messageOf } from '../data/formats/dataError.ts';
import { tryClips, type WorkerOrder, type WorkerReply } from './loader.ts';

const port = parentPort!;
const orders: WorkerOrder[] = [];
let busy = false;

port.on('message', (order: WorkerOrder) => {
  orders.push(order);
  if (!busy) void work();
});

async function work(): Promise<void> {
  busy = true;
  for (;;) {
    // What has come while clips were made counts at once: an order to end leaves out all that is not begun.
    for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port)) orders.push(more.message);
    if (orders.includes('end')) {
      port.close();
      return;
    }
    const order = orders.shift();
    if (order === undefined || order === 'end') break;
    await answer(order);
  }
  busy = false;
}

async function answer({ id, request }: Exclude<WorkerOrder, 'end'>): Promise<void> {
  const reply: WorkerReply = await tryClips(request).then(
    result => ({ id, result }),
    error => ({ id, error: messageOf(error) }),
  );
  // Clips are handed over, not copied.
  const clips = 'result' in reply && 'clips' in reply.result ? reply.result.clips : [];
  port.postMessage(
    reply,
    clips.map(clip => clip.data.buffer as ArrayBuffer),
  );
}
