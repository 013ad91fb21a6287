/**
 * Keeps a stream that nobody reads any more (`| head`) from ending the process: what is written to it then is dropped.
 */

type Done = (error?: Error | null) => void;
type Write = (chunk: string | Uint8Array, encoding?: BufferEncoding | Done, done?: Done) => boolean;

/**
 * Replaces the stream's `write`. Once a write has failed, later ones succeed without doing anything, so that whoever is
 * in the middle of something can end it in an orderly way.
 *
 * @param onGone told of the first failure, once
 */
export function ignoreBrokenPipe(stream: NodeJS.WritableStream, onGone: (error: NodeJS.ErrnoException) => void): void {
  const write = stream.write.bind(stream) as Write;
  let gone = false;
  const fail = (error: NodeJS.ErrnoException): void => {
    if (gone) return;
    gone = true;
    onGone(error);
  };
  // A failed write is reported here as well, and would end the process where nobody listens.
  stream.on('error', fail);
  const guarded: Write = (chunk, encoding, done) => {
    const tell = typeof encoding === 'function' ? encoding : done;
    if (gone) {
      if (tell !== undefined) process.nextTick(tell);
      return true;
    }
    return write(chunk, typeof encoding === 'string' ? encoding : undefined, (error) => {
      if (error) fail(error);
      tell?.();
    });
  };
  stream.write = guarded;
}
