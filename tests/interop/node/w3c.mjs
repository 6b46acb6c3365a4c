// A foreign issuer's W3C credentials secured with `jose`: its DID document, vc+jwt, and the two bitstring lists.
import { randomBytes, randomInt } from "node:crypto";
import { gzipSync } from "node:zlib";
import { SignJWT, importJWK } from "jose";

const ENTRIES = 131072;
const V2 = "https://www.w3.org/ns/credentials/v2";
const PURPOSES = { revocation: 1, suspension: 2 };
const zulu = (seconds) => new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");

export function w3c(issuer, { did, contexts, types, claims, signing, status }) {
  const batch = randomBytes(6).toString("hex");
  const index = randomInt(ENTRIES);
  const listOf = (purpose) => `${issuer}/status/${batch}/${purpose}`;
  let marked = 0;

  const document = {
    "@context": ["https://www.w3.org/ns/did/v1"],
    id: did,
    verificationMethod: [["credentials", signing], ["lists", status]].map(([name, { publicJwk }]) => ({
      id: `${did}#${name}`,
      type: "JsonWebKey",
      controller: did,
      publicKeyJwk: publicJwk,
    })),
    assertionMethod: [`${did}#credentials`, `${did}#lists`],
  };

  async function sign(payload, name, { privateJwk }) {
    const header = { alg: "ES256", typ: "vc+jwt", kid: `${did}#${name}` };
    return new SignJWT(payload).setProtectedHeader(header).sign(await importJWK(privateJwk, "ES256"));
  }

  const signed = ({ kty, crv, x, y }) =>
    sign(
      {
        "@context": [V2, ...contexts],
        type: ["VerifiableCredential", ...types],
        issuer: did,
        validFrom: zulu(-60),
        validUntil: zulu(86400),
        credentialSubject: claims,
        credentialStatus: Object.keys(PURPOSES).map((statusPurpose) => ({
          type: "BitstringStatusListEntry",
          statusPurpose,
          statusListIndex: String(index),
          statusListCredential: listOf(statusPurpose),
        })),
        cnf: { jwk: { kty, crv, x, y } },
      },
      "credentials",
      signing,
    );

  // Bitstring Status List §2.2: the first entry is the left-most bit; 16 KiB, gzip, multibase base64url.
  function list(purpose) {
    const bits = Buffer.alloc(ENTRIES / 8);
    if (marked === PURPOSES[purpose]) bits[index >> 3] |= 0x80 >> (index & 7);
    const subject = {
      id: `${listOf(purpose)}#list`,
      type: "BitstringStatusList",
      statusPurpose: purpose,
      encodedList: `u${gzipSync(bits).toString("base64url")}`,
      ttl: 60000,
    };
    const about = { "@context": [V2], id: listOf(purpose), type: ["VerifiableCredential", "BitstringStatusListCredential"] };
    const period = { issuer: did, validFrom: zulu(0), validUntil: zulu(3600) };
    return sign({ ...about, ...period, credentialSubject: subject }, "lists", status);
  }

  const served = (url) => {
    const purpose = Object.keys(PURPOSES).find((each) => listOf(each) === url);
    return purpose ? { type: "application/vc+jwt", body: () => list(purpose) } : null;
  };

  return { document, signed, served, mark: (value) => (marked = value) };
}
