// The channel as the desk has set it: what it looks like, what it asks, and whether somebody is there. It is asked for when
// the visitor opens the chat, and again while they look at it; what it was last time is there at once.

import { ask } from './http';
import type { Settings } from './settings';
import type { Store } from './store';

export interface Field {
  name: string;
  label?: string;
  input: 'text' | 'email' | 'phone' | 'choice';
  required: boolean;
  options?: string[];
}

export interface Channel {
  name: string;
  greeting: string;
  theme: { colour: string; position: 'right' | 'left'; mode: 'auto' | 'light' | 'dark' };
  languages: string[];
  default_language: string;
  pre_chat_form: Field[];
  open: boolean;
  opens_at?: string;
  away_text?: string;
}

/** Until it is asked for again when the desk did not say, or was away; in milliseconds. */
const usual = 60_000;
const soonest = 1000;

export class Channels {
  now: Channel | undefined;
  private store: Store | undefined;
  private looking = false;
  private due = 0; // when the answer is old
  private timer = 0;

  constructor(private url: string, private changed: () => void) {}

  /** begin shows the channel as it was when the visitor was here last. */
  async begin(store: Store): Promise<void> {
    this.store = store;
    if (this.now) return store.put('channel', this.now); // it was here before the browser's database
    const kept = await store.get<Channel>('channel');
    // Whether somebody was there then says nothing of now.
    if (kept && !this.now) this.take({ ...kept, open: true, opens_at: undefined, away_text: undefined });
  }

  /** look says whether the visitor sees the chat. Nothing is asked for before. */
  look(looking: boolean): void {
    if (looking === this.looking) return;
    this.looking = looking;
    clearTimeout(this.timer);
    if (looking) this.timer = window.setTimeout(() => void this.refresh(), Math.max(0, this.due - Date.now()));
  }

  private async refresh(): Promise<void> {
    let wait = usual;
    try {
      // All tabs have one answer: the browser keeps it for as long as the desk says, which is not beyond the next opening.
      const response = await ask(this.url, { cache: 'default', signal: AbortSignal.timeout(usual / 3) });
      const channel = (await response.json()) as Channel;
      wait = 1000 * Number(/max-age=(\d+)/.exec(response.headers.get('Cache-Control') ?? '')?.[1] ?? usual / 1000);
      void this.store?.put('channel', channel);
      this.take(channel);
    } catch {
      // What is known goes on; the conversation tells that the desk is away, or refuses.
      wait = usual / 4;
    }
    this.due = Date.now() + Math.max(soonest, wait);
    if (this.looking) this.timer = window.setTimeout(() => void this.refresh(), this.due - Date.now());
  }

  private take(channel: Channel): void {
    if (JSON.stringify(channel) === JSON.stringify(this.now)) return;
    this.now = channel;
    this.changed();
  }
}

/** under puts what the page has set over what the channel has. */
export function under(page: Settings, c: Channel | undefined): Settings {
  if (!c) return page;
  const { color, mode, position } = page.theme ?? {};
  return {
    ...page,
    title: page.title || c.name,
    greeting: page.greeting || c.greeting,
    theme: { color: color ?? c.theme.colour, mode: mode ?? c.theme.mode, position: position ?? c.theme.position },
  };
}
