// Requests to the desk, and what can become of them.

/** The server answered, and the answer is no. */
export class Refusal extends Error {
  constructor(readonly status: number, readonly code: string, readonly retryAfter = 0) {
    super(code);
  }
}

/** There was no answer, or none that says anything: try again. */
export class Away extends Error {
  constructor(readonly retryAfter = 0) {
    super('away');
  }
}

export interface Ask {
  method?: string;
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  cache?: RequestCache;
}

/** An answer must come within this time, in milliseconds; a stream has a watch of its own. */
const patience = 20_000;

export async function ask(url: string, a: Ask = {}): Promise<Response> {
  const headers: Record<string, string> = { ...a.headers };
  if (a.token) headers.Authorization = `Bearer ${a.token}`;
  if (a.body !== undefined) headers['Content-Type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(url, {
      method: a.method ?? (a.body === undefined ? 'GET' : 'POST'),
      headers,
      body: a.body === undefined ? undefined : JSON.stringify(a.body),
      signal: a.signal,
      credentials: 'omit',
      cache: a.cache ?? 'no-store',
      referrerPolicy: 'strict-origin-when-cross-origin',
    });
  } catch (e) {
    throw new Away();
  }
  if (response.ok) return response;
  const retryAfter = 1000 * (Number(response.headers.get('Retry-After')) || 0);
  if (response.status >= 500) throw new Away(retryAfter);
  let code = '';
  try {
    code = (await response.json()).code ?? '';
  } catch {
    // a proxy's page
  }
  if (!code && response.status !== 429) throw new Away(retryAfter); // not the desk's own answer
  throw new Refusal(response.status, code, retryAfter);
}

/** ask for a whole JSON answer, which must come in time. */
export async function call<T>(url: string, a: Ask = {}): Promise<T> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), patience);
  a.signal?.addEventListener('abort', () => abort.abort());
  try {
    const response = await ask(url, { ...a, signal: abort.signal });
    try {
      return (response.status === 204 ? undefined : await response.json()) as T;
    } catch {
      throw new Away(); // it broke off
    }
  } finally {
    clearTimeout(timer);
  }
}
