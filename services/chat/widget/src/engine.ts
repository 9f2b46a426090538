// The conversation: session, history, stream and outbox. Only the leading tab speaks to the server; it tells the others
// the whole model whenever it changes, and they tell it what the visitor does.

import { ask, Away, call, Refusal } from './http';
import { beginning, type Glance } from './list';
import { empty, type Message, type Model, type Outgoing } from './model';
import { profileOf, type Profile, type Settings } from './settings';
import { Store } from './store';
import { Ratings, told as surveyed, type Rating, type Survey } from './survey';
import { read, type ServerEvent } from './stream';
import { Tabs } from './tabs';

/** What tabs say to each other. */
type Said =
  | { say: 'model'; model: Model }
  | { say: 'hello' | 'outbox' | 'wanted' | 'older' | 'identified' | 'rated' | 'list' | 'over' }
  | { say: 'choose'; id: string }
  | { say: 'seen'; position: string };

interface Session {
  token: string;
  opened: number; // milliseconds
  expires: number;
  profile: string; // that it was opened with
}

const slowest = 30_000; // between two tries, in milliseconds
const randomly = (ms: number): number => ms * (0.5 + Math.random() / 2);

export class Engine {
  model = empty();
  private tabs: Tabs<Said>;
  private profile: Profile;
  private over = false;
  private wanted = false; // somebody has opened the chat: there has to be a session
  private running = false;
  private flushing = false;
  private tries = 0;
  private sends = 0;
  private later = 0; // the timer of the next try to send
  private wake: () => void = () => undefined;
  private listening: AbortController | undefined;
  private connected = false;
  private opening: Promise<string> | undefined;
  private ratings: Ratings;
  private at = ''; // the conversation that is shown

  constructor(
    private settings: Settings,
    readonly store: Store,
    private changed: () => void,
    private failed: (code: string) => void,
    private ended: () => void,
  ) {
    this.profile = settings;
    this.ratings = new Ratings(store, {
      url: (path) => this.url(path),
      token: () => this.token(),
      expired: () => this.expired(),
      model: () => this.model,
      set: (change) => this.set(change),
    });
    // The number is of what tabs say to each other: another version of this program may be in another tab.
    this.tabs = new Tabs(`tidemark/1/${settings.server}/${settings.siteKey}`, store.durable, (m) => this.heard(m));
  }

  async start(): Promise<void> {
    const said = profileOf(this.profile);
    if (Object.keys(said).length) await this.store.put('profile', said);
    this.model.seen = (await this.store.get<string>('seen')) ?? '';
    this.model.answered = !!(await this.store.get('form'));
    this.model.rating = await this.ratings.kept();
    this.model.waiting = await this.store.outbox();
    addEventListener('online', this.nudge);
    addEventListener('offline', this.nudge);
    document.addEventListener('visibilitychange', this.nudge);
    this.tabs.start(() => void this.lead());
    this.tabs.tell({ say: 'hello' });
    this.changed();
  }

  /** want is called when the visitor opens the chat. Before that nothing is asked of the server. */
  want(): void {
    this.wanted = true;
    if (this.tabs.leading) void this.run();
    else this.tabs.tell({ say: 'wanted' });
  }

  async send(id: string, text: string): Promise<void> {
    const item: Outgoing = { id, text, at: new Date().toISOString() };
    if (this.model.conversation) item.to = this.model.conversation;
    await this.store.add(item);
    await this.outboxChanged();
    this.want();
  }

  async retry(id: string): Promise<void> {
    const item = this.model.waiting.find((x) => x.id === id);
    if (!item) return;
    await this.store.update({ ...item, failed: undefined });
    await this.outboxChanged();
  }

  async discard(id: string): Promise<void> {
    await this.store.remove(id);
    await this.outboxChanged();
  }

  seen(): void {
    const last = this.model.messages[this.model.messages.length - 1];
    if (!last || last.position === this.model.seen) return;
    this.model.seen = last.position;
    void this.store.put('seen', last.position);
    this.tabs.tell({ say: 'seen', position: last.position });
    if (this.tabs.leading) void this.remember(last.position);
    this.changed();
  }

  older(): void {
    if (this.tabs.leading) void this.loadOlder();
    else this.tabs.tell({ say: 'older' });
  }

  /** identify says who the visitor is; the session is renewed with it, in the leading tab. */
  async identify(p: Profile): Promise<void> {
    this.profile = { ...this.profile, ...p };
    await this.store.put('profile', profileOf(this.profile));
    if (this.tabs.leading) this.renew();
    else this.tabs.tell({ say: 'identified' });
  }

  /** list asks for the visitor's conversations. */
  list(): void {
    if (this.tabs.leading) void this.loadList();
    else this.tabs.tell({ say: 'list' });
  }

  private async loadList(): Promise<void> {
    try {
      const all = await call<{ items: Glance[] }>(this.url('conversations'), { token: await this.token() });
      this.set({ list: all.items, unlisted: false });
    } catch {
      this.set({ unlisted: true });
    }
  }

  /** choose shows another conversation, in all tabs: they have one stream. Of one that has not begun there is nothing yet. */
  choose(id: string): void {
    if (!this.tabs.leading) return this.tabs.tell({ say: 'choose', id });
    if (id === this.model.conversation) return;
    this.set({
      conversation: id, messages: [], sent: [], older: '', status: 'none', survey: undefined, position: '', loaded: false,
    });
    if (!this.running) return void this.run();
    this.listening?.abort();
    this.wake();
  }

  /** remember keeps how far the visitor has looked, of each conversation. */
  private async remember(position: string): Promise<void> {
    if (this.at) await this.store.put('seenOf', { ...(await this.store.get<Record<string, string>>('seenOf')), [this.at]: position });
  }

  /** begun gives a conversation that has just begun its id, in all that was written to it. */
  private async begun(from: string, id: string): Promise<void> {
    for (const x of await this.store.outbox()) if (x.to === from) await this.store.update({ ...x, to: id });
    if (this.model.conversation === from) this.choose(id);
  }

  /** here is the query that names the conversation that was chosen. */
  private get here(): string {
    return this.model.conversation ? `?conversation_id=${encodeURIComponent(this.model.conversation)}` : '';
  }

  /** answer keeps what the visitor said of themselves before the chat: it goes with the session, and is not asked again. */
  async answer(profile: Record<string, string>): Promise<void> {
    await this.store.put('form', profile);
    this.model.answered = true;
    if (this.tabs.leading) this.renew();
    else this.tabs.tell({ say: 'identified' });
    this.changed();
  }

  /** rate keeps the answer to a survey, and sends it when the server is there. */
  async rate(r: Rating): Promise<void> {
    await this.ratings.keep(r);
    this.model.rating = r;
    this.changed();
    if (this.tabs.leading) await this.rated();
    else this.tabs.tell({ say: 'rated' });
  }

  private async rated(): Promise<void> {
    this.set({ rating: await this.ratings.kept() });
    void this.ratings.flush();
  }

  /** forget ends everything, in all tabs, and leaves nothing of the visitor in this browser. */
  async forget(): Promise<void> {
    this.tabs.tell({ say: 'over' });
    this.stop();
    await this.store.clear();
    this.store.close();
  }

  stop(): void {
    this.over = true;
    removeEventListener('online', this.nudge);
    removeEventListener('offline', this.nudge);
    document.removeEventListener('visibilitychange', this.nudge);
    clearTimeout(this.later);
    this.ratings.stop();
    this.listening?.abort();
    this.wake();
    this.tabs.stop();
  }

  private heard(m: Said): void {
    if (this.over) return;
    const leading = this.tabs.leading;
    switch (m.say) {
      case 'model':
        if (leading) return;
        // What waits is read here: the leading tab may not have seen yet what was just typed in this one.
        this.model = { ...m.model, waiting: this.model.waiting };
        void this.readOutbox();
        break;
      case 'hello':
        if (leading) this.tell();
        break;
      case 'outbox':
        void this.readOutbox().then(() => (leading ? this.flush() : undefined));
        break;
      case 'wanted':
        if (leading) this.want();
        break;
      case 'older':
        if (leading) void this.loadOlder();
        break;
      case 'identified':
        if (leading) void this.identified();
        break;
      case 'list':
        if (leading) void this.loadList();
        break;
      case 'choose':
        if (leading) this.choose(m.id);
        break;
      case 'rated':
        if (leading) void this.rated();
        break;
      case 'seen':
        this.model.seen = m.position;
        if (leading) void this.remember(m.position);
        this.changed();
        break;
      case 'over':
        this.stop();
        this.store.close();
        this.ended();
        break;
    }
  }

  /** set changes the model and tells everybody. */
  private set(change: Partial<Model>): void {
    if (this.over) return;
    Object.assign(this.model, change);
    this.tell();
    this.changed();
  }

  private tell(): void {
    this.tabs.tell({ say: 'model', model: this.model });
  }

  private async lead(): Promise<void> {
    // What another tab knew may be old by now: history and stream begin anew.
    this.model.loaded = false;
    await this.readOutbox();
    if (this.wanted || this.model.waiting.length || (await this.session())) void this.run();
  }

  private async readOutbox(): Promise<void> {
    this.model.waiting = await this.store.outbox();
    this.changed();
  }

  private async outboxChanged(): Promise<void> {
    await this.readOutbox();
    this.tabs.tell({ say: 'outbox' });
    void this.flush();
  }

  /** run keeps a stream open until the end. */
  private async run(): Promise<void> {
    if (this.running || this.over) return;
    this.running = true;
    while (!this.over) {
      let pause = 0;
      try {
        if (!this.model.loaded) {
          if (this.model.link === 'idle') this.set({ link: 'connecting' });
          await this.load();
        }
        pause = await this.listen();
      } catch (e) {
        pause = await this.trouble(e);
      }
      if (!this.over) await this.rest(pause);
    }
  }

  /** trouble says what went wrong and how long to wait, in milliseconds. */
  private async trouble(e: unknown): Promise<number> {
    const backoff = randomly(Math.min(slowest, 500 * 2 ** Math.min(this.tries++, 10)));
    if (e instanceof Refusal) {
      switch (true) {
        case e.status === 401:
          await this.store.put('session', undefined); // a new one is made
          if (e.code === 'session_erased') this.set({ messages: [], sent: [], older: '', status: 'none', survey: undefined });
          this.set({ position: '', loaded: false });
          break;
        case e.code === 'position_unknown':
          this.set({ messages: [], sent: [], position: '', loaded: false });
          break;
        case e.status === 429:
          this.set({ link: 'limited', limited: Date.now() + Math.max(e.retryAfter, backoff) });
          return Math.max(e.retryAfter, backoff);
        default:
          this.set({ link: 'refused' });
          this.failed(e.code);
          return slowest;
      }
      return this.tries > 1 ? backoff : 0;
    }
    this.set({ link: navigator.onLine ? 'away' : 'offline' });
    return Math.max(e instanceof Away ? e.retryAfter : 0, backoff);
  }

  /** rest waits, or until something happens that may change matters. */
  private rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private nudge = (): void => {
    if (!navigator.onLine && this.tabs.leading && this.running) this.set({ link: 'offline' });
    if (!this.tabs.leading || this.over || this.model.link === 'limited') return;
    this.wake();
    if (navigator.onLine) void this.flush();
    if (navigator.onLine) void this.ratings.flush();
    if (navigator.onLine && this.connected && this.model.link === 'offline') this.set({ link: 'online' }); // the stream has outlived it
  };

  /** session is the kept one if it is still good. */
  private async session(): Promise<Session | undefined> {
    const s = await this.store.get<Session>('session');
    return s && s.expires > Date.now() + 60_000 ? s : undefined;
  }

  /** token is the session's. Only one is ever being opened: two at once would be two visitors. */
  private token(): Promise<string> {
    return (this.opening ??= this.openSession().finally(() => (this.opening = undefined)));
  }

  /** openSession opens one, or renews it when half its time is over, or when the visitor is somebody by now. */
  private async openSession(): Promise<string> {
    const old = await this.session();
    const form = (await this.store.get<Record<string, string>>('form')) ?? {};
    const said = { ...form, ...(await this.store.get<Record<string, string>>('profile')) }; // the page knows better
    const profile = JSON.stringify(said);
    if (old && old.profile === profile && Date.now() < (old.opened + old.expires) / 2) return old.token;
    const fresh = await call<{ token: string; expires_at: string }>(this.url('sessions'), {
      token: old?.token,
      body: { site_key: this.settings.siteKey, ...said },
    }).catch(async (e) => {
      // What the visitor wrote of themselves, the server may refuse. They are not shut out for it.
      if (!(e instanceof Refusal) || e.status !== 422 || !Object.keys(form).length) throw e;
      await this.store.put('form', {});
      throw new Away();
    });
    const next: Session = { token: fresh.token, opened: Date.now(), expires: Date.parse(fresh.expires_at), profile };
    await this.store.put('session', next);
    return fresh.token;
  }

  private async identified(): Promise<void> {
    this.model.answered ||= !!(await this.store.get('form'));
    this.renew();
  }

  /** expired forgets the session. The stream must be the new visitor's too. */
  private async expired(): Promise<void> {
    await this.store.put('session', undefined);
    this.renew();
  }

  private renew(): void {
    if (!this.running) return;
    this.model.loaded = false; // who is known may have more to read
    this.model.position = '';
    this.listening?.abort();
    this.wake();
  }

  private url(path: string): string {
    return `${this.settings.server}/chat/v1/${path}`;
  }

  private async load(): Promise<void> {
    if (beginning(this.model.conversation)) return this.set({ loaded: true });
    const where = this.model.conversation;
    const page = await call<Page>(this.url('messages') + this.here, { token: await this.token() });
    if (where !== this.model.conversation) return this.load(); // another was chosen meanwhile
    this.at = page.conversation_id;
    this.model.seen = (await this.store.get<Record<string, string>>('seenOf'))?.[this.at] ?? this.model.seen;
    const known = new Set(page.items.map((x) => x.id));
    this.set({
      messages: page.items,
      sent: this.model.sent.filter((x) => !known.has(x.id)),
      status: page.status,
      survey: page.survey,
      position: page.position ?? '',
      older: page.links.next ?? '',
      loaded: true,
    });
    for (const item of this.model.waiting) if (known.has(item.id)) await this.store.remove(item.id);
    await this.readOutbox();
  }

  private async loadOlder(): Promise<void> {
    if (!this.model.older) return;
    const next = this.model.older;
    this.set({ older: '' });
    try {
      const page = await call<Page>(new URL(next, this.settings.server).href, { token: await this.token() });
      this.set({ messages: page.items.concat(this.model.messages), older: page.links.next ?? '' });
    } catch {
      this.set({ older: next });
    }
  }

  /** listen follows the stream to its end and says how long the server wants to be left alone. */
  private async listen(): Promise<number> {
    const abort = (this.listening = new AbortController());
    if (beginning(this.model.conversation)) {
      void this.flush();
      return slowest;
    }
    const token = await this.token();
    const connecting = setTimeout(() => abort.abort(), 20_000);
    const headers: Record<string, string> = this.model.position ? { 'Last-Event-ID': this.model.position } : {};
    const response = await ask(this.url('stream') + this.here, { token, headers, signal: abort.signal }).finally(() => clearTimeout(connecting));
    let pause = 2000;
    this.connected = true;
    this.set({ link: 'online' });
    void this.flush();
    void this.ratings.flush();
    try {
      await read(response, abort, (e) => {
        this.tries = 0;
        this.told(e);
      }, (ms) => (pause = ms));
    } catch {
      if (abort.signal.aborted && this.model.loaded === false) return 0; // renewed
      throw new Away();
    } finally {
      this.connected = false;
    }
    // A server that stops says when to come back. Until then it is away.
    if (!this.over) this.set({ link: 'connecting' });
    return pause;
  }

  private told(e: ServerEvent): void {
    let data: any;
    try {
      data = JSON.parse(e.data);
    } catch {
      return;
    }
    if (e.id) this.model.position = e.id;
    if (e.name === 'message') this.arrived(data as Message);
    else if (e.name === 'status') this.set({ status: data.status });
    else if (e.name === 'survey') this.set({ survey: surveyed(this.model.survey, data as Survey) });
    else if (e.name === 'erased') {
      void this.store.clear();
      this.set({ messages: [], sent: [], older: '', status: 'none', survey: undefined, position: '', loaded: false });
    }
  }

  private arrived(m: Message): void {
    if (this.model.messages.some((x) => x.position === m.position)) return;
    const mine = (x: Outgoing): boolean => m.from === 'you' && x.id === m.id;
    if (this.model.waiting.some(mine)) void this.store.remove(m.id).then(() => this.readOutbox());
    this.set({
      messages: this.model.messages.concat(m),
      sent: this.model.sent.filter((x) => !mine(x)),
      waiting: this.model.waiting.filter((x) => !mine(x)),
      status: m.from === 'you' ? 'open' : this.model.status,
    });
  }

  /**
   * flush sends what waits, one after the other, oldest first. Where the browser keeps nothing, each tab sends its own:
   * nobody else can.
   */
  private async flush(): Promise<void> {
    if (this.flushing || this.over || (!this.tabs.leading && this.store.durable)) return;
    this.flushing = true;
    clearTimeout(this.later);
    try {
      for (;;) {
        await this.readOutbox();
        const next = this.model.waiting.find((x) => !x.failed);
        if (!next || this.over) break;
        await this.post(next);
        this.sends = 0;
      }
    } catch (e) {
      const backoff = randomly(Math.min(slowest, 1000 * 2 ** Math.min(this.sends++, 10)));
      const limited = e instanceof Refusal && e.status === 429;
      const pause = Math.max(backoff, e instanceof Away || e instanceof Refusal ? e.retryAfter : 0);
      if (limited) this.set({ link: 'limited', limited: Date.now() + pause });
      else if (e instanceof Away) this.set({ link: navigator.onLine ? 'away' : 'offline' });
      this.later = window.setTimeout(() => void this.flush(), pause);
    } finally {
      this.flushing = false;
    }
  }

  private async post(item: Outgoing): Promise<void> {
    try {
      const begins = beginning(item.to ?? '');
      const body = { id: item.id, text: item.text, ...(item.to && !begins ? { conversation_id: item.to } : {}) };
      const taken = await call<{ conversation_id: string }>(this.url(begins ? 'conversations' : 'messages'), { token: await this.token(), body });
      if (begins) await this.begun(item.to as string, taken.conversation_id);
    } catch (e) {
      if (!(e instanceof Refusal) || e.status === 429) throw e;
      if (e.status === 401) {
        await this.store.put('session', undefined);
        this.renew(); // the stream must be the new visitor's too
        throw e;
      }
      await this.store.update({ ...item, failed: e.code });
      this.failed(e.code);
      this.tabs.tell({ say: 'outbox' });
      return;
    }
    await this.store.remove(item.id);
    const told = this.model.messages.some((x) => x.from === 'you' && x.id === item.id);
    this.set({
      waiting: this.model.waiting.filter((x) => x.id !== item.id),
      sent: told || (item.to ?? '') !== this.model.conversation ? this.model.sent : this.model.sent.concat(item),
      link: this.connected ? 'online' : this.model.link,
    });
  }
}

interface Page {
  conversation_id: string;
  status: Model['status'];
  survey?: Survey;
  items: Message[];
  links: { next?: string };
  position?: string;
}

/** newID makes a message's id, also in browsers that make none on pages without TLS. */
export function newID(): string {
  return crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}
