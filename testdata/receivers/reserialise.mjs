// A receiver whose framework has parsed the body already: it verifies over the JSON that it
// writes again.
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";

const { APP_ID, APP_SECRET, PORT } = process.env;
createServer(async (req, res) => {
  const body = await json(req).catch(() => null);
  const { appid, timestamp, sign } = req.headers;
  const payload = appid + timestamp + JSON.stringify(body);
  if (appid !== APP_ID || sign !== createHmac("sha256", APP_SECRET).update(payload).digest("hex")) {
    return res.writeHead(401).end("signature mismatch");
  }
  res.end("Success");
}).listen(PORT, "127.0.0.1");
