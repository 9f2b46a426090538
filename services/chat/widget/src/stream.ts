// Server-sent events over fetch, because EventSource cannot send the session's token in a header.

export interface ServerEvent {
  id: string;
  name: string;
  data: string;
}

/** The server sends a comment every 15 s: a connection without any for so long, in milliseconds, is dead. */
const silence = 45_000;

/** A line that is longer is not ours. */
const longest = 1 << 20;

/** parser takes pieces of a stream as they come, in the format of the HTML standard, and gives whole events. */
export function parser(each: (e: ServerEvent) => void, retry: (ms: number) => void): (chunk: string) => void {
  let rest = '';
  let id = '';
  let name = '';
  let data: string[] = [];
  const line = (text: string): void => {
    if (text === '') {
      if (data.length) each({ id, name: name || 'message', data: data.join('\n') });
      name = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (field === 'id') id = value;
    else if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
    else if (field === 'retry' && /^\d+$/.test(value)) retry(Number(value));
  };
  return (chunk) => {
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() as string;
    if (rest.length > longest) throw new Error('an endless line');
    lines.forEach(line);
  };
}

/** read gives each event of a response, and returns when it ends. alive is told of every piece. */
export async function read(response: Response, abort: AbortController, each: (e: ServerEvent) => void, retry: (ms: number) => void): Promise<void> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  const feed = parser(each, retry);
  let watch = 0;
  try {
    for (;;) {
      clearTimeout(watch);
      watch = window.setTimeout(() => abort.abort(), silence);
      const { done, value } = await reader.read();
      if (done) return;
      feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    clearTimeout(watch);
    reader.cancel().catch(() => undefined);
  }
}
