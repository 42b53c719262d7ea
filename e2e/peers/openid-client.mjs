// A headless relying party on openid-client: discovery, code flow with PKCE and
// a nonce, userinfo, refresh, signing out.
//
// Usage: node openid-client.mjs ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI
//          [--state] [--scope "openid profile"] [--prompt VALUE] [--no-refresh]
//          [--after-logout URI] [--dpop] [--device]
//          [--register TOKEN]
//
// It prints {"authorize_url": …}, reads {"callback_url": …} with the address the
// browser was sent to at the end, and prints one result: {"claims", "userinfo",
// "granted", "refreshed", "logout_url"} or {"error"} (exit status 1). No state
// parameter is sent unless --state is given: with PKCE the library does without,
// and servers must cope. An empty CLIENT_SECRET makes it a public client. With
// --dpop its tokens are bound to a key that it makes for the sign-in. With
// --device it is a device (RFC 8628): the address is the one to show its user, and
// any callback_url says that they have answered there. With --register it registers
// itself, whatever its CLIENT_ID.
import { parseArgs } from "node:util";
import * as client from "openid-client";
import { granted, print, readCallback, run } from "./relyingparty.mjs";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    state: { type: "boolean", default: false },
    scope: { type: "string", default: "openid profile email offline_access" },
    prompt: { type: "string" },
    "no-refresh": { type: "boolean", default: false },
    "after-logout": { type: "string" },
    dpop: { type: "boolean", default: false },
    device: { type: "boolean", default: false },
    register: { type: "string" },
  },
});
const [issuer, clientId, clientSecret, redirectUri] = positionals;

/** The code flow: to the provider, and back with a code. */
async function codeFlow(configuration, options) {
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
  const checks = { pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state };
  return client.authorizationCodeGrant(configuration, await readCallback(), checks, undefined, options);
}

/** A device's: somebody answers in a browser. It asks once they did, not before. */
async function deviceFlow(configuration, options) {
  const device = await client.initiateDeviceAuthorization(configuration, { scope: flags.scope });
  print({ authorize_url: device.verification_uri_complete });
  await readCallback();
  return client.pollDeviceAuthorizationGrant(configuration, { ...device, interval: 0 }, undefined, options);
}

// Left alone, the library trusts the connection and verifies no signature.
const http = {
  execute: [client.enableNonRepudiationChecks, ...(issuer.startsWith("http://") ? [client.allowInsecureRequests] : [])],
};

/** An application that nobody registered. */
function register(initialAccessToken) {
  const metadata = {
    client_name: "Registers itself",
    redirect_uris: [redirectUri],
    post_logout_redirect_uris: [flags["after-logout"]],
    grant_types: ["authorization_code", "refresh_token"],
    token_endpoint_auth_method: "client_secret_post",
    scope: flags.scope,
  };
  return client.dynamicClientRegistration(new URL(issuer), metadata, undefined, { ...http, initialAccessToken });
}

function registered() {
  const authentication = clientSecret ? client.ClientSecretBasic(clientSecret) : client.None();
  return client.discovery(new URL(issuer), clientId, undefined, authentication, http);
}

await run(async () => {
  const configuration = await (flags.register ? register(flags.register) : registered());
  const options = flags.dpop
    ? { DPoP: client.getDPoPHandle(configuration, await client.randomDPoPKeyPair("ES256")) }
    : undefined;
  const tokens = await (flags.device ? deviceFlow : codeFlow)(configuration, options);
  const claims = tokens.claims();
  const result = {
    claims,
    userinfo: await client.fetchUserInfo(configuration, tokens.access_token, claims.sub, options),
    granted: granted(tokens),
  };
  if (tokens.refresh_token && !flags["no-refresh"]) {
    const refreshed = await client.refreshTokenGrant(configuration, tokens.refresh_token, undefined, options);
    result.refreshed = { ...granted(refreshed), claims: refreshed.claims() };
  }
  if (flags["after-logout"]) {
    result.logout_url = client.buildEndSessionUrl(configuration, {
      post_logout_redirect_uri: flags["after-logout"],
      id_token_hint: tokens.id_token,
      state: "s",
    }).href;
  }
  return result;
});
