// Records the messages that were acknowledged and received, and judges them.
//
// A message is `open` until it is acknowledged and every device that should have it has it. Losses
// that a fault announces (FLUSHALL, a failover without the tail) are declared here by that fault;
// only messages that they can have erased may be missing, and only from devices that were told.

const LIVE = 1; // came as an event
const READ = 2; // was read with `history`, after a loss was told

// The numbered messages of one sender that a device has: one byte each.
class Heard {
  last = 0;
  #bits = new Uint8Array(1024);

  has(n) {
    return this.#bits[n] ?? 0;
  }

  mark(n, bit) {
    if (n >= this.#bits.length) {
      const grown = new Uint8Array(2 * n);
      grown.set(this.#bits);
      this.#bits = grown;
    }
    this.#bits[n] |= bit;
  }
}

const RECENT_MOST = 5000;

// The messages that one device has heard, and the losses of which it was told.
export class Hearing {
  told = new Map(); // channel → times
  recent = new Map(); // id → where its first copy was
  freshest = 0; // when the newest message that it has was first sent
  #heard = new Map(); // channel and sender → Heard
  #top = new Map(); // channel → { epoch, seq } of the last frame

  of(channel, sender) {
    const key = `${channel} ${sender}`;
    if (!this.#heard.has(key)) this.#heard.set(key, new Heard());
    return this.#heard.get(key);
  }

  // True if the frame follows the one before it in its channel.
  follows({ channel, epoch, seq }) {
    const top = this.#top.get(channel);
    this.#top.set(channel, { epoch, seq });
    return !top || seq > top.seq;
  }

  // Told of a loss: the channel may go on with lower numbers.
  tell(channel, at) {
    if (!this.told.has(channel)) this.told.set(channel, []);
    this.told.get(channel).push(at);
    this.#top.delete(channel);
    for (const [key, heard] of this.#heard) {
      if (key.startsWith(`${channel} `)) heard.last = 0;
    }
  }

  wasTold(channel, since) {
    return (this.told.get(channel) ?? []).some((at) => at >= since);
  }

  remember(id, where) {
    this.recent.set(id, where);
    if (this.recent.size > RECENT_MOST) this.recent.delete(this.recent.keys().next().value);
  }
}

// The id tells the sender, the conversation and the number of a message.
export function parseId(id) {
  const [from, stream, n] = String(id).split('/');
  return { from, stream, n: Number(n) };
}

export class Ledger {
  open = new Map(); // id → message
  losses = []; // { at, kept(channel) → last seq that survived, held: Map device → positions }
  findings = [];
  counts = {
    sent: 0, // messages, each counted once
    acknowledged: 0,
    received: 0,
    resent: 0,
    refused: 0, // answers `unavailable`
    lost: 0,
    duplicated: 0,
    disordered: 0,
    unanswered: 0,
    announced: 0, // missing, and the receiver was told
    untellable: 0, // missing, and neither the receiver nor its node ever had anything of that tail
    told: 0,
  };
  onFinding = () => {};
  #alarms = []; // losses that were told, and not yet judged

  finding(kind, text, device) {
    if (kind in this.counts) this.counts[kind]++;
    const story = device ? `\n    ${device.story.join('\n    ')}` : '';
    const found = { kind, text: `${text}${story}`, at: Date.now() };
    this.findings.push(found);
    this.onFinding(found);
  }

  sent(message) {
    this.open.set(message.id, message);
    this.counts.sent++;
  }

  acknowledged(message, { seq, timestamp }) {
    message.ack = { seq, timestamp, at: Date.now() };
    this.counts.acknowledged++;
    this.#settle(message);
  }

  #settle(message) {
    if (message.ack && message.needs.size === 0) this.open.delete(message.id);
  }

  // An event frame of a channel with a log, at a device.
  received(device, frame) {
    const { hearing } = device;
    const { data, channel } = frame;
    const id = data.message ?? data.content;
    const { from, n } = parseId(id);
    const heard = hearing.of(channel, from);
    const where = `${id} as ${channel} ${frame.epoch} ${frame.seq} at ${device.name}`;
    this.counts.received++;
    if (!hearing.follows(frame)) this.finding('disordered', `seq of ${where}`, device);
    if (heard.has(n) & LIVE && !this.#erasedCopy(device, channel, id)) {
      const first = hearing.recent.get(id);
      const before = first ? `, before as ${first.epoch} ${first.frameSeq}` : '';
      this.finding('duplicated', `${where}${before}`, device);
    } else if (n <= heard.last) {
      this.finding('disordered', `${where}, after number ${heard.last}`, device);
    }
    heard.mark(n, LIVE);
    heard.last = n;
    const { epoch, seq: frameSeq } = frame;
    hearing.remember(id, { seq: data.seq, timestamp: data.timestamp, epoch, frameSeq });
    this.#has(device, id);
  }

  // A message that a device read in `history`, after it was told of a loss.
  read(device, channel, data) {
    const id = data.message ?? data.content;
    const { from, n } = parseId(id);
    device.hearing.of(channel, from).mark(n, READ);
    this.#has(device, id);
  }

  #has(device, id) {
    const message = this.open.get(id);
    if (!message) return;
    device.hearing.freshest = Math.max(device.hearing.freshest, message.at);
    message.needs.delete(device);
    this.#settle(message);
  }

  // A fault has erased the entries that Redis appended up to `at` (its own ms) and did not keep.
  erased(at, kept, devices) {
    const held = new Map(devices.map((device) => [device, new Map(device.positions)]));
    this.losses.push({ at, kept, held });
  }

  #loss(conversation, { seq, timestamp }) {
    return this.losses.find(({ at, kept }) => timestamp <= at && seq > kept(conversation));
  }

  // The copy that the device has was erased and it was told: so a sender may have sent it again.
  #erasedCopy(device, channel, id) {
    const first = device.hearing.recent.get(id);
    const loss = first && this.#loss(device.conversationOf(channel, id), first);
    return loss && device.hearing.wasTold(channel, loss.at);
  }

  // A device was told of a loss in a channel. position: what it had, with the time of it.
  told(device, channel, position, what) {
    const now = Date.now();
    this.counts.told++;
    device.hearing.tell(channel, now);
    this.#alarms.push({ device, since: position?.time ?? 0, what });
  }

  // A device may be told of a loss before the fault that caused it has declared it.
  #judgeAlarms() {
    for (const { device, since, what } of this.#alarms) {
      if (this.losses.some(({ at }) => since <= at + 5000)) continue;
      this.finding('false alarm', `${what} at ${device.name}: nothing was lost`, device);
    }
    this.#alarms = [];
  }

  // Judges the messages that are still open when nothing is sent any more and all had their time.
  judge() {
    this.#judgeAlarms();
    for (const message of this.open.values()) {
      if (!message.ack) {
        this.finding('unanswered', `${message.id} of ${message.device.name}`, message.device);
        continue;
      }
      const { seq, timestamp } = message.ack;
      const loss = this.#loss(message.conversation, message.ack);
      for (const device of message.needs) {
        const channel = device.channelOf(message);
        if (loss && device.hearing.wasTold(channel, loss.at)) {
          this.counts.announced++;
        } else if (loss && !this.#couldKnow(loss, device, channel)) {
          this.counts.untellable++;
        } else {
          const when = new Date(timestamp).toISOString();
          const what = `${message.id} (${message.conversation} ${seq}, ${when}) never reached`;
          this.finding('lost', `${what} ${device.name}${loss ? ', who was not told' : ''}`, device);
        }
      }
    }
    this.open.clear();
  }

  // A loss of which it was told before does not count, since its node then has nothing of this
  // log's end.
  #couldKnow(loss, device, channel) {
    const { seq = 0, kept = seq } = loss.held.get(device)?.get(channel) ?? {};
    return kept > loss.kept(channel);
  }

  // True if everything is acknowledged, and is received or known to be lost.
  isSettled() {
    for (const message of this.open.values()) {
      const loss = message.ack && this.#loss(message.conversation, message.ack);
      if (!loss) return false;
      for (const device of message.needs) {
        const channel = device.channelOf(message);
        const told = device.hearing.wasTold(channel, loss.at);
        if (!told && this.#couldKnow(loss, device, channel)) return false;
      }
    }
    return true;
  }
}
