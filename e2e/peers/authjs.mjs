// A web application on Auth.js (@auth/core) with an OpenID provider configured by
// hand: PKCE, state and nonce, refresh as its guide has it, and signing out at the
// provider, too.
//
// Usage: node authjs.mjs PORT ISSUER CLIENT_ID CLIENT_SECRET [--key JWK]
//          [--after-logout URI] [--until-stdin-ends]
//
// PORT 0 is any free one. It prints "ready <base URL>" when it listens; the
// redirect URI is <base URL>/callback/anteroom. Every look at <base URL>/session
// after the first refreshes; <base URL>/out signs out here and at the provider.
// With --key, a private one for ES256, it authenticates with private_key_jwt.
import { webcrypto } from "node:crypto";
import { parseArgs } from "node:util";
import { Auth, skipCSRFCheck } from "@auth/core";
import { getToken } from "@auth/core/jwt";
import * as oauth from "oauth4webapi";
import { listen } from "./listen.mjs";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    key: { type: "string" },
    "after-logout": { type: "string" },
    "until-stdin-ends": { type: "boolean" },
  },
});
const [, issuer, clientId, clientSecret] = positionals;
const secret = "the-secret-of-the-web-applications-own-cookies";
const basePath = "/auth";

async function privateKey(text) {
  const jwk = JSON.parse(text);
  const key = await webcrypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  return { key, kid: jwk.kid };
}

const key = flags.key && (await privateKey(flags.key));

const anteroom = {
  id: "anteroom",
  name: "Anteroom",
  type: "oidc",
  issuer,
  clientId,
  clientSecret,
  checks: ["pkce", "state", "nonce"],
  authorization: { params: { scope: "openid profile email offline_access provisioning" } },
  ...(key && { client: { token_endpoint_auth_method: "private_key_jwt" }, token: { clientPrivateKey: key } }),
};

const http = { [oauth.allowInsecureRequests]: true };
const client = { client_id: clientId };
let metadata;
/** The provider's metadata, asked for when it is there. */
const provider = () =>
  (metadata ??= oauth
    .discoveryRequest(new URL(issuer), http)
    .then((response) => oauth.processDiscoveryResponse(new URL(issuer), response)));

/** The guide's refresh: Auth.js leaves it to the application. */
async function refresh(token) {
  const as = await provider();
  const authentication = key ? oauth.PrivateKeyJwt(key) : oauth.ClientSecretBasic(clientSecret);
  const response = await oauth.refreshTokenGrantRequest(as, client, authentication, token.refreshToken, http);
  const tokens = await oauth.processRefreshTokenResponse(as, client, response);
  const info = await oauth.userInfoRequest(as, client, tokens.access_token, http);
  return {
    ...token,
    refreshToken: tokens.refresh_token,
    idToken: tokens.id_token,
    refreshed: oauth.getValidatedIdTokenClaims(tokens),
    userinfo: await oauth.processUserInfoResponse(as, client, token.claims.sub, info),
  };
}

const config = {
  basePath,
  secret,
  trustHost: true,
  providers: [anteroom],
  callbacks: {
    async jwt({ token, account, profile }) {
      if (!account) return refresh(token);
      return { ...token, claims: profile, refreshToken: account.refresh_token, idToken: account.id_token };
    },
    session({ session, token }) {
      return { ...session, claims: token.claims, refreshed: token.refreshed, userinfo: token.userinfo };
    },
  },
};

/** Forgets the session here and sends the browser to the provider to end it there. */
async function signOut(request) {
  const token = await getToken({ req: request, secret });
  const { origin } = new URL(request.url);
  const here = await Auth(
    new Request(`${origin}${basePath}/signout`, { method: "POST", headers: { cookie: request.headers.get("cookie") ?? "" } }),
    { ...config, skipCSRFCheck },
  );
  const there = new URL((await provider()).end_session_endpoint);
  there.searchParams.set("id_token_hint", token.idToken);
  there.searchParams.set("post_logout_redirect_uri", flags["after-logout"]);
  there.searchParams.set("state", "s");
  const headers = new Headers({ location: there.href });
  here.headers.getSetCookie().forEach((cookie) => headers.append("set-cookie", cookie));
  return new Response(null, { status: 303, headers });
}

function respond(request) {
  const { pathname } = new URL(request.url);
  if (pathname === `${basePath}/out`) return signOut(request);
  if (pathname.startsWith(`${basePath}/`)) return Auth(request, config);
  return new Response("<title>The application</title>", { headers: { "content-type": "text/html" } });
}

/** Serves what Auth.js takes and gives, Request and Response, with node:http. */
function served(origin) {
  return async (incoming, outgoing) => {
    const body = [];
    for await (const part of incoming) body.push(part);
    const request = new Request(new URL(incoming.url, origin), {
      method: incoming.method,
      headers: incoming.headers,
      ...(body.length && { body: Buffer.concat(body) }),
    });
    const response = await respond(request);
    response.headers.forEach((value, name) => name !== "set-cookie" && outgoing.setHeader(name, value));
    outgoing.setHeader("set-cookie", response.headers.getSetCookie());
    outgoing.writeHead(response.status).end(Buffer.from(await response.arrayBuffer()));
  };
}

listen(served, basePath);
