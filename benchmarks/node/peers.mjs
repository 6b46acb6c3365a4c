// The same work by npm's packages, asked for by name: what it takes in CPU of this process, threads counted.
import { createInterface } from "node:readline";
import { ES256, digest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import * as jose from "jose";

const MADE_OF = { hasher: digest, hashAlg: "sha-256", saltGenerator: generateSalt };
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { claims, nonce, audience, token } = JSON.parse((await lines.next()).value);

const issuer = await ES256.generateKeyPair();
const holder = await ES256.generateKeyPair();
const kbPublic = await ES256.getVerifier(holder.publicKey);
const vc = new SDJwtVcInstance({
  ...MADE_OF,
  signAlg: "ES256",
  kbSignAlg: "ES256",
  signer: await ES256.getSigner(issuer.privateKey),
  kbSigner: await ES256.getSigner(holder.privateKey),
  verifier: await ES256.getVerifier(issuer.publicKey),
  kbVerifier: (data, signature) => kbPublic(data, signature),
});
const names = Object.keys(claims);
const payload = {
  iss: "https://issuer.example",
  iat: 1700000000,
  vct: "https://types.example/licence",
  cnf: { jwk: holder.publicKey },
  ...claims,
};
const issue = () => vc.issue(payload, { _sd: names });
const held = await issue();
const frame = Object.fromEntries(names.map((name) => [name, true]));
const kb = { payload: { iat: Math.floor(Date.now() / 1000), aud: audience, nonce } };
const present = () => vc.present(held, frame, { kb });
const shown = await present();
const verify = () => vc.verify(shown, { keyBindingNonce: nonce });
const seen = (await verify()).payload;
if (!names.every((name) => name in seen)) throw new Error("the peer must disclose everything too");

const pair = await jose.generateKeyPair("ES256");
const sign = () => new jose.SignJWT(token.payload).setProtectedHeader({ ...token.header, alg: "ES256" }).sign(pair.privateKey);
const signed = await sign();
const read = () => jose.jwtVerify(signed, pair.publicKey, { algorithms: ["ES256"] });

const does = { issue, present, verify, sign, read };
for await (const line of { [Symbol.asyncIterator]: () => lines }) {
  const { name, calls } = JSON.parse(line);
  const before = process.cpuUsage();
  for (let each = 0; each < calls; each += 1) await does[name]();
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ us: (user + system) / calls }));
}
