// A headless relying party on oauth4webapi that has no secret: it signs its
// requests with its own key (private_key_jwt) and pushes its authorization request.
//
// Usage: node oauth4webapi.mjs ISSUER CLIENT_ID '' REDIRECT_URI --key JWK
//          [--scope "openid profile"] [--after-logout URI] [--dpop]
//          [--signed ALG] [--resource URI]
//
// What it prints and reads is as for openid-client.mjs. The key is a private one
// for ES256. With --dpop its tokens are bound to another key, made for the sign-in. With
// --signed it takes ID tokens of that algorithm alone, and signed answers of UserInfo.
// With --resource the refreshed token is for that resource server, which verifies it
// as a JWT (RFC 9068), with its proof.
import { webcrypto } from "node:crypto";
import { parseArgs } from "node:util";
import * as oauth from "oauth4webapi";
import { granted, print, readCallback, run } from "./relyingparty.mjs";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    key: { type: "string" },
    scope: { type: "string", default: "openid profile email offline_access" },
    "after-logout": { type: "string" },
    signed: { type: "string" },
    resource: { type: "string" },
    dpop: { type: "boolean", default: false },
  },
});
const [issuer, clientId, , redirectUri] = positionals;
const http = { [oauth.allowInsecureRequests]: issuer.startsWith("http://") };

async function privateKey(text) {
  const jwk = JSON.parse(text);
  const key = await webcrypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  return { key, kid: jwk.kid };
}

/** Lets the resource server look at a request with the token, as it would arrive. */
async function verifyAtResource(as, token, options) {
  let request;
  await oauth.protectedResourceRequest(token, "GET", new URL(flags.resource), undefined, undefined, {
    ...options,
    [oauth.customFetch]: async (url, init) => {
      request = new Request(url, init);
      return new Response();
    },
  });
  await oauth.validateJwtAccessToken(as, request, flags.resource, http);
}

function logoutURL(as, tokens) {
  const url = new URL(as.end_session_endpoint);
  url.searchParams.set("id_token_hint", tokens.id_token);
  url.searchParams.set("post_logout_redirect_uri", flags["after-logout"]);
  url.searchParams.set("state", "s");
  return url.href;
}

await run(async () => {
  const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), http));
  const client = {
    client_id: clientId,
    ...(flags.signed && { id_token_signed_response_alg: flags.signed, userinfo_signed_response_alg: flags.signed }),
  };
  const DPoP = flags.dpop ? oauth.DPoP(client, await oauth.generateKeyPair("ES256")) : undefined;
  const options = { ...http, DPoP };
  const authentication = oauth.PrivateKeyJwt(await privateKey(flags.key));
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const request = new URLSearchParams({
    response_type: "code",
    redirect_uri: redirectUri,
    scope: flags.scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
  });
  if (flags.resource) [flags.resource, issuer].forEach((r) => request.append("resource", r));
  const aimedAt = (resource) => ({ ...options, additionalParameters: flags.resource && { resource } });
  const pushed = await oauth.processPushedAuthorizationResponse(
    as,
    client,
    await oauth.pushedAuthorizationRequest(as, client, authentication, request, options),
  );
  const authorize = new URL(as.authorization_endpoint);
  authorize.search = new URLSearchParams({ client_id: clientId, request_uri: pushed.request_uri });
  print({ authorize_url: authorize.href });

  const answer = oauth.validateAuthResponse(as, client, await readCallback(), state);
  const response = await oauth.authorizationCodeGrantRequest(as, client, authentication, answer, redirectUri, verifier, aimedAt(issuer));
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(as, response, http);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const info = await oauth.userInfoRequest(as, client, tokens.access_token, options);
  const userinfo = await oauth.processUserInfoResponse(as, client, claims.sub, info);
  if (flags.signed) await oauth.validateApplicationLevelSignature(as, info, http);
  const again = await oauth.processRefreshTokenResponse(
    as,
    client,
    await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, aimedAt(flags.resource)),
  );
  if (flags.resource) await verifyAtResource(as, again.access_token, options);
  return {
    claims,
    userinfo,
    granted: granted(tokens),
    refreshed: { ...granted(again), claims: oauth.getValidatedIdTokenClaims(again) },
    logout_url: logoutURL(as, tokens),
  };
});
