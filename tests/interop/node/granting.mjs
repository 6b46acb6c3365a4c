// @openid4vc/oauth2 as the authorization server of a foreign issuer: both grants, PAR, PKCE, DPoP with a nonce.
import { randomBytes } from "node:crypto";
import { Oauth2AuthorizationServer, Oauth2ResourceServer } from "@openid4vc/oauth2";
import { decodeJwt } from "jose";
import { callbacks, newKey } from "./crypto.mjs";

const PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
const fresh = () => randomBytes(24).toString("base64url");

export class Refusal extends Error {
  constructor(status, errorResponse, headers = {}) {
    super(errorResponse.error);
    Object.assign(this, { status, errorResponse, headers });
  }
}

export async function granting(issuer, { scope, preAuthorizedCode, txCode }) {
  const key = await newKey();
  const own = callbacks([key]);
  const server = new Oauth2AuthorizationServer({ callbacks: own });
  const resource = new Oauth2ResourceServer({ callbacks: own });
  const metadata = server.createAuthorizationServerMetadata({
    issuer,
    token_endpoint: `${issuer}/token`,
    authorization_endpoint: `${issuer}/authorize`,
    pushed_authorization_request_endpoint: `${issuer}/par`,
    require_pushed_authorization_requests: true,
    authorization_response_iss_parameter_supported: true,
    code_challenge_methods_supported: ["S256"],
    response_types_supported: ["code"],
    grant_types_supported: [PRE_AUTHORIZED, "authorization_code"],
    token_endpoint_auth_methods_supported: ["none"],
    "pre-authorized_grant_anonymous_access_supported": true,
    dpop_signing_alg_values_supported: ["ES256"],
    jwks_uri: `${issuer}/jwks`,
  });
  const [dpopNonce, pushed, codes] = [fresh(), new Map(), new Map()];

  async function par(request, form) {
    const parsed = await server.parsePushedAuthorizationRequest({ authorizationRequest: form, request });
    const { dpop } = await server.verifyPushedAuthorizationRequest({
      ...parsed,
      dpop: { ...parsed.dpop, required: true },
      authorizationServerMetadata: metadata,
      request,
    });
    if (form.scope !== scope || form.code_challenge_method !== "S256") throw new Refusal(400, { error: "invalid_scope" });
    const name = `urn:ietf:params:oauth:request_uri:${fresh()}`;
    pushed.set(name, { ...parsed.authorizationRequest, jkt: dpop.jwkThumbprint });
    return server.createPushedAuthorizationResponse({ requestUri: name, expiresInSeconds: 60 }).pushedAuthorizationResponse;
  }

  // The person is at the browser already; nobody asks for a password here.
  function authorize({ request_uri, client_id }) {
    const asked = pushed.get(request_uri);
    pushed.delete(request_uri);
    if (asked?.client_id !== client_id) throw new Refusal(400, { error: "invalid_request" });
    const code = fresh();
    codes.set(code, asked);
    return `${asked.redirect_uri}?${new URLSearchParams({ code, state: asked.state, iss: issuer })}`;
  }

  async function token(request, form) {
    const parsed = server.parseAccessTokenRequest({ accessTokenRequest: form, request });
    if (parsed.dpop && decodeJwt(parsed.dpop.jwt).nonce !== dpopNonce) {
      throw new Refusal(400, { error: "use_dpop_nonce" }, { "DPoP-Nonce": dpopNonce });
    }
    const common = { ...parsed, authorizationServerMetadata: metadata, request, dpop: { ...parsed.dpop, required: true } };
    const { dpop } = await (parsed.grant.grantType === PRE_AUTHORIZED
      ? server.verifyPreAuthorizedCodeAccessTokenRequest({
          ...common,
          expectedPreAuthorizedCode: preAuthorizedCode,
          expectedTxCode: txCode,
        })
      : redeemed(common, form));
    return server.createAccessTokenResponse({
      authorizationServer: issuer,
      audience: issuer,
      subject: "the-person",
      scope,
      expiresInSeconds: 300,
      signer: { method: "jwk", publicJwk: key.publicJwk, alg: "ES256" },
      dpop,
    });
  }

  function redeemed(common, form) {
    const asked = codes.get(form.code);
    codes.delete(form.code);
    if (asked?.redirect_uri !== form.redirect_uri) throw new Refusal(400, { error: "invalid_grant" });
    return server.verifyAuthorizationCodeAccessTokenRequest({
      ...common,
      expectedCode: form.code,
      pkce: { codeVerifier: common.pkceCodeVerifier, codeChallenge: asked.code_challenge, codeChallengeMethod: "S256" },
      dpop: { ...common.dpop, expectedJwkThumbprint: asked.jkt },
    });
  }

  const holdsToken = (request) =>
    resource.verifyResourceRequest({
      request,
      resourceServer: issuer,
      authorizationServers: [metadata],
      allowedAuthenticationSchemes: ["DPoP"],
    });

  return { metadata, jwks: { keys: [{ ...key.publicJwk, use: "sig", alg: "ES256" }] }, par, authorize, token, holdsToken };
}
