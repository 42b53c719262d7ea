// What the server scripts share: loopback only, a line when ready, and an end
// together with whoever started them.
import { createServer } from "node:http";

const defaultToken = "peer-token-of-at-least-32-characters";

/** The bearer token the server expects: PEER_TOKEN, or a fixed one. */
export const token = process.env.PEER_TOKEN || defaultToken;

/**
 * Serves handler on 127.0.0.1 at the port of the first argument (0 or none: any
 * free one) and prints "ready <base URL>" when it listens. makeHandler gets the
 * origin, so that servers that need their own address can be built.
 */
export function listen(makeHandler, path) {
  let handler;
  const server = createServer((request, response) => handler(request, response));
  server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", async () => {
    const origin = `http://127.0.0.1:${server.address().port}`;
    handler = await makeHandler(origin);
    console.log(`ready ${origin}${path}`);
  });
  if (process.argv.includes("--until-stdin-ends")) {
    process.stdin.resume().on("end", () => process.exit(0));
  }
}
