// What outlives a page: the session, how far the visitor has read, and the outbox. In IndexedDB, which is on disk
// when a write returns; in memory where the browser keeps nothing.

import type { Outgoing } from './model';

/** How long a browser may take to open its database, in milliseconds. Some never answer. */
const patience = 5000;

const done = <T>(r: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    r.onsuccess = () => resolve(r.result);
    r.onerror = () => reject(r.error);
  });

function open(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('no answer')), patience);
    const r = indexedDB.open(name, 1);
    r.onupgradeneeded = () => {
      r.result.createObjectStore('kept');
      r.result.createObjectStore('outbox', { keyPath: 'seq', autoIncrement: true });
    };
    r.onsuccess = () => {
      r.result.onversionchange = () => r.result.close();
      resolve(r.result);
    };
    r.onerror = r.onblocked = () => reject(r.error);
  });
}

export class Store {
  private kept = new Map<string, unknown>();
  private items: Outgoing[] = [];
  private count = 0;

  private constructor(private db: IDBDatabase | undefined) {}

  static async open(name: string): Promise<Store> {
    try {
      return new Store(await open(name));
    } catch {
      return new Store(undefined);
    }
  }

  /** Whether what waits is still there after a reload. */
  get durable(): boolean {
    return !!this.db && this.items.length === 0;
  }

  async get<T>(key: string): Promise<T | undefined> {
    if (!this.db) return this.kept.get(key) as T | undefined;
    return done(this.table('kept', 'readonly').get(key)).catch(() => this.kept.get(key)) as Promise<T | undefined>;
  }

  async put(key: string, value: unknown): Promise<void> {
    this.kept.set(key, value);
    if (this.db) await this.write('kept', (t) => t.put(value, key)).catch(() => undefined);
  }

  /** add keeps a message; when it returns, the message is on disk or durable is false. */
  async add(item: Outgoing): Promise<void> {
    try {
      if (this.db) return await this.write('outbox', (t) => t.add(item));
    } catch {
      // the disk is full, or the database is gone
    }
    this.items.push({ ...item, seq: 1e12 + this.count++ });
  }

  /** outbox is what waits, in the order in which it was typed. */
  async outbox(): Promise<Outgoing[]> {
    if (!this.db) return this.items.slice();
    const all = await done(this.table('outbox', 'readonly').getAll()).catch(() => []);
    return (all as Outgoing[]).concat(this.items);
  }

  async update(item: Outgoing): Promise<void> {
    const i = this.items.findIndex((x) => x.id === item.id);
    if (i >= 0) this.items[i] = item;
    else if (this.db) await this.write('outbox', (t) => t.put(item)).catch(() => undefined);
  }

  async remove(id: string): Promise<void> {
    for (const x of await this.outbox()) {
      if (x.id === id && this.db) await this.write('outbox', (t) => t.delete(x.seq as number)).catch(() => undefined);
    }
    this.items = this.items.filter((x) => x.id !== id);
  }

  async clear(): Promise<void> {
    this.kept.clear();
    this.items = [];
    if (!this.db) return;
    await this.write('kept', (t) => t.clear()).catch(() => undefined);
    await this.write('outbox', (t) => t.clear()).catch(() => undefined);
  }

  close(): void {
    this.db?.close();
  }

  private table(name: string, mode: IDBTransactionMode): IDBObjectStore {
    // strict: a browser's default may answer before the disk has it.
    return (this.db as IDBDatabase).transaction(name, mode, { durability: 'strict' }).objectStore(name);
  }

  private write(name: string, change: (t: IDBObjectStore) => IDBRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      const table = this.table(name, 'readwrite');
      table.transaction.oncomplete = () => resolve();
      table.transaction.onabort = table.transaction.onerror = () => reject(table.transaction.error);
      change(table);
    });
  }
}
