"""One credential configuration: format, type, how it binds to a key, how it is shown (OpenID4VCI §12.2.4).

Names are pinned: ``<type>.<version>.sdjwt`` (``dc+sd-jwt``) and ``<type>.<version>.vcjwt`` (``vc+jwt``); the scope is
the same. ``vc+jwt`` is this federation's own format profile: OpenID4VCI 1.0 has none for VCDM 2.0.
"""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

import schemas
from comity import keys
from comity.credential import W3C_CONTEXT, CredentialType, Format
from comity.errors import Code
from comity.openid.issuance import display
from comity.openid.issuance.display import ClaimDescription, Display
from comity.openid.key_attestation import Demand
from comity.openid.members import Members
from comity.openid.refusal import Refusal

_REFUSE = Refusal(code=Code.METADATA_INVALID)
_SUFFIX = {Format.DC_SD_JWT: "sdjwt", Format.VC_JWT: "vcjwt"}

BindingMethod = Literal["jwk", "did:jwk"]
_BINDING_METHODS: tuple[BindingMethod, ...] = ("jwk", "did:jwk")


def configuration_id(credential_type: CredentialType, credential_format: Format) -> str:
    """Return the pinned name of a configuration, such as ``drivers-licence.1.sdjwt``."""
    return f"{credential_type.slug}.{credential_type.version}.{_SUFFIX[credential_format]}"


class CredentialConfiguration(Struct, frozen=True, kw_only=True):
    """One entry of ``credential_configurations_supported`` in a format this house speaks.

    Attributes:
        id: its key.
        format: the credential format.
        vct: the SD-JWT VC type name; None for ``vc+jwt``.
        contexts: the ``@context`` of a ``vc+jwt``; () for ``dc+sd-jwt``.
        types: the ``type`` of a ``vc+jwt``; () for ``dc+sd-jwt``.
        scope: OAuth scope; None when the issuer has none.
        binding_methods: () for a credential without a holder key.
        proof_algorithms: algorithms of ``jwt`` key proofs; () when no ``jwt`` proof is accepted.
        attestation_algorithms: algorithms of proofs of type ``attestation``; () when none is accepted.
        key_attestation: what key attestations must state; None when none is needed with a ``jwt`` proof.
        signing_algorithms: algorithms the credential may be signed with; () when not said.
        display: how the type is shown, one entry for each language.
        claims: the claims in display order.
    """

    id: str
    format: Format
    vct: str | None = None
    contexts: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    scope: str | None = None
    binding_methods: tuple[str, ...] = ()
    proof_algorithms: tuple[str, ...] = ()
    attestation_algorithms: tuple[str, ...] = ()
    key_attestation: Demand | None = None
    signing_algorithms: tuple[str, ...] = ()
    display: tuple[Display, ...] = ()
    claims: tuple[ClaimDescription, ...] = ()

    @property
    def credential_type(self) -> CredentialType | None:
        """The federation's type, or None for a type it does not know."""
        if self.vct is not None:
            return CredentialType.from_vct(self.vct)
        names = (context.removesuffix("/context") for context in self.contexts[1:])
        found = next((known for name in names if (known := CredentialType.from_vct(name))), None)
        return found if found is not None and found.w3c_type in self.types else None

    def _proof_types(self) -> dict[str, Any]:
        # VCI §12.2.4: {} wants a key attestation without a level; a proof of type "attestation" always is one.
        demands = {"jwt": self.key_attestation, "attestation": self.key_attestation or Demand()}
        algorithms = {"jwt": self.proof_algorithms, "attestation": self.attestation_algorithms}
        return {
            kind: {"proof_signing_alg_values_supported": list(values)}
            | ({} if demand is None else {"key_attestations_required": demand.to_dict()})
            for kind, demand in demands.items()
            if (values := algorithms[kind])
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        body: dict[str, Any] = {"format": self.format.value}
        if self.scope is not None:
            body["scope"] = self.scope
        if self.signing_algorithms:
            body["credential_signing_alg_values_supported"] = list(self.signing_algorithms)
        if self.binding_methods:
            body["cryptographic_binding_methods_supported"] = list(self.binding_methods)
            body["proof_types_supported"] = self._proof_types()
        if self.vct is not None:
            body["vct"] = self.vct
        else:
            body["credential_definition"] = {"@context": list(self.contexts), "type": list(self.types)}
        shown: dict[str, Any] = {}
        if self.display:
            shown["display"] = [entry.to_dict() for entry in self.display]
        if self.claims:
            shown["claims"] = [entry.to_dict() for entry in self.claims]
        # A credential_metadata object is what makes common wallets read the issuer as 1.0 and not as a draft.
        return body | {"credential_metadata": shown}


def of_type(
    credential_type: CredentialType,
    credential_format: Format,
    *,
    signing_algorithms: Iterable[str] = (),
    takes_attestations: bool = False,
    key_attestation: Demand | None = None,
) -> CredentialConfiguration:
    """Return the configuration under which this federation issues a type, with labels from ``schemas/``.

    Args:
        credential_type: a type of ``schemas/``.
        credential_format: one of the two formats.
        signing_algorithms: what the issuer signs with.
        takes_attestations: the issuer trusts somebody's key attestations, so that they do as proofs.
        key_attestation: what key attestations must state; None when none is needed.
    """
    data = schemas.type_metadata(credential_type.slug, credential_type.version)
    name = configuration_id(credential_type, credential_format)
    sd_jwt = credential_format is Format.DC_SD_JWT
    # The claims path of a W3C credential starts at the credential, not at its subject (OpenID4VCI appendix C).
    prefix: tuple[str, ...] = () if sd_jwt else ("credentialSubject",)
    algorithms = tuple(sorted(keys.allowed_algorithms("key_proof")))
    return CredentialConfiguration(
        id=name,
        format=credential_format,
        vct=credential_type.vct if sd_jwt else None,
        contexts=() if sd_jwt else (W3C_CONTEXT, credential_type.context),
        types=() if sd_jwt else ("VerifiableCredential", credential_type.w3c_type),
        scope=name,
        binding_methods=_BINDING_METHODS,
        proof_algorithms=algorithms,
        attestation_algorithms=algorithms if takes_attestations else (),
        key_attestation=key_attestation,
        signing_algorithms=tuple(signing_algorithms),
        display=display.of_type_metadata(data),
        claims=display.claims_of_type_metadata(data, prefix=prefix),
    )


def parse(name: str, members: Members) -> CredentialConfiguration | None:
    """Read one configuration (VCI-3, VCI-4); None when its format is not one this house speaks.

    Raises:
        OAuthError: ``metadata_invalid``.
    """
    text = members.string("format")
    if text not in set(Format):
        return None
    credential_format = Format(text)
    binding = members.optional_strings("cryptographic_binding_methods_supported")
    by_jwt, by_attestation, demand = _proofs(members, binds=bool(binding))
    shown = members.optional_members("credential_metadata")
    contexts, types = _definition(members) if credential_format is Format.VC_JWT else ((), ())
    return CredentialConfiguration(
        id=name,
        format=credential_format,
        vct=members.string("vct") if credential_format is Format.DC_SD_JWT else None,
        contexts=contexts,
        types=types,
        scope=members.optional_string("scope"),
        binding_methods=binding,
        proof_algorithms=by_jwt,
        attestation_algorithms=by_attestation,
        key_attestation=demand,
        signing_algorithms=members.optional_strings("credential_signing_alg_values_supported"),
        display=display.parse(shown, name_required=True) if shown else (),
        claims=display.parse_claims(shown) if shown else (),
    )


def _definition(members: Members) -> tuple[tuple[str, ...], tuple[str, ...]]:
    definition = members.members("credential_definition")
    return definition.strings("@context"), definition.strings("type")


def _proofs(members: Members, *, binds: bool) -> tuple[tuple[str, ...], tuple[str, ...], Demand | None]:
    """Return the algorithms of ``jwt`` and of ``attestation`` proofs, and what key attestations must state."""
    types = members.optional_members("proof_types_supported")
    # VCI-3: binding methods and proof types are both there, or neither is.
    if (types is not None) != binds:
        raise _REFUSE("credential configuration: binding methods and proof types must come together")
    kinds = [types.optional_members(kind) if types is not None else None for kind in ("jwt", "attestation")]
    jwt, attestation = (kind.strings("proof_signing_alg_values_supported") if kind else () for kind in kinds)
    # What `attestation` wants is wanted of everybody only where there is no `jwt` beside it.
    leading = next((kind for kind in kinds if kind is not None), None)
    wanted = leading.optional_members("key_attestations_required") if leading is not None else None
    return jwt, attestation, None if wanted is None else Demand.parse(wanted)
