// Numbered messages of one device, to the room and to a peer in turn, some in flight at a time.
// Messages that fail or are not answered are sent again, all in order, once everything in flight is
// answered.

const RETRY_MS = 30;
const BURSTS = 0.25; // of the turns: as many as may be in flight

export class Talker {
  silent = false;
  ackedAt = 0;
  #device;
  #ledger;
  #random;
  #streams; // [{ event, conversation, to, needs(), data(id) }]
  #window;
  #turn = 0;
  #unacked = []; // in order
  #inFlight = 0;
  #sent = 0; // of unacked: sent in this session, and not failed
  #retryAt = 0;
  #failed = false; // nothing is sent before all in flight is answered
  #session = 0;
  #timer;

  constructor(device, { ledger, random }, { streams, window, pace }) {
    this.#device = device;
    this.#ledger = ledger;
    this.#random = random;
    this.#streams = streams.map((stream) => ({ ...stream, n: 0 }));
    this.#window = window;
    device.onOut = () => this.#startOver();
    this.#timer = setInterval(() => this.#pump(), pace);
  }

  end() {
    clearInterval(this.#timer);
  }

  #startOver() {
    this.#session++;
    this.#inFlight = 0;
    this.#sent = 0;
    this.#failed = false;
  }

  #pump() {
    if (!this.#device.isIn || Date.now() < this.#retryAt) return;
    if (this.#failed) {
      if (this.#inFlight) return;
      this.#failed = false;
      this.#sent = 0;
    }
    while (this.#sent < this.#unacked.length && this.#inFlight < this.#window) {
      this.#send(this.#unacked[this.#sent++]);
    }
    let more = this.#random.chance(BURSTS) ? this.#window : 1;
    while (!this.silent && more-- > 0 && this.#unacked.length < this.#window) {
      this.#unacked.push(this.#make());
      this.#send(this.#unacked[this.#sent++]);
    }
  }

  #make() {
    const stream = this.#streams[this.#turn++ % this.#streams.length];
    const id = `${this.#device.user}/${stream.to ? `p-${stream.to}` : 'r'}/${++stream.n}`;
    const { conversation, to, event, data } = stream;
    const needs = new Set(stream.needs());
    const message = { id, conversation, to, event, data, needs, device: this.#device };
    message.at = Date.now();
    this.#ledger.sent(message);
    return message;
  }

  #send(message) {
    const session = this.#session;
    if (message.tries) this.#ledger.counts.resent++;
    message.tries = (message.tries ?? 0) + 1;
    this.#inFlight++;
    const data = { ...message.data(message.id), clientMessageId: message.id };
    this.#device.emit(message.event, data, (frame) => {
      if (session !== this.#session) return;
      this.#inFlight--;
      if (frame.error) this.#refused(message, frame.error);
      else this.#acked(message, frame.data);
    });
  }

  #refused(message, { code, outcome }) {
    this.#ledger.counts.refused++;
    this.#failed = true;
    this.#retryAt = Date.now() + RETRY_MS;
    if (code === 'unavailable') return;
    this.#ledger.finding('protocol', `${message.id}: ${code} ${outcome ?? ''}`, this.#device);
  }

  #acked(message, data) {
    this.#unacked.splice(this.#unacked.indexOf(message), 1);
    this.#sent--;
    if (data.resume) {
      for (const [channel, at] of Object.entries(data.resume)) this.#device.advance(channel, at);
    }
    this.#ledger.acknowledged(message, data);
    this.ackedAt = Date.now();
    this.freshest = Math.max(this.freshest ?? 0, message.at);
  }
}
