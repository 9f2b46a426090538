// One widget on one page: what the page may call, between the view and the conversation.

import { Channels, under } from './channel';
import { Engine, newID } from './engine';
import type { Filled } from './form';
import { choose, type Language } from './languages';
import { gist, unread, type Message } from './model';
import type { Profile, Settings } from './settings';
import { chime, silence, unlock } from './sound';
import { Store } from './store';
import { View } from './view';

export type EventName = 'ready' | 'open' | 'close' | 'message' | 'sent' | 'unread' | 'state' | 'error' | 'shutdown';

export class Widget {
  private view: View;
  private channel: Channels;
  private engine: Engine | undefined;
  private begun: (e: Engine) => void = () => undefined;
  private beginning = new Promise<Engine>((resolve) => (this.begun = resolve)); // a browser's database takes its time to open
  private heard = new Set<string>(); // positions of messages that the page was told of
  private written = new Set<string>(); // ids of what was written on this page
  private first = true;
  private where = '';
  private counted = -1;
  private linked = '';

  constructor(private settings: Settings, private emit: (name: EventName, detail: unknown) => void) {
    this.view = new View(settings, this.language(), {
      open: () => this.open(),
      close: () => this.close(),
      send: (text, files) => void this.send(text, files),
      retry: (id) => void this.engine?.retry(id),
      discard: (id) => void this.engine?.discard(id),
      older: () => this.engine?.older(),
      sound: () => this.sound(),
      list: () => this.engine?.list(),
      choose: (id) => this.engine?.choose(id),
      another: () => this.engine?.choose(`new:${newID()}`),
      filled: (f) => void this.filled(f),
      rate: (r) => void this.engine?.rate(r),
      typing: () => this.engine?.typing(),
    });
    this.channel = new Channels(`${settings.server}/chat/v1/channels/${encodeURIComponent(settings.siteKey)}`, () => this.apply());
    this.view.host.addEventListener('pointerdown', unlock);
    this.view.host.addEventListener('keydown', unlock, true);
    document.addEventListener('visibilitychange', this.look);
  }

  async start(): Promise<void> {
    if (!document.body) await new Promise((r) => document.addEventListener('DOMContentLoaded', r, { once: true }));
    document.body.append(this.view.host);
    const store = await Store.open(`tidemark/${this.settings.server}/${this.settings.siteKey}`);
    await this.channel.begin(store);
    const sound = await store.get<boolean>('sound');
    if (sound !== undefined) this.set({ sound });
    this.engine = new Engine(
      this.settings, store, () => this.changed(), (code) => this.emit('error', { code }), () => this.end(),
    );
    await this.engine.start();
    this.begun(this.engine);
    if (this.view.isOpen) this.engine.want();
    this.emit('ready', {});
  }

  open(): void {
    if (this.view.isOpen) return;
    this.view.open();
    this.engine?.want();
    this.look();
    this.emit('open', {});
  }

  close(): void {
    if (!this.view.isOpen) return;
    this.view.close();
    this.look();
    this.emit('close', {});
  }

  set(change: Partial<Settings>): void {
    this.settings = { ...this.settings, ...change, theme: { ...this.settings.theme, ...change.theme } };
    if (change.hidden) this.close();
    this.apply();
  }

  /** apply draws the page's settings over the channel's. */
  private apply(): void {
    this.view.channel = this.channel.now;
    this.view.apply(under(this.settings, this.channel.now), this.language());
  }

  identify(p: Profile): void {
    this.set({ name: p.name ?? this.settings.name, email: p.email ?? this.settings.email }); // and nobody asks for it
    void this.beginning.then((e) => e.identify(p));
  }

  /** shutdown takes the widget off the page and forgets the visitor, in all tabs. */
  async shutdown(): Promise<void> {
    await (await this.beginning).forget();
    this.end();
  }

  private end(): void {
    document.removeEventListener('visibilitychange', this.look);
    this.channel.look(false);
    this.view.destroy();
    silence();
    this.engine = undefined;
    this.emit('shutdown', {});
  }

  private language(): Language {
    const { language } = this.settings;
    const c = this.channel?.now;
    return choose(language ? [language] : [document.documentElement.lang, ...navigator.languages], language ? [] : c?.languages, c?.default_language);
  }

  private sound(): void {
    const sound = this.settings.sound === false;
    this.set({ sound });
    void this.engine?.store.put('sound', sound);
  }

  /** filled takes what was asked before the chat, and the first message with it. */
  private async filled(f: Filled): Promise<void> {
    await (await this.beginning).answer(f.profile);
    await this.send(f.text, []);
  }

  private async send(text: string, files: File[]): Promise<void> {
    const id = newID();
    this.written.add(id);
    await (await this.beginning).send(id, text, files);
    this.emit('sent', { id, text, files: files.map((x) => x.name) });
  }

  /** look marks as seen what can be seen. */
  private look = (): void => {
    this.channel.look(this.view.isOpen && !document.hidden);
    if (this.view.isOpen && !document.hidden) this.engine?.seen();
  };

  private changed(): void {
    const m = this.engine?.model;
    if (!m) return;
    this.view.durable = this.engine?.store.durable ?? true;
    this.view.draw(m);
    this.arrivals(m.messages, m.seen);
    this.look();
    const n = unread(m);
    if (n !== this.counted) this.emit('unread', { count: (this.counted = n) });
    if (m.link !== this.linked) this.emit('state', { state: (this.linked = m.link) });
  }

  /**
   * arrivals tells of messages that are new since the page was opened. What the visitor has just written is new, even if
   * it is in the first history already.
   */
  private arrivals(messages: Message[], seen: string): void {
    const where = this.engine?.model.conversation ?? '';
    if (where !== this.where) this.first = true; // what is in another conversation is not new
    this.where = where;
    const atFirst = this.first;
    const fresh = messages.filter((x) => !this.heard.has(x.position) && (!atFirst || (x.from === 'you' && this.written.has(x.id))));
    messages.forEach((x) => this.heard.add(x.position));
    if (this.engine?.model.loaded) this.first = false;
    const last = fresh.filter((x) => x.from !== 'you').pop();
    for (const x of fresh) this.emit('message', { id: x.id, from: x.from, text: x.text, files: (x.attachments ?? []).map((f) => f.name), at: x.created_at });
    if (!last || last.position === seen) return;
    const w = this.view.language.words;
    this.view.announce(`${last.from === 'agent' ? w.agent : w.desk}: ${gist(last)}`);
    if (this.settings.sound !== false) chime();
  }
}
