// Shows the user the state of the connection, and what happened while it was lost.

import { $, setText } from './dom.js';

const duration = (ms) => (ms < 1500 ? 'a second' : `${Math.round(ms / 1000)} s`);

/*
 * `acts` has back(text), called when it is online again, and refused(error), when it never will be.
 */
export class ConnectionState {
  #acts;
  #served = ''; // the node that served when we were online last
  #awaySince = 0;
  #wasOffline = false; // this device had no network meanwhile

  constructor(acts) {
    this.#acts = acts;
  }

  // As sluice.js tells it.
  changed({ state, node, recovered, hint, error }) {
    document.body.dataset.state = state;
    setText($('state'), this.#label(state, node));
    $('state').title = state === 'away' ? (hint ?? '') : '';
    setText($('banner'), state === 'away' ? this.#banner() : '');
    if (state === 'away') this.#away();
    if (state === 'online') this.#online(node, recovered);
    if (state === 'closed' && error) this.#acts.refused(error);
  }

  #label(state, node) {
    if (state === 'online') return `Connected to ${node}`;
    if (state === 'away') return navigator.onLine ? 'Reconnecting…' : 'Offline';
    return state === 'connecting' ? 'Connecting…' : 'Not connected';
  }

  #banner() {
    const gone = `The connection to ${this.#served || 'the server'} is gone.`;
    const why = navigator.onLine ? gone : 'You are offline.';
    return `${why} What you write is sent when it is back.`;
  }

  #away() {
    this.#awaySince ||= Date.now();
    this.#wasOffline ||= !navigator.onLine;
  }

  #online(node, recovered) {
    if (this.#awaySince && this.#served) this.#acts.back(this.#cameBack(node, recovered));
    this.#served = node;
    this.#awaySince = 0;
    this.#wasOffline = false;
  }

  #cameBack(node, recovered) {
    const lost = recovered ? 'nothing was lost' : 'something may have been lost';
    if (node !== this.#served && !this.#wasOffline)
      return `${this.#served} went away; connected to ${node}, ${lost}`;
    return `Back on ${node} after ${duration(Date.now() - this.#awaySince)}, ${lost}`;
  }
}
