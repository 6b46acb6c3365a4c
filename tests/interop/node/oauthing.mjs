// oauth4webapi, an OAuth client that knows nothing of credentials: discovery, PAR, PKCE, DPoP, iss, refresh.
// in: issuer, scope, wrong?     out, line by line: where the person goes; then what came of it
import { createServer } from "node:http";
import * as oauth from "oauth4webapi";
import { attempted, heard, say } from "./spoken.mjs";

const { issuer, scope, wrong = {} } = await heard();
const http = { [oauth.allowInsecureRequests]: true };
const client = { client_id: "https://wallet.example/oauth4webapi" };
const auth = oauth.None();
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();

const server = createServer();
await new Promise((ready) => server.listen(0, "localhost", ready));
const redirectUri = `http://localhost:${server.address().port}/back`;
const back = new Promise((come) =>
  server.on("request", (request, response) => {
    response.end("back");
    come(new URL(request.url, redirectUri));
  }),
);

// A server that wants its nonce in the proof says so once.
async function withNonce(send) {
  try {
    return await send();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return send();
  }
}

async function described() {
  const id = new URL(issuer);
  const response = await oauth.discoveryRequest(id, { algorithm: "oauth2", ...http });
  return oauth.processDiscoveryResponse(id, response);
}

async function pushed(as) {
  const parameters = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: "code",
    scope,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...wrong.push,
  });
  const send = async () => {
    const response = await oauth.pushedAuthorizationRequest(as, client, auth, parameters, { DPoP, ...http });
    return oauth.processPushedAuthorizationResponse(as, client, response);
  };
  const { request_uri, expires_in } = await withNonce(send);
  const url = new URL(as.authorization_endpoint);
  url.searchParams.set("client_id", client.client_id);
  url.searchParams.set("request_uri", request_uri);
  return { url: url.href, expiresIn: expires_in };
}

async function redeemed(as, code) {
  const response = await oauth.authorizationCodeGrantRequest(
    as, client, auth, code, redirectUri, wrong.verifier ?? verifier, { DPoP, ...http },
  );
  return oauth.processAuthorizationCodeResponse(as, client, response);
}

async function refreshed(as, token) {
  const response = await oauth.refreshTokenGrantRequest(as, client, auth, token, { DPoP, ...http });
  return oauth.processRefreshTokenResponse(as, client, response);
}

let as;
const first = await attempted(async () => {
  as = await described();
  return { ...(await pushed(as)), required: as.require_pushed_authorization_requests };
});
say(first);
if (!first.failed) {
  say(await attempted(async () => {
    const code = oauth.validateAuthResponse(as, client, await back, state);
    const given = await withNonce(() => redeemed(as, code));
    const again = await withNonce(() => refreshed(as, given.refresh_token));
    const replayed = await attempted(() => refreshed(as, given.refresh_token));
    return {
      tokenType: given.token_type,
      rotated: given.refresh_token !== again.refresh_token,
      scope: given.scope,
      replayed: replayed.refusal?.error,
    };
  }));
}
server.close();
