// Takes each CCPayment event once. One file per event is inbox and effect in one:
// it appears whole, under the event's key, or not at all. A worker of yours takes the files from
// there: it ships where "fulfill" is true and the order was not shipped yet, credits where "credit"
// is true and the record was not credited yet, and lets nothing else decide about goods or money.
import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { link, open, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

const { SHOP_TOKEN, INBOX = "inbox", PORT = "3000" } = process.env;
if (!SHOP_TOKEN) throw new Error("SHOP_TOKEN is empty");
const folder = await open(INBOX); // not made here: a new one in the wrong place would forget every event
const hash = (value) => createHash("sha256").update(value).digest(); // timingSafeEqual wants equal lengths
async function store(name, event) {
  const temp = `${INBOX}/.${randomUUID()}`;
  const written = writeFile(temp, event, { flag: "as", mode: 0o600 }); // "as": through to the disk
  const linked = written.then(() => link(temp, `${INBOX}/${name}.json`)).finally(() => rm(temp, { force: true }));
  await linked.catch((err) => err.code === "EEXIST" || Promise.reject(err)); // a repeat changes nothing
  await folder.sync(); // the name too; a repeat waits for it as well, since it may overtake the first
}
createServer((req, res) => {
  const { authorization = "", "idempotency-key": key, ...headers } = req.headers; // the token is not stored
  if (req.method !== "POST" || req.url !== "/hook") return res.writeHead(404).end();
  const trusted = timingSafeEqual(hash(authorization), hash(`Bearer ${SHOP_TOKEN}`));
  if (!trusted || !/^[0-9a-f-]{36}$/.test(key)) return res.writeHead(401).end();
  const [fulfill, credit] = ["fulfill", "credit"].map((flag) => headers[`ccpayment-${flag}`] === "true");
  const name = key + (fulfill ? ".fulfill" : credit ? ".credit" : ""); // a repeat may be the first to say so
  res.statusCode = 503; // stays so unless the event is on the disk
  const stored = text(req).then((body) => store(name, JSON.stringify({ key, fulfill, credit, headers, body })));
  stored.then(() => (res.statusCode = 200)).catch(console.error).finally(() => res.end());
}).listen(PORT, "127.0.0.1");
