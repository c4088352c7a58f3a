// A receiver of CCPayment's webhooks as a careful developer writes it by hand: it verifies the
// signature, asks Redis whether the event was seen, and forwards it to the app. What it cannot
// promise is in ../README.md.
import { createHmac, timingSafeEqual } from "node:crypto";
import express from "express";
import { createClient } from "redis";

const { CCPAYMENT_APP_ID, CCPAYMENT_APP_SECRET, APP_URL, REDIS_URL, PORT = "3001" } = process.env;
for (const [name, value] of Object.entries({ CCPAYMENT_APP_ID, CCPAYMENT_APP_SECRET, APP_URL, REDIS_URL })) {
  if (!value) throw new Error(`${name} is empty`);
}

const tolerance = 5 * 60; // seconds
const lease = 60; // seconds after which an attempt that a crash cut off may be made again
const remember = 30 * 24 * 3600; // seconds; CCPayment repeats for half an hour, people press Resend for weeks
const appTimeout = 30_000; // milliseconds

const redis = createClient({ url: REDIS_URL });
redis.on("error", (err) => console.error("redis:", err.message));
await redis.connect();

function genuine(req) {
  const { appid, timestamp = "", sign = "" } = req.headers;
  if (appid !== CCPAYMENT_APP_ID || !/^\d{10}$/.test(timestamp) || !Buffer.isBuffer(req.body)) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > tolerance) return false;
  const want = createHmac("sha256", CCPAYMENT_APP_SECRET).update(appid).update(timestamp).update(req.body).digest();
  const got = Buffer.from(sign, "hex");
  return got.length === want.length && timingSafeEqual(got, want);
}

async function forward(body) {
  const answer = await fetch(APP_URL, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
    signal: AbortSignal.timeout(appTimeout),
  });
  await answer.arrayBuffer(); // so that the connection can be used again
  if (!answer.ok) throw new Error(`the app answered ${answer.status}`);
}

const app = express();
app.disable("x-powered-by");
app.post("/hook", express.raw({ type: () => true, limit: "64kb" }), async (req, res) => {
  if (!genuine(req)) return res.status(401).type("text").send("the signature does not match");
  const { type, msg = {} } = JSON.parse(req.body);
  if (type === "ActivateWebhookURL") return res.json({ msg: "Success" });
  const key = `event:${type}:${msg.recordId}:${msg.status}:${msg.isFlaggedAsRisky}`;
  const claimed = await redis.set(key, "working", { NX: true, EX: lease });
  if (!claimed) {
    if ((await redis.get(key)) === "done") return res.type("text").send("Success");
    return res.status(503).set("Retry-After", "5").end(); // another copy is on its way to the app
  }
  try {
    await forward(req.body);
  } catch (err) {
    console.error(key, err.message);
    await redis.del(key);
    return res.status(502).end();
  }
  await redis.set(key, "done", { EX: remember });
  res.type("text").send("Success");
});
app.use((err, _req, res, _next) => {
  console.error(err.message);
  res.status(err.status ?? (err instanceof SyntaxError ? 400 : 503)).end();
});
app.listen(Number(PORT), "127.0.0.1");
