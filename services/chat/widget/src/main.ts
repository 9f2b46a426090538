// The one global, window.tidemark. Calls that the page made before this file came are kept in a queue and made now.

import { Widget, type EventName } from './widget';
import type { Profile, Settings } from './settings';

type Listener = (detail: unknown) => void;
type Call = [name: string, ...args: any[]];

interface Global {
  (...call: Call): unknown;
  q?: ArrayLike<any>[];
  loaded?: boolean;
}

const page = window as unknown as { tidemark?: Global };
const script = document.currentScript as HTMLScriptElement | null;
const waiting = page.tidemark?.q ?? [];

const listeners = new Map<string, Set<Listener>>();
let widget: Widget | undefined;

function emit(name: EventName, detail: unknown): void {
  for (const listen of listeners.get(name) ?? []) {
    try {
      listen(detail);
    } catch (e) {
      console.error(e); // the page's own
    }
  }
}

function boot(settings: Partial<Settings> = {}): void {
  if (widget) return widget.set(settings);
  const server = new URL(settings.server ?? (script?.src || location.href), location.href).origin;
  if (!settings.siteKey) return console.error("tidemark: 'boot' needs a siteKey");
  const mine = (widget = new Widget({ ...settings, siteKey: settings.siteKey, server }, (name, detail) => {
    if (name === 'shutdown' && widget === mine) widget = undefined;
    emit(name, detail);
  }));
  void mine.start();
}

const commands: Record<string, (...args: any[]) => unknown> = {
  boot,
  identify: (p: Profile) => widget?.identify(p),
  open: () => widget?.open(),
  close: () => widget?.close(),
  hide: (hidden = true) => widget?.set({ hidden }),
  set: (s: Partial<Settings>) => widget?.set(s),
  shutdown: () => widget?.shutdown(),
  on(name: string, listen: Listener) {
    const all = listeners.get(name) ?? new Set();
    listeners.set(name, all.add(listen));
    return () => all.delete(listen);
  },
};

function run(call: Call): unknown {
  const [name, ...args] = call;
  if (!Object.hasOwn(commands, name)) return console.error(`tidemark: there is no '${name}'`);
  if (!widget && name !== 'boot' && name !== 'on') return console.error(`tidemark: '${name}' comes before 'boot'`);
  return commands[name](...args);
}

if (!page.tidemark?.loaded) {
  const global: Global = (...call) => run(call);
  global.loaded = true;
  page.tidemark = global;
  // The script's own attributes boot first: a policy that forbids inline scripts leaves them as the only way.
  const { siteKey, language, title, greeting, color, mode, position } = script?.dataset ?? {};
  if (siteKey) boot({ siteKey, language, title, greeting, theme: { color, mode, position } as Settings['theme'] });
  for (const call of waiting) run(Array.from(call) as Call);
}
