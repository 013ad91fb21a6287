/** A loopback server for one archive: whole or by range, and on demand slow, broken off, refusing or without ranges. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ArchiveServer {
  url: string;
  /** The Range header of each request so far; empty text where there was none. */
  ranges: string[];
  /** How the next answers go; may be changed between requests. */
  manner: {
    breakAfterBytes?: number;
    ignoreRanges?: boolean;
    status?: number;
    silent?: boolean;
    bytesPerTick?: number;
  };
  close(): Promise<void>;
}

function answer(
  body: Buffer,
  manner: ArchiveServer['manner'],
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (manner.silent === true) return; // closeAllConnections ends it
  if (manner.status !== undefined) {
    response.writeHead(manner.status).end();
    return;
  }
  const from = manner.ignoreRanges === true ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from >= body.length) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
    return;
  }
  const rest = body.subarray(from);
  const headers = { 'content-length': rest.length, 'content-type': 'application/zip' };
  response.writeHead(
    from > 0 ? 206 : 200,
    from > 0 ? { ...headers, 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` } : headers,
  );
  if (manner.breakAfterBytes !== undefined) {
    response.write(rest.subarray(0, manner.breakAfterBytes), () => setTimeout(() => response.destroy(), 20));
  } else if (manner.bytesPerTick !== undefined) {
    let at = 0;
    const size = manner.bytesPerTick;
    const timer = setInterval(() => {
      response.write(rest.subarray(at, at + size));
      at += size;
      if (at >= rest.length) response.end();
      if (at >= rest.length || response.destroyed) clearInterval(timer);
    }, 10);
  } else {
    response.end(rest);
  }
}

/** Serves `body` on a free port of the loopback. */
export async function serveArchive(body: Buffer): Promise<ArchiveServer> {
  const ranges: string[] = [];
  const manner: ArchiveServer['manner'] = {};
  const server = createServer((request, response) => {
    ranges.push(request.headers.range ?? '');
    answer(body, manner, request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/libtorch-2.13.0%2Bcpu.zip`,
    ranges,
    manner,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
