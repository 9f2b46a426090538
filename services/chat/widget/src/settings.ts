// What a page may ask for.

export interface Theme {
  color?: string;
  mode?: 'auto' | 'light' | 'dark';
  position?: 'right' | 'left';
}

export interface Profile {
  name?: string;
  email?: string;
  externalId?: string;
  userHash?: string;
}

export interface Settings extends Profile {
  siteKey: string;
  server: string;
  language?: string;
  title?: string;
  greeting?: string;
  theme?: Theme;
  sound?: boolean;
  hidden?: boolean;
}

/** profileOf is what the page says of the visitor, as the server takes it. */
export function profileOf(p: Profile): Record<string, string> {
  const out: Record<string, string> = {};
  if (p.name) out.name = p.name;
  if (p.email) out.email = p.email;
  if (p.externalId) out.external_id = p.externalId;
  if (p.userHash) out.user_hash = p.userHash;
  return out;
}
