// @openid4vc as wallet and wallet provider, and as the other side of ours: client attestations and key attestations.
import {
  Oauth2AuthorizationServer,
  clientAuthenticationClientAttestationJwt,
  createClientAttestationJwt,
} from "@openid4vc/oauth2";
import { Openid4vciClient, createKeyAttestationJwt, verifyKeyAttestationJwt } from "@openid4vc/openid4vci";
import * as jose from "jose";
import { callbacks, newKey } from "./crypto.mjs";
import { answer } from "./spoken.mjs";

const later = (seconds) => new Date(Date.now() + seconds * 1000);

// The library signs what it says; `change` adds what a wallet built on it must add itself.
function changing(signing, change) {
  return {
    ...signing,
    async signJwt(signer, { header, payload }) {
      return signing.signJwt(signer, change(header, payload));
    },
  };
}

async function trusting(trusted) {
  const known = await jose.calculateJwkThumbprint(trusted);
  return {
    ...callbacks(),
    async verifyJwt(signer, { compact, header, payload }) {
      const jwk = signer.method === "jwk" ? signer.publicJwk : header.kid === known ? trusted : null;
      if (!jwk) return { verified: false };
      try {
        await jose.compactVerify(compact, await jose.importJWK(jwk, header.alg));
        return { verified: true, signerJwk: jwk, payload };
      } catch {
        return { verified: false };
      }
    },
  };
}

async function attested({ provider, clientId, signing, instance, expires = 3600 }) {
  return createClientAttestationJwt({
    callbacks: signing,
    clientId,
    issuer: clientId,
    expiresAt: later(expires),
    confirmation: { jwk: instance.publicJwk },
    signer: { method: "jwk", alg: "ES256", publicJwk: provider.publicJwk },
  });
}

const does = {
  async receive({ offer, txCode, provider, clientId, challenged = true, expires, attestKey = false, prover }) {
    const [instance, holder, stranger] = await Promise.all([newKey(), newKey(), newKey()]);
    const keys = [provider, instance, holder, stranger];
    let challenge;
    const signing = changing(callbacks(keys), (header, payload) => {
      if (header.typ === "oauth-client-attestation-pop+jwt") return { header, payload: { ...payload, challenge } };
      // 0.4.6 writes the type of a draft; OpenID4VCI 1.0 appendix D.1 has another.
      if (header.typ === "keyattestation+jwt") return { header: { ...header, typ: "key-attestation+jwt" }, payload };
      return { header, payload };
    });
    const clientAttestationJwt = await attested({ provider, clientId, signing, instance, expires });
    // Somebody else who overheard the attestation has no better key than one of their own.
    const byStranger = (signer, jwt) => signing.signJwt({ ...signer, publicJwk: stranger.publicJwk }, jwt);
    const proving = prover === "stranger" ? { ...signing, signJwt: byStranger } : signing;
    const authenticate = clientAuthenticationClientAttestationJwt({ clientAttestationJwt, callbacks: proving });
    const client = new Openid4vciClient({ callbacks: { ...signing, clientAuthentication: authenticate } });
    const credentialOffer = await client.resolveCredentialOffer(offer);
    const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer);
    const [server] = issuerMetadata.authorizationServers;
    if (challenged) {
      const given = await fetch(server.challenge_endpoint, { method: "POST" });
      challenge = (await given.json()).attestation_challenge;
    }
    const { accessTokenResponse } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
      credentialOffer,
      issuerMetadata,
      txCode,
    });
    const [credentialConfigurationId] = credentialOffer.credential_configuration_ids;
    const { c_nonce } = await client.requestNonce({ issuerMetadata });
    const keyAttestationJwt = attestKey
      ? await createKeyAttestationJwt({
          callbacks: signing,
          nonce: c_nonce,
          attestedKeys: [holder.publicJwk],
          expiresAt: later(3600),
          keyStorage: ["iso_18045_basic"],
          signer: { method: "jwk", alg: "ES256", publicJwk: provider.publicJwk },
        })
      : undefined;
    const { jwt } = await client.createCredentialRequestJwtProof({
      issuerMetadata,
      credentialConfigurationId,
      nonce: c_nonce,
      clientId,
      keyAttestationJwt,
      signer: { method: "jwk", publicJwk: holder.publicJwk, alg: "ES256" },
    });
    const { credentialResponse } = await client.retrieveCredentials({
      issuerMetadata,
      credentialConfigurationId,
      accessToken: accessTokenResponse.access_token,
      proofs: attestKey === "alone" ? { attestation: [keyAttestationJwt] } : { jwt: [jwt] },
    });
    return {
      methods: server.token_endpoint_auth_methods_supported,
      credentials: credentialResponse.credentials.map(({ credential }) => credential),
      holder: holder.publicJwk,
    };
  },
  async verifyClient({ attestation, pop, server, trusted }) {
    const verifier = new Oauth2AuthorizationServer({ callbacks: await trusting(trusted) });
    const found = await verifier.verifyClientAttestation({
      authorizationServer: server,
      clientAttestationJwt: attestation,
      clientAttestationPopJwt: pop,
    });
    return { clientId: found.clientAttestation.payload.sub, challenge: found.clientAttestationPop.payload.challenge };
  },
  async verifyKeys({ attestation, nonce, trusted }) {
    const found = await verifyKeyAttestationJwt({
      callbacks: await trusting(trusted),
      keyAttestationJwt: attestation,
      expectedNonce: nonce,
      use: "proof_type.attestation",
    });
    return { keys: found.payload.attested_keys, storage: found.payload.key_storage };
  },
};

await answer(({ act, ...asked }) => does[act](asked));
