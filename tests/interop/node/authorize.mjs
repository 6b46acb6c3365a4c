// @openid4vc as a wallet whose person signs in: PAR, PKCE, DPoP, the code, the credential.
// in: issuer, offer?, scope     out, line by line: where the person goes; then what came of it
import { createServer } from "node:http";
import { clientAuthenticationNone } from "@openid4vc/oauth2";
import { Openid4vciClient } from "@openid4vc/openid4vci";
import { callbacks, newKey } from "./crypto.mjs";
import { attempted, heard, say } from "./spoken.mjs";

const asked = await heard();
const [holder, bound] = [await newKey(), await newKey()];
const clientId = "https://wallet.example/openid4vc";
const own = { ...callbacks([holder, bound]), clientAuthentication: clientAuthenticationNone({ clientId }) };
const client = new Openid4vciClient({ callbacks: own });

const server = createServer();
await new Promise((ready) => server.listen(0, "localhost", ready));
const redirectUri = `http://localhost:${server.address().port}/back`;
const back = new Promise((come) =>
  server.on("request", (request, response) => {
    response.end("back");
    come(new URL(request.url, redirectUri).href);
  }),
);

say(await attempted(async () => {
  const credentialOffer = asked.offer
    ? await client.resolveCredentialOffer(asked.offer)
    : { credential_issuer: asked.issuer, credential_configuration_ids: [asked.scope], grants: { authorization_code: {} } };
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer);
  const dpop = { signer: { method: "jwk", publicJwk: bound.publicJwk, alg: "ES256" } };
  const started = await client.createAuthorizationRequestUrlFromOffer({
    credentialOffer,
    issuerMetadata,
    clientId,
    redirectUri,
    scope: asked.scope,
    dpop,
  });
  Object.assign(asked, { credentialOffer, issuerMetadata, started });
  return { url: started.authorizationRequestUrl, pkce: started.pkce.codeChallengeMethod };
}, asked));

say(await attempted(async () => {
  const { credentialOffer, issuerMetadata, started } = asked;
  const authorizationServerMetadata = issuerMetadata.authorizationServers[0];
  const answer = client.parseAndVerifyAuthorizationResponseRedirectUrl({ url: await back, authorizationServerMetadata });
  if ("state" in answer) throw new Error("this library sends no state, so none comes back");
  const { accessTokenResponse, dpop } = await client.retrieveAuthorizationCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
    authorizationCode: answer.code,
    pkceCodeVerifier: started.pkce.codeVerifier,
    redirectUri,
    dpop: started.dpop,
  });
  const [credentialConfigurationId] = credentialOffer.credential_configuration_ids;
  const { c_nonce } = await client.requestNonce({ issuerMetadata });
  const { jwt } = await client.createCredentialRequestJwtProof({
    issuerMetadata,
    credentialConfigurationId,
    nonce: c_nonce,
    clientId,
    signer: { method: "jwk", publicJwk: holder.publicJwk, alg: "ES256" },
  });
  const { credentialResponse } = await client.retrieveCredentials({
    issuerMetadata,
    credentialConfigurationId,
    accessToken: accessTokenResponse.access_token,
    dpop,
    proofs: { jwt: [jwt] },
  });
  return {
    iss: answer.iss,
    tokenType: accessTokenResponse.token_type,
    refreshes: Boolean(accessTokenResponse.refresh_token),
    credentials: credentialResponse.credentials.map(({ credential }) => credential),
    key: holder.publicJwk,
  };
}, asked));
server.close();
