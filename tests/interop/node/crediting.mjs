// @openid4vc/openid4vci and @sd-jwt as a foreign issuer: metadata, nonces, credentials, and the list of their status.
import { randomBytes, randomInt } from "node:crypto";
import { Openid4vciIssuer } from "@openid4vc/openid4vci";
import { ES256, digest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { StatusList, createHeaderAndPayload } from "@sd-jwt/jwt-status-list";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { SignJWT, decodeJwt, importJWK } from "jose";
import { callbacks } from "./crypto.mjs";
import { Refusal } from "./granting.mjs";

const ENTRIES = 131072;
const now = () => Math.floor(Date.now() / 1000);

export function crediting(issuer, { configurationId, vct, claims, office, status, signing = {}, refuseNonces = 0 }) {
  const vci = new Openid4vciIssuer({ callbacks: callbacks() });
  const credentialIssuer = vci.createCredentialIssuerMetadata({
    credential_issuer: issuer,
    credential_endpoint: `${issuer}/credential`,
    nonce_endpoint: `${issuer}/nonce`,
    notification_endpoint: `${issuer}/notification`,
    display: [{ name: "Foreign office (DEMO)", locale: "en" }],
    credential_configurations_supported: {
      [configurationId]: {
        format: "dc+sd-jwt",
        vct,
        scope: configurationId,
        cryptographic_binding_methods_supported: ["jwk"],
        credential_signing_alg_values_supported: ["ES256"],
        proof_types_supported: { jwt: { proof_signing_alg_values_supported: ["ES256"] } },
        credential_metadata: { display: [{ name: "Person", locale: "en" }] },
      },
    },
  });
  const issuerMetadata = {
    credentialIssuer,
    authorizationServers: [],
    knownCredentialConfigurations: vci.getKnownCredentialConfigurationsSupported(credentialIssuer),
    originalDraftVersion: "V1",
  };
  const nonces = new Set();
  const list = new StatusList(new Array(ENTRIES).fill(0), 2);
  const listUri = `${issuer}/status/${randomBytes(6).toString("hex")}`;
  const index = randomInt(ENTRIES);
  let refusals = refuseNonces;

  function nonce() {
    const cNonce = randomBytes(16).toString("base64url");
    nonces.add(cNonce);
    return vci.createNonceResponse({ cNonce });
  }

  async function credential(body) {
    const credentialRequest = vci.parseCredentialRequest({ issuerMetadata, credentialRequest: body });
    const [jwt] = credentialRequest.proofs.jwt;
    const { nonce: expectedNonce } = decodeJwt(jwt);
    if (!nonces.delete(expectedNonce) || refusals-- > 0) throw new Refusal(400, { error: "invalid_nonce" });
    const { signer } = await vci.verifyCredentialRequestJwtProof({ issuerMetadata, jwt, expectedNonce });
    return vci.createCredentialResponse({
      credentialRequest,
      credentials: [{ credential: await signed(signer.publicJwk) }],
      notificationId: randomBytes(8).toString("hex"),
    });
  }

  async function signed({ kty, crv, x, y }) {
    const { x5c, key, payload = {} } = { ...office, ...signing };
    const maker = new SDJwtVcInstance({
      hasher: digest,
      saltGenerator: generateSalt,
      signer: await ES256.getSigner(key.privateJwk),
      signAlg: "ES256",
    });
    const about = {
      iss: issuer,
      iat: now(),
      nbf: now() - 60,
      exp: now() + 86400,
      vct,
      cnf: { jwk: { kty, crv, x, y } },
      status: { status_list: { idx: index, uri: listUri } },
    };
    return maker.issue({ ...about, ...claims, ...payload }, { _sd: Object.keys(claims) }, { header: { x5c } });
  }

  async function statusList() {
    const about = { sub: listUri, iat: now(), exp: now() + 3600, ttl: 60 };
    const { header, payload } = createHeaderAndPayload(list, about, { alg: "ES256", typ: "statuslist+jwt", x5c: status.x5c });
    return new SignJWT(payload).setProtectedHeader(header).sign(await importJWK(status.key.privateJwk, "ES256"));
  }

  const offer = async (grants) =>
    (await vci.createCredentialOffer({
      issuerMetadata: { ...issuerMetadata, authorizationServers: [{ issuer }] },
      credentialConfigurationIds: [configurationId],
      grants,
    })).credentialOffer;

  return { metadata: credentialIssuer, listUri, nonce, credential, statusList, offer, mark: (value) => list.setStatus(index, value) };
}
