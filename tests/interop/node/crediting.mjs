// @openid4vc/openid4vci as a foreign issuer: metadata, nonces, offers, proofs, and answers now or later.
// What it issues is made by `maker` (sdjwtvc.mjs or w3c.mjs).
import { randomBytes } from "node:crypto";
import { Openid4vciIssuer } from "@openid4vc/openid4vci";
import { decodeJwt } from "jose";
import { callbacks } from "./crypto.mjs";
import { Refusal } from "./granting.mjs";

const INTERVAL = 1;
const fresh = () => randomBytes(16).toString("base64url");

// `later` is how often the wallet is told to come back; `batch` how many keys it may send.
export function crediting(issuer, { configurationId, configuration, maker, refuseNonces = 0, batch = 1, later = 0, more = {} }) {
  const vci = new Openid4vciIssuer({ callbacks: callbacks() });
  const credentialIssuer = vci.createCredentialIssuerMetadata({
    credential_issuer: issuer,
    credential_endpoint: `${issuer}/credential`,
    nonce_endpoint: `${issuer}/nonce`,
    notification_endpoint: `${issuer}/notification`,
    deferred_credential_endpoint: `${issuer}/deferred_credential`,
    ...(batch > 1 ? { batch_credential_issuance: { batch_size: batch } } : {}),
    display: [{ name: "Foreign office (DEMO)", locale: "en" }],
    credential_configurations_supported: {
      [configurationId]: {
        scope: configurationId,
        cryptographic_binding_methods_supported: ["jwk"],
        credential_signing_alg_values_supported: ["ES256"],
        proof_types_supported: { jwt: { proof_signing_alg_values_supported: ["ES256"] } },
        credential_metadata: { display: [{ name: "Person", locale: "en" }] },
        ...configuration,
      },
    },
    ...more,
  });
  const issuerMetadata = {
    credentialIssuer,
    authorizationServers: [],
    // vc+jwt is a format of the federation's own, which the library does not know; everything else about it is common.
    knownCredentialConfigurations: credentialIssuer.credential_configurations_supported,
    originalDraftVersion: "V1",
  };
  const [nonces, promised] = [new Set(), new Map()];
  const seen = { keys: [], tooEarly: 0 };
  let refusals = refuseNonces;

  function nonce() {
    const cNonce = fresh();
    nonces.add(cNonce);
    return vci.createNonceResponse({ cNonce });
  }

  async function proven({ proofs }) {
    const { nonce: expectedNonce } = decodeJwt(proofs.jwt[0]);
    if (!nonces.delete(expectedNonce) || refusals-- > 0) throw new Refusal(400, { error: "invalid_nonce" });
    const verified = proofs.jwt.map((jwt) => vci.verifyCredentialRequestJwtProof({ issuerMetadata, jwt, expectedNonce }));
    const jwks = (await Promise.all(verified)).map(({ signer }) => signer.publicJwk);
    const distinct = new Set(jwks.map(({ x }) => x));
    if (jwks.length > batch || distinct.size < jwks.length) throw new Refusal(400, { error: "invalid_proof" });
    return jwks;
  }

  const made = async (jwks) => {
    seen.keys.push(...jwks);
    return Promise.all(jwks.map(async (jwk) => ({ credential: await maker.signed(jwk) })));
  };

  // Version 0.4.6 demands an `alg` beside `jwk` and `enc`, as drafts did; 1.0 has it in the key. So it reads the rest.
  async function credential({ credential_response_encryption: _, ...body }) {
    const credentialRequest = vci.parseCredentialRequest({ issuerMetadata, credentialRequest: body });
    const jwks = await proven(credentialRequest);
    if (later) {
      const transactionId = fresh();
      promised.set(transactionId, { jwks, asked: 1, since: Date.now() });
      return { status: 202, said: vci.createCredentialResponse({ credentialRequest, transactionId, interval: INTERVAL }) };
    }
    const answer = { credentialRequest, credentials: await made(jwks), notificationId: fresh() };
    return { status: 200, said: vci.createCredentialResponse(answer) };
  }

  async function deferred({ credential_response_encryption: _, ...body }) {
    const { deferredCredentialRequest } = vci.parseDeferredCredentialRequest({ deferredCredentialRequest: body });
    const { transaction_id: transactionId } = deferredCredentialRequest;
    const waiting = promised.get(transactionId);
    if (!waiting) throw new Refusal(400, { error: "invalid_transaction_id" });
    if (Date.now() - waiting.since < INTERVAL * 1000) seen.tooEarly += 1;
    waiting.since = Date.now();
    if (waiting.asked++ < later) {
      return { status: 202, said: vci.createDeferredCredentialResponse({ transactionId, interval: INTERVAL }) };
    }
    promised.delete(transactionId);
    const said = vci.createDeferredCredentialResponse({ credentials: await made(waiting.jwks) });
    // Version 0.4.6 refuses a notification_id *with* credentials; OpenID4VCI 1.0 §9.2 allows exactly that.
    return { status: 200, said: { ...said, notification_id: fresh() } };
  }

  const offer = async (grants) =>
    (await vci.createCredentialOffer({
      issuerMetadata: { ...issuerMetadata, authorizationServers: [{ issuer }] },
      credentialConfigurationIds: [configurationId],
      grants,
    })).credentialOffer;

  return { metadata: credentialIssuer, nonce, credential, deferred, offer, seen };
}
