// What the relying parties share: they speak one JSON object per line.
import * as readline from "node:readline";

export const print = (object) => console.log(JSON.stringify(object));

let lines;

/** The address the browser was sent to, which whoever started us tells. */
export async function readCallback() {
  lines ??= readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const { value, done } = await lines.next();
  if (done) throw new Error("stdin ended before a callback_url");
  return new URL(JSON.parse(value).callback_url);
}

/** What a token response said, without the tokens themselves. */
export function granted(tokens) {
  return {
    token_type: tokens.token_type,
    expires_in: tokens.expires_in,
    scope: tokens.scope,
    has_refresh_token: Boolean(tokens.refresh_token),
    has_id_token: Boolean(tokens.id_token),
  };
}

/** Runs the sign-in and prints its result, or what went wrong with it. */
export async function run(signIn) {
  try {
    print(await signIn());
  } catch (error) {
    print({
      error: {
        name: error.name,
        code: error.code,
        message: error.message,
        oauth_error: error.error,
        oauth_error_description: error.error_description,
        cause: error.cause?.message,
      },
    });
    process.exitCode = 1;
  }
  lines?.return(); // else the open standard input keeps the process
}
