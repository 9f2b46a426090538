// What is seen: a button and a dialog in a shadow tree of their own, so that neither the page's styles nor its content
// security policy touch them: styles are constructed, never inline.

import type { Channel } from './channel';
import { accent } from './color';
import { h, icon } from './dom';
import { asks, Form, type Filled } from './form';
import { Hours } from './hours';
import type { Language } from './languages';
import { List } from './list';
import { MessageList, type Actions } from './messages';
import { empty, unread, type Model } from './model';
import type { Settings } from './settings';
import { SurveyCard, type Rating } from './survey';
import { Tray } from './tray';
import { TypingSign, Typist } from './typing';
import css from './widget.css';

export interface Handlers extends Actions {
  open(): void;
  close(): void;
  send(text: string, files: File[]): void;
  sound(): void;
  filled(f: Filled): void;
  list(): void;
  choose(id: string): void;
  another(): void;
  rate(r: Rating): void;
  typing(): void;
}

const longest = 10_000; // characters of a message

export class View {
  readonly host = h('div', { id: 'tidemark-widget' });
  private root = this.host.attachShadow({ mode: 'open' });
  private theme = new CSSStyleSheet();
  private badge = h('span', { class: 'badge', 'aria-hidden': 'true', hidden: true });
  private launcher = h('button', { type: 'button', class: 'launcher', 'aria-expanded': 'false', 'aria-controls': 'panel' });
  private title = h('h2', { id: 'title' });
  private state = h('p', { class: 'state' });
  private closer = h('button', { type: 'button', class: 'icon close' }, icon('down'));
  private sounder = h('button', { type: 'button', class: 'icon sound' });
  private notice = h('p', { class: 'notice', role: 'status', hidden: true });
  private list: MessageList;
  private scroll = h('div', { class: 'scroll', role: 'region', tabindex: '0' });
  private field = h('textarea', { rows: '1', maxlength: String(longest), enterkeyhint: 'send', dir: 'auto' });
  private sender = h('button', { type: 'submit', class: 'send' }, icon('send'));
  private live = h('div', { class: 'quiet', role: 'status', 'aria-live': 'polite' });
  private panel = h('div', { class: 'panel', id: 'panel', role: 'dialog', 'aria-modal': 'true', 'aria-labelledby': 'title', hidden: true });
  private hours = new Hours();
  private others: List;
  private lister = h('button', { type: 'button', class: 'icon', 'aria-expanded': 'false', hidden: true }, icon('list'));
  private asked: Form;
  private survey: SurveyCard;
  private composer: HTMLFormElement;
  channel: Channel | undefined;
  private tray: Tray;
  private typing = new TypingSign();
  private typist = new Typist();
  private before: Element | null = null; // where focus was
  private darkness = matchMedia('(prefers-color-scheme: dark)');
  private last: Model | undefined;
  private atEnd = true; // the newest is seen, and stays so whatever grows: a picture, what is typed, a phone's keyboard
  isOpen = false;

  constructor(private settings: Settings, public language: Language, private on: Handlers) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    this.root.adoptedStyleSheets = [sheet, this.theme];
    this.list = new MessageList(on, settings.server);
    this.tray = new Tray(this.panel, () => this.grow(), (text) => this.announce(text), () => this.field.focus());
    this.asked = new Form((f) => this.fill(f));
    this.survey = new SurveyCard((r) => on.rate(r), (text) => this.announce(text));
    this.others = new List((id) => this.leaveList(() => on.choose(id)), () => this.leaveList(() => on.another()));
    this.lister.addEventListener('click', () => (this.others.shown ? this.leaveList() : this.showList()));
    this.scroll.append(this.list.element, this.typing.element, this.asked.element, this.survey.element);
    const form = h('form', {}, this.tray.element, this.tray.button, h('div', { class: 'field' }, this.field), this.sender);
    this.composer = form;
    this.panel.append(
      h('header', { role: 'none' }, h('div', { class: 'mark' }, icon('chat')), h('div', { class: 'who' }, this.title, this.state), this.lister, this.sounder, this.closer),
      this.notice, this.hours.element, this.others.element, this.scroll, form,
    );
    this.root.append(this.panel, this.launcher, this.live);
    this.launcher.addEventListener('click', () => (this.isOpen ? on.close() : on.open()));
    this.closer.addEventListener('click', () => on.close());
    this.sounder.addEventListener('click', () => on.sound());
    form.addEventListener('submit', (e) => {
      e.preventDefault();
      this.submit();
    });
    this.field.addEventListener('input', () => {
      this.grow();
      if (this.typist.typed(this.field.value)) on.typing();
    });
    this.field.addEventListener('keydown', (e) => {
      // Enter also ends a composition, in Japanese for one; that is not yet a message.
      if (e.key === 'Enter' && !e.shiftKey && !e.isComposing && e.keyCode !== 229) {
        e.preventDefault();
        this.submit();
      }
    });
    this.panel.addEventListener('keydown', (e) => this.keys(e));
    // What is typed here is nobody else's shortcut.
    for (const type of ['keydown', 'keyup', 'keypress']) this.root.addEventListener(type, (e) => e.stopPropagation());
    this.darkness.addEventListener('change', this.retheme);
    this.scroll.addEventListener('scroll', () => (this.atEnd = this.nearEnd()));
    const sizes = new ResizeObserver(() => this.atEnd && this.toEnd());
    sizes.observe(this.scroll);
    sizes.observe(this.list.element);
    this.apply(settings, language);
    this.grow();
    this.draw(empty());
  }

  /** apply takes other settings or another language. */
  apply(settings: Settings, language: Language): void {
    this.settings = settings;
    this.language = language;
    const w = language.words;
    this.host.setAttribute('lang', language.code);
    this.host.setAttribute('dir', language.rtl ? 'rtl' : 'ltr');
    this.tray.apply(language);
    this.title.textContent = settings.title || w.title;
    this.closer.setAttribute('aria-label', w.close);
    this.sender.setAttribute('aria-label', w.send);
    this.field.setAttribute('aria-label', w.placeholder);
    this.field.setAttribute('placeholder', w.placeholder);
    this.scroll.setAttribute('aria-label', w.messages);
    this.lister.setAttribute('aria-label', w.conversations);
    this.sounder.setAttribute('aria-label', settings.sound === false ? w.soundOn : w.soundOff);
    this.sounder.replaceChildren(icon(settings.sound === false ? 'mute' : 'sound'));
    this.host.hidden = !!settings.hidden;
    this.retheme();
    this.drawLauncher(0);
    if (this.last) this.draw(this.last);
  }

  private retheme = (): void => {
    const theme = this.settings.theme ?? {};
    const dark = theme.mode === 'dark' || (theme.mode !== 'light' && this.darkness.matches);
    this.host.classList.toggle('dark', dark);
    this.host.classList.toggle('left', theme.position === 'left');
    this.host.classList.toggle('rtl', this.language.rtl);
    const colors = accent(theme.color);
    this.theme.replaceSync(colors ? `:host{--accent:${colors[0]};--on-accent:${colors[1]}}` : '');
  };

  draw(m: Model): void {
    this.last = m;
    const w = this.language.words;
    this.drawLauncher(this.isOpen ? 0 : unread(m));
    const link = m.link === 'idle' ? 'online' : m.link;
    this.state.textContent = w[link];
    this.state.className = `state ${link}`;
    const says = {
      offline: w.offlineNotice, away: w.awayNotice, limited: w.limitedNotice, refused: w.refusedNotice,
      idle: '', connecting: '', online: m.status === 'closed' ? w.closedNotice : '',
    }[m.link];
    this.warn(says);
    const near = this.nearEnd();
    this.list.draw(m, this.language, this.settings.greeting || w.greeting);
    const types = w.typing.replace('{name}', w.agent);
    if (this.typing.draw(m.typing, types) && this.isOpen) this.announce(types);
    this.count();
    this.drawParts(m);
    if (near) this.toEnd();
  }

  private ticking = 0;

  /** count shows for how long the server wants nothing. It is not read out: the notice is. */
  private count(): void {
    clearTimeout(this.ticking);
    const left = (this.last?.limited ?? 0) - Date.now();
    if (this.last?.link !== 'limited' || left <= 0) return;
    this.state.textContent = this.language.words.wait.replace('{n}', String(Math.ceil(left / 1000)));
    this.ticking = window.setTimeout(() => this.count(), left % 1000 || 1000);
  }

  /** drawParts draws what stands beside the messages: opening hours, what is asked before a chat, and how it went. */
  private drawParts(m: Model): void {
    const closed = this.hours.draw(this.channel, this.language);
    if (closed && (m.link === 'online' || m.link === 'idle')) {
      this.state.textContent = this.language.words.closedNow;
      this.state.className = 'state closed';
    }
    const asking = asks(m, this.channel, this.settings);
    const inside = this.composer.contains(this.root.activeElement);
    const came = this.asked.draw(asking, this.channel, this.settings, this.language);
    // Who has said nothing yet has nothing to list.
    this.lister.hidden = m.status === 'none' && !m.conversation;
    if (this.lister.hidden && m.loaded) this.others.shown = false;
    this.others.draw(m, this.language);
    this.lister.setAttribute('aria-expanded', String(this.others.shown));
    this.scroll.hidden = this.others.shown;
    this.composer.hidden = asking || this.others.shown;
    if (came && this.isOpen && inside) this.asked.focus();
    this.survey.draw(m, this.language);
  }

  private showList(): void {
    this.others.shown = true;
    this.on.list();
    if (this.last) this.draw(this.last);
    this.others.focus();
  }

  private leaveList(then: () => void = () => undefined): void {
    this.others.shown = false;
    then();
    if (this.last) this.draw(this.last);
    this.toEnd();
    this.field.focus();
  }

  private fill(f: Filled): void {
    this.asked.element.hidden = true;
    this.composer.hidden = false;
    this.field.focus();
    this.on.filled(f);
  }

  /** note shows that the browser keeps nothing, unless there is something worse to say. */
  durable = true;
  private warn(text: string): void {
    const says = text || (this.durable ? '' : this.language.words.memoryNotice);
    if (this.notice.textContent !== says) this.notice.textContent = says;
    this.notice.hidden = !says;
  }

  private drawLauncher(n: number): void {
    const w = this.language.words;
    this.badge.hidden = n === 0;
    this.badge.textContent = n > 99 ? '99+' : String(n);
    const label = this.isOpen ? w.close : w.open + (n ? `, ${w.unread.replace('{n}', String(n))}` : '');
    if (this.launcher.getAttribute('aria-label') === label && this.launcher.childNodes.length) return;
    this.launcher.setAttribute('aria-label', label);
    this.launcher.setAttribute('aria-expanded', String(this.isOpen));
    this.launcher.replaceChildren(icon(this.isOpen ? 'close' : 'chat'), this.badge);
  }

  /** announce is read out by screen readers. */
  announce(text: string): void {
    this.live.textContent = text;
  }

  open(): void {
    if (this.isOpen) return;
    this.isOpen = true;
    this.before = this.root.activeElement ?? document.activeElement;
    this.panel.hidden = false;
    this.host.classList.add('open');
    if (this.last) this.draw(this.last);
    this.toEnd();
    if (this.others.shown) this.others.focus();
    else if (this.composer.hidden) this.asked.focus();
    else this.field.focus();
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    const inside = this.root.activeElement;
    this.panel.hidden = true;
    this.host.classList.remove('open');
    if (this.last) this.draw(this.last);
    if (!inside) return; // focus is somewhere on the page, and stays there
    const back = this.before instanceof HTMLElement && this.before !== document.body && this.before.isConnected ? this.before : this.launcher;
    back.focus();
  }

  destroy(): void {
    clearTimeout(this.ticking);
    this.survey.stop();
    this.darkness.removeEventListener('change', this.retheme);
    this.host.remove();
  }

  private submit(): void {
    const text = this.field.value.trim();
    if (!text && !this.tray.files.length) return;
    if ([...text].length > longest) return this.warn(this.language.words.long);
    const files = this.tray.take();
    this.field.value = '';
    this.typist.over();
    this.grow();
    this.field.focus();
    this.on.send(text, files);
    this.toEnd();
  }

  private grow(): void {
    this.sender.disabled = !this.field.value.trim() && !this.tray.files.length;
    this.field.style.height = 'auto';
    this.field.style.height = `${Math.min(140, Math.max(42, this.field.scrollHeight))}px`;
  }

  /** keys closes with Escape, and keeps Tab within the dialog. */
  private keys(e: KeyboardEvent): void {
    if (e.key === 'Escape' && !e.isComposing) {
      e.preventDefault();
      return this.on.close();
    }
    if (e.key !== 'Tab') return;
    const stops = [...this.panel.querySelectorAll<HTMLElement>('button:not([disabled]), textarea, input, select, a[href], [tabindex="0"]')]
      .filter((x) => x.getClientRects().length > 0);
    const edge = e.shiftKey ? stops[0] : stops[stops.length - 1];
    if (this.root.activeElement !== edge) return;
    e.preventDefault();
    (e.shiftKey ? stops[stops.length - 1] : stops[0]).focus();
  }

  private nearEnd(): boolean {
    return this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < 80;
  }

  private toEnd(): void {
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }
}
