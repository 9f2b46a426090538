// What a tab knows of the conversation. The leading tab works it out; the others are told the whole of it.

import type { Glance } from './list';
import type { Rating, Survey } from './survey';

/** A file of a message that the desk has. width is there of images that the server has decoded, and of nothing else. */
export interface Attachment {
  id: string;
  name: string;
  type: string;
  size: number;
  width?: number;
  height?: number;
  url: string;
}

export interface Message {
  id: string;
  from: 'you' | 'agent' | 'desk';
  agent_id?: string;
  text: string;
  created_at: string;
  position: string;
  attachments?: Attachment[];
}

/** A message that the server has not taken yet. Its id is made here, so that sending it twice adds nothing. */
export interface Outgoing {
  seq?: number; // the order in which things were typed, in all tabs
  id: string;
  text: string;
  at: string;
  to?: string; // the conversation, if it was chosen
  files?: File[];
  failed?: string; // the code of a refusal: trying again by itself would not help
}

/** How it stands with the server. "away" is the server's fault, "offline" the network's. */
export type Link = 'idle' | 'connecting' | 'online' | 'offline' | 'away' | 'limited' | 'refused';

export interface Model {
  link: Link;
  status: 'none' | 'open' | 'closed';
  messages: Message[]; // in the order of the log
  sent: Outgoing[]; // taken, but the stream has not told of them yet
  waiting: Outgoing[]; // in the outbox
  position: string; // behind which the stream goes on
  older: string; // where earlier messages are; empty: there are none
  seen: string; // the position up to which the visitor has looked
  loaded: boolean;
  conversation: string; // that the visitor has chosen; empty: the present one
  list?: Glance[]; // all of them, when the visitor looked last
  unlisted?: boolean; // they could not be listed
  answered: boolean; // the visitor has filled in what is asked before a chat
  survey?: Survey; // the newest that was asked
  rating?: Rating; // the answer to it that the server has not taken yet
  limited: number; // until when the server wants nothing, in milliseconds; 0: it does not say
  progress: number; // how much of the files of the message is sent that is being sent, from 0 to 1
  typing: boolean; // somebody at the desk is
  read: string; // id of the message up to which the desk has read; empty: none
  told: string; // id of the message up to which the server knows that the visitor has read; empty: none
}

export const empty = (): Model => ({
  link: 'idle', status: 'none', messages: [], sent: [], waiting: [], position: '', older: '', seen: '', loaded: false,
  progress: 0, typing: false, read: '', told: '', conversation: '', answered: false, limited: 0,
});

/** gist is a message in a line: its text and the names of its files. */
export function gist(m: Message): string {
  return [m.text, ...(m.attachments ?? []).map((x) => x.name)].filter((x) => x).join(', ');
}

/** How many messages of the desk came behind the one that was seen last. */
export function unread(m: Model): number {
  const seen = m.messages.findIndex((x) => x.position === m.seen);
  return m.messages.slice(seen + 1).filter((x) => x.from !== 'you').length;
}
