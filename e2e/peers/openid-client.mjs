// A headless relying party on openid-client: discovery, code flow with PKCE and
// a nonce, userinfo, refresh.
//
// Usage: node openid-client.mjs ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI
//          [--state] [--scope "openid profile"] [--prompt VALUE] [--no-refresh]
//
// It speaks one JSON object per line: prints {"authorize_url": …}, reads
// {"callback_url": …} with the address the browser was sent to at the end, and
// prints one result: {"claims", "userinfo", "granted", "refreshed"} or {"error"}
// (exit status 1). No state parameter is sent unless --state is given: with PKCE
// the library does without, and servers must cope. An empty CLIENT_SECRET makes
// it a public client.
import * as readline from "node:readline/promises";
import { parseArgs } from "node:util";
import * as client from "openid-client";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    state: { type: "boolean", default: false },
    scope: { type: "string", default: "openid profile email offline_access" },
    prompt: { type: "string" },
    "no-refresh": { type: "boolean", default: false },
  },
});
const [issuer, clientId, clientSecret, redirectUri] = positionals;
const print = (object) => console.log(JSON.stringify(object));

async function readCallback() {
  const lines = readline.createInterface({ input: process.stdin });
  for await (const line of lines) {
    lines.close();
    return new URL(JSON.parse(line).callback_url);
  }
  throw new Error("stdin ended before a callback_url");
}

/** What a token response said, without the tokens themselves. */
function granted(tokens) {
  return {
    token_type: tokens.token_type,
    expires_in: tokens.expires_in,
    scope: tokens.scope,
    has_refresh_token: Boolean(tokens.refresh_token),
    has_id_token: Boolean(tokens.id_token),
  };
}

async function run() {
  const authentication = clientSecret ? client.ClientSecretBasic(clientSecret) : client.None();
  const configuration = await client.discovery(new URL(issuer), clientId, undefined, authentication, {
    execute: issuer.startsWith("http://") ? [client.allowInsecureRequests] : [],
  });
  const verifier = client.randomPKCECodeVerifier();
  const nonce = client.randomNonce();
  const state = flags.state ? client.randomState() : undefined;
  const parameters = {
    redirect_uri: redirectUri,
    scope: flags.scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    nonce,
    ...(state && { state }),
    ...(flags.prompt && { prompt: flags.prompt }),
  };
  print({ authorize_url: client.buildAuthorizationUrl(configuration, parameters).href });

  const tokens = await client.authorizationCodeGrant(configuration, await readCallback(), {
    pkceCodeVerifier: verifier,
    expectedNonce: nonce,
    expectedState: state,
  });
  const claims = tokens.claims();
  const result = {
    claims,
    userinfo: await client.fetchUserInfo(configuration, tokens.access_token, claims.sub),
    granted: granted(tokens),
  };
  if (tokens.refresh_token && !flags["no-refresh"]) {
    const refreshed = await client.refreshTokenGrant(configuration, tokens.refresh_token);
    result.refreshed = { ...granted(refreshed), claims: refreshed.claims() };
  }
  print(result);
}

run().catch((error) => {
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
});
