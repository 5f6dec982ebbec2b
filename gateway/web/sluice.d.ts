// Types of sluice.js, the client library of Sluice. What the events mean is in gateway/docs/events.md.

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Id = string | number;

/** The last message of a channel that this client has. */
export interface Position { epoch: string; seq: number }
/** By channel: "user:42", "room:lobby", "topic:prices". */
export type Positions = Record<string, Position>;

export interface User {
  /** With identity on it may be left out: the token says it. */
  userId?: Id;
  csId?: Id;
  username?: string;
  role?: string;
  /**
   * With identity on. A string: when it ends, or the server refuses it, the state is `closed`. Or a
   * function, which is called before each login and when the token ends soon (the event
   * `token_expiring`); if it fails, or the server refuses what it gives, it is called again, after
   * the pauses of `reconnect`.
   */
  token?: string | (() => string | Promise<string>);
}

export interface Options {
  /** ms between heartbeats; 0 sends none. Default 2000. */
  heartbeat?: number;
  /** ms that the server may owe an answer before the connection counts as dead. Default 5000. */
  silence?: number;
  /**
   * ms before the first attempt to come back; doubled up to `most`, with full jitter.
   * Default { least: 250, most: 5000 }.
   */
  reconnect?: { least?: number; most?: number };
  /**
   * Bytes of JSON above which a string `content`, `message` or `data` is sent in pieces, and above
   * which positions go in one more login. Must be less than the node's `max-message`. Default
   * 262144.
   */
  chunk?: number;
  /**
   * The most events that are kept until they are answered; more are rejected with `too_many`. Other
   * events, such as typing, are rejected while so many answers are awaited. Default 1000.
   */
  outbox?: number;
  /** The most messages under way at once. They stay in order even if one fails. Default 16. */
  window?: number;
  /** ms without Redis after which another node is tried; doubled for each further. Default 2000. */
  patience?: number;
  /**
   * The `positions` of an earlier Sluice of the same user, e.g. from sessionStorage. There may be
   * any number; the state is `online` when all of them are resumed.
   */
  resume?: Positions;
  /**
   * The constructor of sockets; default globalThis.WebSocket.
   * Node 18 and 20: `import { WebSocket } from 'ws'`.
   */
  WebSocket?: unknown;
}

/**
 *   connecting  the first login is under way
 *   online      logged in; everything may be sent
 *   away        the connection is lost; comes back by itself
 *   closed      for good: close() was called, or the server does not let this user in (`error`)
 */
export type State = 'connecting' | 'online' | 'away' | 'closed';

export interface StateChange {
  state: State;
  previous: State;
  /** online: the node that serves; another one if the last one died or the proxy chose again. */
  node?: string;
  connectionId?: string;
  /** online: no channel has lost messages since it was online last (true also the first time). */
  recovered?: boolean;
  /** away: the close code (1006: no close frame), the reason, and their meaning in a sentence. */
  code?: number;
  reason?: string;
  hint?: string;
  /**
   * away: failed attempts in a row (0: the connection was just lost), and ms until the next one;
   * `delay` is missing while the device is offline. Each failed attempt is a change from away to
   * away.
   */
  attempt?: number;
  delay?: number;
  /**
   * closed by a refusal: of the login (its code; `unauthorized`: a token is wanted, or this one is
   * no good), or later (`revoked`: the tokens of the user are revoked).
   */
  error?: SluiceError;
}

/** Messages of `channel` may be missing: read its history, or reload its contents. */
export interface Lost { channel: string; from?: number; to?: number }

/** The other members of a frame, next to its data. */
export interface Meta {
  channel?: string;
  epoch?: string;
  seq?: number;
  /** Redis time, microseconds. */
  time?: number;
  /** The connection that sent it, on private messages. Never one of this Sluice's own. */
  origin?: string;
}

/**
 * `code` is one of the protocol's, or `gone` (no connection), `closed`, `revoked`, `too_many`,
 * `too_large`.
 */
export declare class SluiceError extends Error {
  constructor(error: { code: string; message?: string; field?: string; outcome?: string });
  code: string;
  field?: string;
  outcome?: 'refused' | 'unknown';
}

export interface SendOptions {
  /** Called while a large message is sent: pieces acknowledged, and all pieces. */
  progress?: (done: number, total: number) => void;
}

export declare class Sluice {
  /**
   * Connects at once. url: "/ws" of a node or proxy, `ws://host/ws`; an http(s) URL or a path
   * relative to the page is taken too. undefined: the `ws` beside this module, so also under a
   * proxy's sub-path.
   */
  constructor(url: string | URL | undefined, user: User, options?: Options);

  readonly state: State;
  /** The node that serves, or served last. */
  readonly node: string;
  readonly connectionId: string;
  /** "" until the first login, if the token says it. */
  readonly userId: string;
  /** The last message of each channel that this client has; for `resume` of the next Sluice. */
  readonly positions: Positions;
  /** Messages that are not acknowledged yet. */
  readonly pending: number;

  /**
   * Sends an event; resolves to the ack's data, rejects with a SluiceError.
   *  - private_message, sendMessage, publish: kept until acknowledged, over any number of
   *  connections, in
   *    order, each with a clientMessageId, so that each takes effect once. They reject only if the
   *    server refuses them for good, if the outbox is full, by close(), or, with `outcome`
   *    "unknown", if one was sent and not answered for five minutes: a repeat might double it.
   *  - join, leave, subscribe, unsubscribe: remembered as well, so that a new connection is in the
   *  same
   *    rooms and topics; repeated until answered.
   *  - history, all_member, read: repeated until answered.
   *  - typing and all others: sent if online, else rejected with `gone`. May be sent and forgotten:
   *  their
   *    promises need no handler.
   * All that is kept leaves in the order of the calls. Where an event leaves its room out, it is
   * the room joined last (at first that of csId, else lobby). The data is taken as it is at the
   * call.
   */
  emit(event: string, data?: Json, options?: SendOptions): Promise<any>;

  /**
   * Listens; returns a function that ends it. Events of the server: `listener(data, meta)`. Of the
   * library: "state" (StateChange), "lost" (Lost), "error" (SluiceError: events that failed and
   * that no promise told of). A logged message comes once, in order, whatever the connection does.
   */
  on(event: 'state', listener: (change: StateChange) => void): () => void;
  on(event: 'lost', listener: (lost: Lost) => void): () => void;
  on(event: 'error', listener: (error: SluiceError) => void): () => void;
  on(event: string, listener: (data: any, meta: Meta) => void): () => void;
  off(event: string, listener?: Function): void;
  once(event: string, listener: (data: any, meta: Meta) => void): () => void;

  /** Resolves when online; rejects when closed. */
  ready(): Promise<void>;

  /** Ends it. Waits up to `wait` ms (5000) for pending events; others reject with `closed`. */
  close(wait?: number): Promise<void>;
}
