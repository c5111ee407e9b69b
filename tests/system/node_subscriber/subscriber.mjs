// Hears eegscribe from Node: prints each final once and in order, as one JSON line.
//
//     node subscriber.mjs tcp://127.0.0.1:5557 ipc:///run/eegscribe/control
//
// A final that was lost on the wire, or said before we came, is fetched from the journal through the
// control socket. What comes twice is dropped by (stream, session, seq).

import { Dealer, Subscriber } from "zeromq";

const [publish, control] = process.argv.slice(2);
const nextSeq = new Map(); // "stream session" to the seq we wait for
const current = new Map(); // stream to the session that spoke last

async function stored(stream, session, from) {
  const dealer = new Dealer({ linger: 0, receiveTimeout: 2000, sendTimeout: 2000 });
  dealer.connect(control);
  const finals = [];
  try {
    for (let more = true; more; ) {
      await dealer.send(JSON.stringify({ v: 1, do: "finals", stream, session, from }));
      const frames = await dealer.receive();
      const answer = JSON.parse(frames.at(-1).toString());
      if (!answer.ok) break;
      finals.push(...answer.messages);
      more = answer.more;
      from = answer.next;
    }
  } catch {
    // No answer now: the next final asks again.
  } finally {
    dealer.close();
  }
  return finals;
}

function say(final) {
  const name = `${final.stream} ${final.session}`;
  if (final.seq < (nextSeq.get(name) ?? 0)) return; // said before
  nextSeq.set(name, final.seq + 1);
  const { stream, session, seq, text, transcript } = final;
  process.stdout.write(JSON.stringify({ stream, session, seq, text, transcript }) + "\n");
}

async function catchUp(stream, session) {
  const from = nextSeq.get(`${stream} ${session}`) ?? 0;
  for (const final of await stored(stream, session, from)) say(final);
}

const subscriber = new Subscriber();
subscriber.connect(publish);
subscriber.subscribe("text.final");

for await (const [, body] of subscriber) {
  const final = JSON.parse(body.toString());
  const { stream, session, seq } = final;
  const before = current.get(stream);
  if (before !== undefined && before !== session) await catchUp(stream, before);
  current.set(stream, session);
  if (seq > (nextSeq.get(`${stream} ${session}`) ?? 0)) await catchUp(stream, session);
  say(final);
}
