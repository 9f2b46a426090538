// The conversation: session, history, stream and outbox. Only the leading tab speaks to the server; it tells the others
// the whole model whenever it changes, and they tell it what the visitor does.

import { ask, Away, call, Refusal } from './http';
import { beginning, type Glance } from './list';
import { later, Marks } from './marks';
import { empty, type Attachment, type Message, type Model, type Outgoing } from './model';
import { profileOf, type Profile, type Settings } from './settings';
import { Store } from './store';
import { Ratings, told as surveyed, type Rating, type Survey } from './survey';
import { read, type ServerEvent } from './stream';
import { Tabs } from './tabs';
import { Seen } from './typing';
import { Uploads } from './upload';

/** What tabs say to each other. */
type Said =
  | { say: 'model'; model: Model }
  | { say: 'hello' | 'outbox' | 'wanted' | 'older' | 'identified' | 'rated' | 'list' | 'typing' | 'over' }
  | { say: 'choose'; id: string }
  | { say: 'seen'; position: string };

interface Session {
  token: string;
  opened: number; // milliseconds
  expires: number;
  until?: number; // from when it cannot be renewed either; kept by older versions without it
  profile: string; // that it was opened with
}

/** Links of files are good for an hour at least; they are read anew before, in milliseconds. */
const linksLast = 45 * 60_000;

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
  private linked = 0; // when the links of files were read
  private linking = 0; // the timer that sees to it
  private later = 0; // the timer of the next try to send
  private wake: () => void = () => undefined;
  private listening: AbortController | undefined;
  private connected = false;
  private opening: Promise<string> | undefined;
  private ratings: Ratings;
  private at = ''; // the conversation that is shown
  private typist = new Seen((typing) => this.model.typing !== typing && this.set({ typing }));
  private uploads: Uploads;
  private marks = new Marks((id) => this.mark(id));

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
      expired: (code) => this.expired(code),
      model: () => this.model,
      set: (change) => this.set(change),
    });
    this.uploads = new Uploads(this.url('attachments'), (part) => this.uploaded(part));
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
    this.linking = window.setInterval(() => void this.relink(), 60_000);
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

  async send(id: string, text: string, files: File[] = []): Promise<void> {
    const item: Outgoing = { id, text, at: new Date().toISOString(), ...(files.length ? { files } : {}) };
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
    if (this.tabs.leading) this.marks.look(this.model);
    this.changed();
  }

  /** typing says that the visitor is. Before their first message nobody could see it, and what is lost is not said again. */
  typing(): void {
    if (!this.tabs.leading) return this.tabs.tell({ say: 'typing' });
    if (this.model.link !== 'online' || this.model.status === 'none') return;
    void this.token().then((token) => call(this.url('typing'), { token, body: this.within })).catch(() => undefined);
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
      read: '', told: '', typing: false,
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

  /** within names the conversation that is shown: by now another may be the one that a message would go to. */
  private get within(): Record<string, string> {
    return this.at ? { conversation_id: this.at } : {};
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

  /** forget ends everything, in all tabs and at the desk, and leaves nothing of the visitor in this browser. */
  async forget(): Promise<void> {
    const token = (await this.session())?.token;
    if (token) void call(this.url('sessions/current'), { token, method: 'DELETE' }).catch(() => undefined);
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
    clearInterval(this.linking);
    this.typist.over();
    this.marks.stop();
    this.uploads.stop();
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
      case 'typing':
        if (leading) this.typing();
        break;
      case 'seen':
        this.model.seen = m.position;
        if (leading) void this.remember(m.position);
        if (leading) this.marks.look(this.model);
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
    if (this.tabs.leading) this.marks.look(this.model);
    this.tell();
    this.changed();
  }

  private tell(): void {
    this.tabs.tell({ say: 'model', model: this.model });
  }

  private async lead(): Promise<void> {
    // What another tab knew may be old by now: history and stream begin anew.
    this.model.loaded = false;
    this.model.typing = false;
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
          await this.refused(e.code);
          if (e.code === 'session_erased') this.set({ messages: [], sent: [], older: '', status: 'none', survey: undefined });
          if (e.code !== 'session_expired') this.set({ position: '', loaded: false });
          break;
        case e.code === 'position_unknown':
          this.set({ messages: [], sent: [], position: '', loaded: false });
          break;
        case e.status === 429:
          this.set({ link: 'limited', limited: Date.now() + Math.max(e.retryAfter, backoff) });
          return Math.max(e.retryAfter, backoff);
        default:
          // Whose they are that stand here is not known any more.
          if (e.code.startsWith('identity_')) this.set({ messages: [], sent: [], older: '', status: 'none', position: '', loaded: false });
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
    void this.relink();
  };

  /** session is the kept one if it is still good, or can be renewed. */
  private async session(): Promise<Session | undefined> {
    const s = await this.store.get<Session>('session');
    return s && (s.until ?? s.expires) > Date.now() + 60_000 ? s : undefined;
  }

  /** refused lets go of a session that the server does not take. One that has only expired is renewed: clocks differ. */
  private async refused(code: string): Promise<void> {
    const s = code === 'session_expired' ? await this.session() : undefined;
    await this.store.put('session', s && { ...s, opened: 0, expires: 0 });
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
    const fresh = await call<{ token: string; expires_at: string; renewable_until?: string }>(this.url('sessions'), {
      token: old?.token,
      body: { site_key: this.settings.siteKey, ...said },
    }).catch(async (e) => {
      // What the visitor wrote of themselves, the server may refuse. They are not shut out for it.
      if (!(e instanceof Refusal) || e.status !== 422 || !Object.keys(form).length) throw e;
      await this.store.put('form', {});
      throw new Away();
    });
    const expires = Date.parse(fresh.expires_at);
    const until = Date.parse(fresh.renewable_until ?? fresh.expires_at);
    const next: Session = { token: fresh.token, opened: Date.now(), expires, until, profile };
    await this.store.put('session', next);
    return fresh.token;
  }

  private async identified(): Promise<void> {
    this.model.answered ||= !!(await this.store.get('form'));
    this.renew();
  }

  /** expired forgets the session. The stream must be the new visitor's too. */
  private async expired(code: string): Promise<void> {
    await this.refused(code);
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
    // A page that was left at once may have kept where the visitor looked last, and not yet of which conversation that was.
    const at = (seen: string): number => page.items.findIndex((x) => x.position === seen);
    const seen = (await this.store.get<Record<string, string>>('seenOf'))?.[this.at];
    if (seen !== undefined && at(seen) >= at(this.model.seen)) this.model.seen = seen;
    const known = new Set(page.items.map((x) => x.id));
    this.linked = Date.now();
    this.set({
      messages: page.items,
      sent: this.model.sent.filter((x) => !known.has(x.id)),
      status: page.status,
      survey: page.survey,
      position: page.position ?? '',
      older: page.links.next ?? '',
      loaded: true,
    });
    await this.loadMarks(page.conversation_id);
    for (const item of this.model.waiting) if (known.has(item.id)) await this.store.remove(item.id);
    await this.readOutbox();
  }

  /** relink reads the history again, as far as it is shown, when the links in it are about to end. */
  private async relink(): Promise<void> {
    if (!this.connected || Date.now() - this.linked < linksLast || !this.model.messages.some((x) => x.attachments)) return;
    const before = this.linked;
    this.linked = Date.now();
    const files = new Map<string, Attachment[] | undefined>();
    const oldest = this.model.messages[0].position;
    try {
      for (let next = this.url('messages') + this.here; next && !files.has(oldest); ) {
        const page = await call<Page>(next, { token: await this.token() });
        for (const x of page.items) files.set(x.position, x.attachments);
        next = page.links.next ? new URL(page.links.next, this.settings.server).href : '';
      }
    } catch {
      this.linked = before; // within a minute it is tried again
      return;
    }
    this.set({ messages: this.model.messages.map((x) => (files.get(x.position) ? { ...x, attachments: files.get(x.position) } : x)) });
  }

  /** loadMarks reads how far has been read; the history does not say. Without it marks are told once more than needed. */
  private async loadMarks(conversation: string): Promise<void> {
    if (!this.model.messages.length) return this.set({ read: '', told: '' });
    try {
      const all = await call<{ items: Glance[] }>(this.url('conversations'), { token: await this.token() });
      const at = all.items.find((x) => x.id === conversation);
      this.set({ read: at?.seen_up_to ?? '', told: at?.read_up_to ?? '' });
    } catch (e) {
      if (!(e instanceof Away)) return;
      this.set({ loaded: false }); // all of it is read again
      throw e;
    }
  }

  /** mark tells the server what the visitor has read, and tells whether it knows. What it refuses it is not told again. */
  private async mark(id: string): Promise<boolean> {
    try {
      await call(this.url('read'), { token: await this.token(), body: { message_id: id, ...this.within } });
    } catch (e) {
      if (!(e instanceof Refusal) || e.status === 429 || e.status === 401) return false;
    }
    this.set({ told: later(this.model, this.model.told, id) });
    return true;
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
    void this.relink();
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
      this.typist.over();
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
    else if (e.name === 'typing') this.typist.until(data.expires_at);
    else if (e.name === 'read') this.marked(data.by, data.message_id);
    else if (e.name === 'erased') {
      void this.store.clear();
      this.set({ messages: [], sent: [], older: '', status: 'none', survey: undefined, position: '', loaded: false });
    }
  }

  /** marked takes a mark of the desk, or one of the visitor's own from another device. */
  private marked(by: string, id: string): void {
    if (by === 'agent') return this.set({ read: later(this.model, this.model.read, id) });
    const positions = this.model.messages.map((x) => x.position);
    const at = this.model.messages.find((x) => x.id === id)?.position ?? '';
    this.set({ told: later(this.model, this.model.told, id) });
    if (positions.indexOf(at) <= positions.indexOf(this.model.seen)) return;
    void this.store.put('seen', at);
    this.tabs.tell({ say: 'seen', position: at });
    this.set({ seen: at });
  }

  private arrived(m: Message): void {
    if (this.model.messages.some((x) => x.position === m.position)) return;
    if (m.from !== 'you') this.typist.over();
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

  private uploaded(part: number): void {
    // Everybody is told, so not of each piece.
    if (Math.abs(part - this.model.progress) > 0.04 || part === 1) this.set({ progress: part });
  }

  /**
   * deliver sends a message, its files first, and gives the id of its conversation. What the server has forgotten of files,
   * or was another visitor's, is sent anew.
   */
  private async deliver(item: Outgoing): Promise<string> {
    const begins = beginning(item.to ?? '');
    for (;;) {
      const known = this.uploads.knows(item.id);
      const token = await this.token();
      const body: Record<string, unknown> = { id: item.id, text: item.text, ...(item.to && !begins ? { conversation_id: item.to } : {}) };
      if (item.files) {
        this.set({ progress: 0 });
        body.attachments = await this.uploads.of(item, token, this.connected, begins ? 'new' : item.to);
      }
      try {
        const taken = await call<{ conversation_id: string }>(this.url(begins ? 'conversations' : 'messages'), { token, body });
        this.uploads.forget(item.id);
        return taken.conversation_id;
      } catch (e) {
        if (!known || !(e instanceof Refusal) || !/^attachment_(unknown|expired)$/.test(e.code)) throw e;
        this.uploads.forget(item.id);
      }
    }
  }

  private async post(item: Outgoing): Promise<void> {
    try {
      const taken = await this.deliver(item);
      if (beginning(item.to ?? '')) await this.begun(item.to as string, taken);
    } catch (e) {
      if (!(e instanceof Refusal) || e.status === 429) throw e;
      if (e.status === 401) {
        await this.refused(e.code);
        this.renew(); // the stream must be the new visitor's too
        throw e;
      }
      this.uploads.forget(item.id);
      await this.store.update({ ...item, failed: e.code });
      this.failed(e.code);
      this.tabs.tell({ say: 'outbox' });
      return;
    }
    await this.store.remove(item.id);
    const told = this.model.messages.some((x) => x.from === 'you' && x.id === item.id);
    const here = (item.to ?? '') === this.model.conversation;
    this.set({
      waiting: this.model.waiting.filter((x) => x.id !== item.id),
      ...(here && !told ? { sent: this.model.sent.concat(item), status: 'open' } : {}),
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
