// Records the messages that were acknowledged and received, and judges them.
//
// A message is `open` until it is acknowledged and every device that should have it has it. Losses
// that a fault announces (FLUSHALL, a failover without the tail) are declared here by that fault;
// only messages that they can have erased may be missing, and only from devices that were told.
// Nodes that wait for a replica acknowledge nothing that can be erased; then what others have heard
// before it was acknowledged may come twice, but nothing may be missing.

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
  #latest = new Map(); // conversation → the seq of the last message

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

  // The seq of the last message of a conversation, before this one.
  latest(conversation, seq) {
    const last = this.#latest.get(conversation) ?? 0;
    this.#latest.set(conversation, seq);
    return last;
  }

  // Told of a loss: the channel may go on with lower numbers.
  tell(channel, at) {
    if (!this.told.has(channel)) this.told.set(channel, []);
    this.told.get(channel).push(at);
    this.#top.delete(channel);
    if (channel.startsWith('user:')) this.#latest.clear();
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

const textOf = ({ id, conversation, ack: { seq, timestamp } }) =>
  `${id} (${conversation} ${seq}, ${new Date(timestamp).toISOString()})`;

// The id tells the sender, the conversation and the number of a message.
export function parseId(id) {
  const [from, stream, n] = String(id).split('/');
  return { from, stream, n: Number(n) };
}

/*
 * The owner sets devices, shardOf(channel), recordOf(channel), which resolves to the ids in the
 * channel's log: { has(id), from (the first seq that it still has) }, and onFinding.
 */
export class Ledger {
  devices = [];
  shardOf = () => 0;
  recordOf = async () => ({ has: () => true, from: 0 });
  open = new Map(); // id → message
  losses = []; // see erased()
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
    erased: 0, // acknowledged, and no longer in its log, as a loss explains
    untold: 0, // of those: had by a device that was not told
    told: 0,
    unread: 0, // counts that were looked at
  };
  onFinding = () => {};
  #alarms = []; // losses that were told, and not yet judged
  #acknowledged = []; // messages that are not yet judged

  finding(kind, text, device) {
    if (kind in this.counts) this.counts[kind]++;
    const story = device ? `\n    ${device.story.join('\n    ')}` : '';
    const found = { kind, text: `${text}${story}`, at: Date.now() };
    this.findings.push(found);
    this.onFinding(found);
  }

  sent(message) {
    this.open.set(message.id, message);
    message.all = [...message.needs];
    this.counts.sent++;
  }

  acknowledged(message, { seq, timestamp }) {
    message.ack = { seq, timestamp, at: Date.now() };
    this.counts.acknowledged++;
    this.#acknowledged.push(message);
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
    this.#judgeConversation(device, frame, id, where);
    heard.mark(n, LIVE);
    heard.last = Math.max(n, heard.last);
    const { epoch, seq: frameSeq } = frame;
    const { seq, timestamp } = data;
    hearing.remember(id, { seq, timestamp, at: frame.time / 1000, epoch, frameSeq });
    this.#has(device, id);
  }

  // What two users say to each other comes in the order of their log, unless that lost its end.
  #judgeConversation(device, { channel, data: { seq } }, id, where) {
    const conversation = device.conversationOf(channel, id);
    if (conversation === channel) return;
    const last = device.hearing.latest(conversation, seq);
    if (seq > last || this.losses.some(({ has }) => has(conversation))) return;
    this.finding('disordered', `${where}, number ${seq} of ${conversation} after ${last}`, device);
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

  /*
   * A fault has erased entries of the channels of these shards (default: all) that Redis appended
   * from `from` to `at` (its own ms), but for those up to kept(channel), a seq. Devices may be told
   * of it from `since` on, which is `at` if it is not given. `unacked`: it can have erased none
   * that was acknowledged. Returns the loss, of which at and kept may still be set; held is what
   * each device has got of each channel.
   */
  erased({ at = Infinity, since = at, from = 0, shards, kept = () => 0, unacked = false }) {
    const has = (channel) => !shards || shards.has(this.shardOf(channel));
    const loss = { at, since, from, has, kept, unacked };
    this.losses.push(loss);
    this.hold(loss);
    return loss;
  }

  // The loss is of what was appended until now; what devices get later is of the new master.
  hold(loss) {
    loss.held = new Map(this.devices.map((device) => [device, new Map(device.positions)]));
  }

  // seq: of the conversation, which has it since `timestamp`. A message to a user is in an inbox,
  // too, since `at` or earlier. That may be elsewhere: it can be erased there alone.
  #erases(loss, conversation, channel, { seq, timestamp, at }) {
    if (timestamp > loss.at) return false;
    const late = seq > loss.kept(conversation);
    if (loss.has(conversation) && timestamp >= loss.from && late) return true;
    return loss.from > 0 && channel !== conversation && loss.has(channel) && at >= loss.from;
  }

  // The copy that the device has was erased and it was told: so a sender may have sent it again.
  #erasedCopy(device, channel, id) {
    const first = device.hearing.recent.get(id);
    if (!first) return false;
    const conversation = device.conversationOf(channel, id);
    const excuses = (loss) =>
      this.#erases(loss, conversation, channel, first) &&
      device.hearing.wasTold(channel, loss.since);
    return this.losses.some(excuses);
  }

  // A device was told of a loss in a channel. position: what it had, with the time of it.
  told(device, channel, position, what) {
    const now = Date.now();
    this.counts.told++;
    device.hearing.tell(channel, now);
    this.#alarms.push({ device, channel, since: position?.time ?? 0, what });
  }

  // A device may be told of a loss before the fault that caused it has declared it.
  #judgeAlarms() {
    for (const { device, channel, since, what } of this.#alarms) {
      if (this.losses.some(({ at, has }) => has(channel) && since <= at + 5000)) continue;
      this.finding('false alarm', `${what} at ${device.name}: nothing was lost`, device);
    }
    this.#alarms = [];
  }

  // Judges the messages that are still open when nothing is sent any more and all had their time.
  async judge() {
    this.#judgeAlarms();
    const records = new Map();
    const record = (channel) => {
      if (!records.has(channel)) records.set(channel, this.recordOf(channel));
      return records.get(channel);
    };
    const isKept = async (channel, id) => (await record(channel)).has(id);
    isKept.record = record;
    const acknowledged = this.#acknowledged;
    this.#acknowledged = [];
    for (const message of acknowledged) await this.#judgeRecord(message, isKept);
    for (const message of this.open.values()) {
      if (!message.ack) {
        this.finding('unanswered', `${message.id} of ${message.device.name}`, message.device);
        continue;
      }
      for (const device of message.needs) await this.#judge(message, device, isKept);
    }
    this.open.clear();
  }

  // A log has each message once, and those of a sender in the order of their numbers. ids: of the
  // messages in it, the oldest first.
  judgeLog(channel, ids) {
    const last = new Map(); // sender and stream → number
    for (const id of ids) {
      const { from, stream, n } = parseId(id);
      const key = `${from}/${stream}`;
      const before = last.get(key) ?? 0;
      last.set(key, n);
      if (n === before) this.finding('duplicated', `${id} stands twice in ${channel}`);
      else if (n < before) this.finding('disordered', `${id} stands after ${before} in ${channel}`);
    }
  }

  // A message that was acknowledged is in its log, or a loss explains why not. Then who has it, and
  // can have it no longer from there, was told.
  async #judgeRecord(message, isKept) {
    const { id, conversation, all, device: sender } = message;
    const { from: first } = await isKept.record(conversation);
    if (message.ack.seq < first) return; // the log was trimmed
    if (!(await isKept(conversation, id))) {
      if (this.#excuse(message, conversation)) this.counts.erased++;
      else this.finding('lost', `${textOf(message)} is not in its log`, sender);
    }
    for (const device of all) {
      const channel = device.channelOf(message);
      if (await isKept(channel, id)) continue;
      const loss = this.losses.find((one) => this.#erases(one, conversation, channel, message.ack));
      const { from, n } = parseId(id);
      const had = device.hearing.of(channel, from).has(n) & LIVE;
      if (!had || !loss || device.hearing.wasTold(channel, loss.since)) continue;
      this.finding('untold', `${textOf(message)} was erased, ${device.name} was not told`, device);
    }
  }

  async #judge(message, device, isKept) {
    const { id } = message;
    const channel = device.channelOf(message);
    const loss = this.#excuse(message, channel);
    const lost = (why) => {
      this.finding('lost', `${textOf(message)} never reached ${device.name}${why}`, device);
    };
    const isThere = (await isKept(channel, id)) && (await isKept(message.conversation, id));
    if (!loss) lost('');
    else if (isThere) lost(', though it can be read');
    else if (device.hearing.wasTold(channel, loss.since)) this.counts.announced++;
    else if (this.#couldKnow(loss, device, channel)) lost(', who was not told');
    else this.counts.untellable++;
  }

  // The loss that explains why the channel lacks a message that was acknowledged.
  #excuse({ conversation, ack }, channel) {
    const erases = (loss) => !loss.unacked && this.#erases(loss, conversation, channel, ack);
    return this.losses.find(erases);
  }

  // A loss of which it was told before does not count, since its node then has nothing of this
  // log's end.
  #couldKnow(loss, device, channel) {
    if (!loss.has(channel)) return false;
    const { seq = 0, kept = seq } = loss.held.get(device)?.get(channel) ?? {};
    return kept > loss.kept(channel);
  }

  // True if everything is acknowledged, and is received or known to be lost.
  isSettled() {
    for (const message of this.open.values()) {
      if (!message.ack) return false;
      for (const device of message.needs) {
        const channel = device.channelOf(message);
        const loss = this.#excuse(message, channel);
        if (!loss) return false;
        const told = device.hearing.wasTold(channel, loss.since);
        if (!told && this.#couldKnow(loss, device, channel)) return false;
      }
    }
    return true;
  }
}
