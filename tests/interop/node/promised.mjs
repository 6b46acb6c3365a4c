// @openid4vc as a wallet with DPoP: takes an offer, encrypted when asked to; waits for what is decided later.
// in: offer, txCode?, count?, encrypted?   or   kept (what an earlier run said), encrypted?
// out: credentials, keys, transactionId, interval, encryptedAnswer, refusedByItsSchema, kept
import { resourceRequest } from "@openid4vc/oauth2";
import { Openid4vciClient } from "@openid4vc/openid4vci";
import * as jose from "jose";
import { callbacks, newKey } from "./crypto.mjs";
import { answer } from "./spoken.mjs";

// The library sends plain JSON only; what encrypts is jose, after the metadata that the library read.
async function encryptedRequest({ client, issuerMetadata, url, accessToken, dpop, body }) {
  const metadata = issuerMetadata.credentialIssuer;
  const [issuerKey] = metadata.credential_request_encryption.jwks.keys;
  const [alg] = metadata.credential_response_encryption.alg_values_supported;
  const enc = metadata.credential_response_encryption.enc_values_supported.at(-1);
  const own = await jose.generateKeyPair(alg, { crv: "P-256", extractable: true });
  const jwk = { ...(await jose.exportJWK(own.publicKey)), alg, use: "enc", kid: "foreign" };
  const text = JSON.stringify({ ...body, credential_response_encryption: { jwk, enc } });
  const jwe = await new jose.CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg, enc, kid: issuerKey.kid })
    .encrypt(await jose.importJWK(issuerKey, alg));
  const { response } = await resourceRequest({
    dpop,
    accessToken,
    callbacks: client.options.callbacks,
    url,
    requestOptions: { method: "POST", headers: { "Content-Type": "application/jwt" }, body: jwe },
  });
  const came = await response.text();
  if (!response.ok) return { status: response.status, refusal: JSON.parse(came) };
  const opened = await jose.compactDecrypt(came, own.privateKey);
  if (opened.protectedHeader.kid !== "foreign" || opened.protectedHeader.enc !== enc) throw new Error("wrong header");
  const said = JSON.parse(new TextDecoder().decode(opened.plaintext));
  return { said, encryptedAnswer: response.headers.get("content-type") };
}

async function begin({ offer, txCode, count = 1, encrypted = false }) {
  const [dpopKey, ...keys] = await Promise.all(Array.from({ length: count + 1 }, () => newKey()));
  const client = new Openid4vciClient({ callbacks: callbacks([dpopKey, ...keys]) });
  const credentialOffer = await client.resolveCredentialOffer(offer);
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer);
  const token = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
    txCode,
    dpop: { signer: { method: "jwk", publicJwk: dpopKey.publicJwk, alg: "ES256" } },
  });
  const accessToken = token.accessTokenResponse.access_token;
  const [credentialConfigurationId] = credentialOffer.credential_configuration_ids;
  const { c_nonce } = await client.requestNonce({ issuerMetadata });
  const proofs = [];
  for (const { publicJwk } of keys) {
    const signer = { method: "jwk", publicJwk, alg: "ES256" };
    const made = { issuerMetadata, credentialConfigurationId, nonce: c_nonce, signer };
    proofs.push((await client.createCredentialRequestJwtProof(made)).jwt);
  }
  const kept = { issuer: credentialOffer.credential_issuer, accessToken, dpop: token.dpop, dpopKey };
  const asked = { proofs: { jwt: proofs } };
  if (!encrypted) {
    const request = { issuerMetadata, credentialConfigurationId, accessToken, dpop: token.dpop, ...asked };
    const { credentialResponse } = await client.retrieveCredentials(request);
    return told(credentialResponse, { keys, kept, expiresIn: token.accessTokenResponse.expires_in });
  }
  const body = { credential_configuration_id: credentialConfigurationId, ...asked };
  const url = issuerMetadata.credentialIssuer.credential_endpoint;
  const came = await encryptedRequest({ client, issuerMetadata, url, accessToken, dpop: token.dpop, body });
  return came.said ? told(came.said, { keys, kept, encryptedAnswer: came.encryptedAnswer }) : came;
}

async function collect({ kept, encrypted = false }) {
  const { issuer, accessToken, dpop, dpopKey, transactionId } = kept;
  const client = new Openid4vciClient({ callbacks: callbacks([dpopKey]) });
  const issuerMetadata = await client.resolveIssuerMetadata(issuer);
  if (encrypted) {
    const url = issuerMetadata.credentialIssuer.deferred_credential_endpoint;
    const body = { transaction_id: transactionId };
    const came = await encryptedRequest({ client, issuerMetadata, url, accessToken, dpop, body });
    return came.said ? told(came.said, { kept, encryptedAnswer: came.encryptedAnswer }) : came;
  }
  try {
    const request = { issuerMetadata, accessToken, transactionId, dpop };
    const { deferredCredentialResponse } = await client.retrieveDeferredCredentials(request);
    return told(deferredCredentialResponse, { kept });
  } catch (error) {
    // Version 0.4.6 refuses a notification_id *with* credentials; OpenID4VCI 1.0 §9.2 allows exactly that.
    const response = error.response?.response;
    if (!response?.ok) throw error;
    return told(await response.clone().json(), { kept, refusedByItsSchema: true });
  }
}

function told(said, more) {
  const credentials = said.credentials?.map(({ credential }) => credential) ?? null;
  const transactionId = said.transaction_id ?? null;
  const kept = { ...more.kept, transactionId };
  const { interval = null, notification_id: notificationId = null } = said;
  return { ...more, credentials, transactionId, interval, notificationId, kept };
}

await answer(async (asked) => (asked.kept ? collect(asked) : begin(asked)));
