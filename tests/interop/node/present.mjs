// @openid4vc/openid4vp as a wallet, with @sd-jwt/sd-jwt-vc for what it shows: answers a verifier's request.
// in: link, credential, key, method?, nonce?, audience?, enc?     out: what was asked, what left, and the answer
// or: data, origin in place of the link, for the Digital Credentials API; the answer is then said, not sent
import { createHash } from "node:crypto";
import { Openid4vpClient } from "@openid4vc/openid4vp";
import { ES256, digest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { SignJWT, decodeJwt, importJWK } from "jose";
import { callbacks } from "./crypto.mjs";
import { answer } from "./spoken.mjs";

const WALLET = {
  vp_formats_supported: { "dc+sd-jwt": { "sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"] } },
  client_id_prefixes_supported: ["x509_hash"],
  request_object_signing_alg_values_supported: ["ES256"],
};

// What the holder authorises is hashed as it came.
function confirmed(entries = []) {
  const hash = (text) => createHash("sha256").update(text).digest("base64url");
  if (entries.length === 0) return {};
  const hashes = { transaction_data_hashes: entries.map(({ encoded }) => hash(encoded)) };
  const named = entries.some(({ transactionData }) => transactionData.transaction_data_hashes_alg);
  return named ? { ...hashes, transaction_data_hashes_alg: "sha-256" } : hashes;
}

async function shown({ credential, key, nonce, audience, also }, paths) {
  const holder = new SDJwtVcInstance({
    hasher: digest,
    hashAlg: "sha-256",
    saltGenerator: generateSalt,
    kbSigner: await ES256.getSigner(key.privateJwk),
    kbSignAlg: "ES256",
  });
  const frame = Object.fromEntries(paths.map(([name]) => [name, true]));
  const payload = { iat: Math.floor(Date.now() / 1000), aud: audience, nonce, ...also };
  return holder.present(credential, frame, { kb: { payload } });
}

// A W3C credential leaves whole, enveloped in a presentation that the holder signs.
async function enveloped({ credential, key, nonce, audience, also }) {
  const context = "https://www.w3.org/ns/credentials/v2";
  const { kty, crv, x, y } = key.publicJwk;
  const holder = `did:jwk:${Buffer.from(JSON.stringify({ kty, crv, x, y })).toString("base64url")}`;
  const id = `data:application/vc+jwt,${credential}`;
  return new SignJWT({
    "@context": [context],
    type: ["VerifiablePresentation"],
    holder,
    verifiableCredential: [{ "@context": context, type: "EnvelopedVerifiableCredential", id }],
    iat: Math.floor(Date.now() / 1000),
    aud: audience,
    nonce,
    ...also,
  })
    .setProtectedHeader({ alg: "ES256", typ: "vp+jwt", kid: `${holder}#0` })
    .sign(await importJWK(key.privateJwk, "ES256"));
}

function fits({ format, meta }, credential) {
  const { vct, type } = decodeJwt(credential.split("~")[0]);
  if (vct) return format === "dc+sd-jwt" && meta.vct_values.includes(vct);
  const last = (name) => name.split(/[/#]/).at(-1);
  return format === "vc+jwt" && meta.type_values.some((names) => names.every((name) => type.includes(last(name))));
}

await answer(async ({ link, data, origin, method, credential, key, nonce, audience, confirm, enc = "A256GCM" }) => {
  const client = new Openid4vpClient({ callbacks: callbacks() });
  const parsed = client.parseOpenid4vpAuthorizationRequest({
    authorizationRequest: data ?? (method ? `${link}&request_uri_method=${method}` : link),
  });
  const request = await client.resolveOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: parsed.params,
    wallet: { metadata: WALLET },
    origin,
  });
  const asked = request.authorizationRequestPayload;
  const to = audience ?? (origin ? `origin:${origin}` : asked.client_id);
  const also = confirm === false ? {} : confirmed(request.transactionData);
  const said = { credential, key, nonce: nonce ?? asked.nonce, audience: to, also };
  const vpToken = {};
  for (const query of asked.dcql_query.credentials.filter((each) => fits(each, credential))) {
    const paths = query.claims.map(({ path }) => path);
    vpToken[query.id] = [query.format === "vc+jwt" ? await enveloped(said) : await shown(said, paths)];
  }
  const response = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: asked,
    origin,
    authorizationResponsePayload: { vp_token: vpToken },
    jarm: {
      encryption: { nonce: createHash("sha256").update(asked.nonce).digest("base64url") },
      serverMetadata: {
        authorization_signing_alg_values_supported: [],
        authorization_encryption_alg_values_supported: ["ECDH-ES"],
        authorization_encryption_enc_values_supported: [enc],
      },
    },
  });
  const told = {
    version: request.version,
    client: request.client.prefix,
    transactions: (request.transactionData ?? []).map(({ transactionData }) => transactionData),
    shown: Object.values(vpToken).flat(),
  };
  if (data) return { ...told, data: { response: response.jarm.responseJwt } };
  const sent = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: asked,
    authorizationResponsePayload: response.authorizationResponsePayload,
    jarm: response.jarm,
  });
  return {
    ...told,
    method: parsed.params.request_uri_method ?? "get",
    responseMode: sent.responseMode,
    jwe: response.jarm.responseJwt,
    status: sent.response.status,
    answer: await sent.response.json(),
  };
});
