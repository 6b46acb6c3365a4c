// oauth4webapi as a website that speaks OpenID Connect: it discovers, begins, and checks what comes back.
// in: act "begin" {issuer, clientId, redirectUri, scope} or "finish" {…, location, verifier, state, nonce, clientSecret}
import * as oauth from "oauth4webapi";
import { answer } from "./spoken.mjs";

const http = { [oauth.allowInsecureRequests]: true };

async function described(issuer) {
  const id = new URL(issuer);
  return oauth.processDiscoveryResponse(id, await oauth.discoveryRequest(id, { algorithm: "oidc", ...http }));
}

async function begin({ issuer, clientId, redirectUri, scope }) {
  const as = await described(issuer);
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const url = new URL(as.authorization_endpoint);
  const parameters = {
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: "code",
    scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, verifier, state, nonce };
}

async function finish({ issuer, clientId, clientSecret, redirectUri, location, verifier, state, nonce }) {
  const as = await described(issuer);
  const client = { client_id: clientId, id_token_signed_response_alg: "ES256" };
  const told = oauth.validateAuthResponse(as, client, new URL(location), state);
  const auth = oauth.ClientSecretBasic(clientSecret);
  const response = await oauth.authorizationCodeGrantRequest(as, client, auth, told, redirectUri, verifier, http);
  const result = await oauth.processAuthorizationCodeResponse(as, client, response, {
    expectedNonce: nonce,
    maxAge: 300,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(as, response, http);
  return { claims: oauth.getValidatedIdTokenClaims(result), scope: result.scope ?? null };
}

await answer((asked) => (asked.act === "begin" ? begin(asked) : finish(asked)));
