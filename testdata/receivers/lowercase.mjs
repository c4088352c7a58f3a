// A receiver as many are written: it verifies as CCPayment's guide says, works in msg, and
// says success in lower case, in JSON.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

const { APP_ID, APP_SECRET, PORT } = process.env;
createServer(async (req, res) => {
  const body = await text(req);
  const want = createHmac("sha256", APP_SECRET).update(APP_ID + req.headers.timestamp + body).digest("hex");
  const sign = req.headers.sign ?? "";
  const ok = sign.length === want.length && timingSafeEqual(Buffer.from(sign), Buffer.from(want));
  res.setHeader("Content-Type", "application/json");
  if (!ok) return res.end(JSON.stringify({ code: 401, msg: "invalid signature" }));
  res.end(JSON.stringify({ code: 200, msg: "success" }));
}).listen(PORT, "127.0.0.1");
