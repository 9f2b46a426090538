// What a page may call. Copy this file into a TypeScript project; docs/widget.md says more.

export interface TidemarkTheme {
  /** Of the header, the button and the visitor's own messages: #rgb or #rrggbb. Text on it is black or white, whichever can be read. */
  color?: string;
  /** auto: as the visitor's system is. */
  mode?: 'auto' | 'light' | 'dark';
  /** The corner. */
  position?: 'right' | 'left';
}

export interface TidemarkProfile {
  name?: string;
  email?: string;
  /** Your id of the visitor. */
  externalId?: string;
  /** HMAC-SHA256 of externalId under the channel's identity secret, in hex, made by your server. */
  userHash?: string;
}

export interface TidemarkSettings extends TidemarkProfile {
  siteKey: string;
  /** Origin of the desk; default: where the script comes from. */
  server?: string;
  /** Default: the page's lang, then the browser's languages, of those that the channel offers; then the channel's own default, then English. */
  language?: string;
  /** Default: the channel's name. */
  title?: string;
  /** Default: the channel's. */
  greeting?: string;
  /** Default: the channel's. */
  theme?: TidemarkTheme;
  sound?: boolean;
  /** Show nothing at first: tidemark('hide', false) shows the button. */
  hidden?: boolean;
}

export interface TidemarkEvents {
  /** The button is there. */
  ready: {};
  open: {};
  close: {};
  /** A message, with the names of its files, came, or the visitor's own was taken, since the page was opened. */
  message: { id: string; from: 'you' | 'agent' | 'desk'; text: string; files: string[]; at: string };
  /** The visitor wrote something, which is kept in the browser by now. */
  sent: { id: string; text: string; files: string[] };
  unread: { count: number };
  state: { state: 'idle' | 'connecting' | 'online' | 'offline' | 'away' | 'limited' | 'refused' };
  /** The server refused: a code of docs/errors.md. */
  error: { code: string };
  /** Everything is gone from page and browser. */
  shutdown: {};
}

export interface Tidemark {
  (command: 'boot', settings: TidemarkSettings): void;
  /** Says who the visitor is, after boot: when they log in. */
  (command: 'identify', profile: TidemarkProfile): void;
  (command: 'open' | 'close'): void;
  /** Hides the widget, or with false shows it again. */
  (command: 'hide', hidden?: boolean): void;
  /** Changes settings; those that are left out stay. */
  (command: 'set', settings: Partial<TidemarkSettings>): void;
  /** Listens; what it returns ends that. Before the script is there it returns nothing. */
  <E extends keyof TidemarkEvents>(command: 'on', event: E, listener: (detail: TidemarkEvents[E]) => void): (() => void) | undefined;
  /** Takes the widget off the page and forgets the visitor in all tabs: when they log out. */
  (command: 'shutdown'): void;
}

declare global {
  interface Window {
    tidemark: Tidemark;
  }
}
