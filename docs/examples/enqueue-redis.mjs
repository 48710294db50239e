// Puts a message for Wallflower on its Redis queue, with nothing but Node.js (20 or later).
//
//   node enqueue-redis.mjs redis://queue.internal:6379/0 start_recording '{"call_cid": "default:standup", …}'
//
// Prints the message's id. The queue is "wallflower", or what a fourth argument says.
import { randomUUID } from "node:crypto";
import { connect } from "node:net";

const [url, type, text, queue = "wallflower"] = process.argv.slice(2);
if (!url || !type || !text) {
  console.error("usage: node enqueue-redis.mjs REDIS_URL MESSAGE_TYPE PAYLOAD_AS_JSON [QUEUE]");
  process.exit(2);
}

const envelope = {
  queue_name: queue,
  actor_name: type,
  args: [JSON.parse(text)],
  kwargs: {},
  // Redis keeps the message under an id of its own, which the envelope has to name.
  options: { redis_message_id: randomUUID() },
  message_id: randomUUID(),
  // Whole milliseconds: messages of a call count in the order of these times.
  message_timestamp: Date.now(),
};

const { hostname, port, username, password, pathname } = new URL(url);
const commands = [];
if (password) commands.push(["AUTH", ...(username ? [decodeURIComponent(username)] : []), decodeURIComponent(password)]);
commands.push(
  ["SELECT", pathname.slice(1) || "0"],
  ["MULTI"],
  ["HSET", `dramatiq:${queue}.msgs`, envelope.options.redis_message_id, JSON.stringify(envelope)],
  ["RPUSH", `dramatiq:${queue}`, envelope.options.redis_message_id],
  ["EXEC"],
);

// RESP, the protocol of Redis: an array of strings, each with its length in bytes.
const encode = (words) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;

const socket = connect(Number(port || 6379), hostname, () => socket.write(commands.map(encode).join("")));
let answer = "";
socket.setTimeout(10_000, () => fail("Redis does not answer"));
socket.on("error", (error) => fail(error.message));
socket.on("data", (data) => {
  answer += data;
  const lines = answer.split("\r\n");
  const refused = lines.find((line) => line.startsWith("-"));
  if (refused) fail(refused.slice(1));
  // The last command is answered by an array of two numbers: fields added, length of the list.
  const array = lines.indexOf("*2");
  if (array >= 0 && lines.length > array + 3) {
    console.log(envelope.message_id);
    socket.end();
  }
});

function fail(reason) {
  console.error(reason);
  process.exit(1);
}
