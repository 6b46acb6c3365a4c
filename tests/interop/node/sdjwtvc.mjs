// A foreign issuer's SD-JWT credentials made by @sd-jwt, and the token list of their status.
import { randomBytes, randomInt } from "node:crypto";
import { ES256, digest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { StatusList, createHeaderAndPayload } from "@sd-jwt/jwt-status-list";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { SignJWT, importJWK } from "jose";

const ENTRIES = 131072;
const now = () => Math.floor(Date.now() / 1000);

export function sdJwtVc(issuer, { vct, claims, office, status, signing = {} }) {
  const list = new StatusList(new Array(ENTRIES).fill(0), 2);
  const listUri = `${issuer}/status/${randomBytes(6).toString("hex")}`;
  const index = randomInt(ENTRIES);

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

  const served = (url) => (url === listUri ? { type: "application/statuslist+jwt", body: statusList } : null);

  return { signed, served, mark: (value) => list.setStatus(index, value) };
}
