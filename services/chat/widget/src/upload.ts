// Sending files. A file goes to the desk before the message that lists it; the server's answer names it for a day, to this
// visitor alone. Answers are remembered here and nowhere else: after a reload files are sent again, which adds nothing.

import { Away, Refusal } from './http';
import type { Outgoing } from './model';

/** A file of which nothing more is sent for so long, in milliseconds, is tried again. */
const silence = 30_000;

/** How often a file is tried while everything else reaches the server: what a proxy does not let through must not hold up all else. */
const most = 8;

export class Uploads {
  private done = new Map<string, string[]>(); // answers, by message
  private tries = new Map<string, number>(); // that failed, by message
  private running: XMLHttpRequest | undefined;

  constructor(private url: string, private progress: (part: number) => void) {}

  /** knows tells whether something of a message was sent before. */
  knows(id: string): boolean {
    return this.done.has(id);
  }

  forget(id: string): void {
    this.done.delete(id);
    this.tries.delete(id);
  }

  /**
   * of sends the files of a message, as far as they are not there yet, for a conversation; none: the present one. online:
   * everything else does reach the server.
   */
  async of(item: Outgoing, token: string, online: boolean, conversation = ''): Promise<string[]> {
    const files = item.files ?? [];
    const all = files.reduce((n, f) => n + f.size, 0);
    let before = 0;
    const ids = this.done.get(item.id) ?? [];
    for (const file of files.slice(0, ids.length)) before += file.size;
    for (const file of files.slice(ids.length)) {
      try {
        ids.push(await this.put(file, token, conversation, (sent) => this.progress((before + sent) / all)));
      } catch (e) {
        const tries = (this.tries.get(item.id) ?? 0) + (e instanceof Away && online ? 1 : 0);
        this.tries.set(item.id, tries);
        if (tries >= most) throw new Refusal(503, 'files_unavailable');
        throw e;
      }
      this.done.set(item.id, ids);
      before += file.size;
    }
    return ids;
  }

  stop(): void {
    this.running?.abort();
  }

  /** put sends one file. fetch does not say how far it is. */
  private put(file: File, token: string, conversation: string, sent: (bytes: number) => void): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = (this.running = new XMLHttpRequest());
      let watch = 0;
      const alive = (): void => {
        clearTimeout(watch);
        watch = window.setTimeout(() => request.abort(), silence);
      };
      const where = conversation ? `&conversation_id=${encodeURIComponent(conversation)}` : '';
      request.open('POST', `${this.url}?name=${encodeURIComponent(file.name)}${where}`);
      request.responseType = 'json';
      request.setRequestHeader('Authorization', `Bearer ${token}`);
      request.setRequestHeader('Content-Type', 'application/octet-stream'); // what it is the server finds out
      request.upload.onprogress = (e) => {
        alive();
        sent(Math.min(e.loaded, file.size));
      };
      request.onload = () => {
        const { status, response } = request;
        const retryAfter = 1000 * (Number(request.getResponseHeader('Retry-After')) || 0);
        if (status === 201 && response?.id) resolve(response.id);
        else if (status === 413) reject(new Refusal(status, 'attachment_too_large')); // a proxy's too
        else if (status < 500 && (response?.code || status === 429)) reject(new Refusal(status, response?.code ?? '', retryAfter));
        else reject(new Away(retryAfter));
      };
      request.onerror = request.onabort = () => reject(new Away());
      request.onloadend = () => clearTimeout(watch);
      alive();
      request.send(file);
    });
  }
}
