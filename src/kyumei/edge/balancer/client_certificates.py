"""Why an Application Load Balancer refuses a client's certificate: the reasons of its connection log, as data (EDGE-159).

Follows "Error reason codes" of "Connection logs for your Application Load Balancer" and "Mutual authentication with TLS in Application
Load Balancer" in the Elastic Load Balancing user guide.
"""

from __future__ import annotations

from typing import NamedTuple

UNMAPPED = "UnmappedConnectionError"
"""The handshake failed for a reason that the balancer does not name; scanners cause it all day."""
_LISTENER = (
    "aws elbv2 describe-listeners --load-balancer-arn {elb_arn} --query 'Listeners[].[ListenerArn,Port,SslPolicy,MutualAuthentication]'"
)
_CHAIN = "openssl verify -CAfile <CA_BUNDLE.pem> -purpose sslclient <CLIENT_CERTIFICATE.pem>"
_SHOW = "openssl x509 -in <CLIENT_CERTIFICATE.pem> -noout -subject -issuer -dates -ext extendedKeyUsage"


class Refusal(NamedTuple):
    """One reason: the cause as the end of a sentence, where it lies, and what mends it."""

    reason: str
    cause: str
    layer: str
    says: str
    commands: tuple[str, ...]


REFUSALS = (
    Refusal(
        "ClientCertExpired",
        "the client's certificate had expired",
        "client",
        "Give the client a new certificate. Until it has one, the listener can be told to let expired ones pass, which lets every expired "
        "certificate of that authority in.",
        (
            _SHOW,
            (
                "aws elbv2 modify-listener --listener-arn {listener_arn} --mutual-authentication "
                "Mode=verify,TrustStoreArn={trust_store_arn},IgnoreClientCertificateExpiry=true"
            ),
        ),
    ),
    Refusal(
        "ClientCertNotYetValid",
        "the client's certificate was not valid yet",
        "client",
        "Wait for its first day, or issue one that is valid now: the clock of the certificate authority may run fast.",
        (_SHOW,),
    ),
    Refusal(
        "ClientCertUntrusted",
        "no certificate authority in the listener's trust store issued the client's certificate",
        "client",
        "Let the client use a certificate of an authority in the trust store and send its intermediate certificates, or add that authority "
        "to the bundle of the trust store.",
        (
            _CHAIN,
            "aws elbv2 describe-trust-stores --trust-store-arns {trust_store_arn}",
            (
                "aws elbv2 modify-trust-store --trust-store-arn {trust_store_arn} --ca-certificates-bundle-s3-bucket <BUCKET> "
                "--ca-certificates-bundle-s3-key <KEY>"
            ),
        ),
    ),
    Refusal(
        "ClientCertCrlHit",
        "the client's certificate has been revoked: it stands in a revocation list of the trust store",
        "client",
        "Give the client a new certificate; if it was revoked by mistake, replace the list.",
        (
            "aws elbv2 describe-trust-store-revocations --trust-store-arn {trust_store_arn}",
            "aws elbv2 remove-trust-store-revocations --trust-store-arn {trust_store_arn} --revocation-ids <ID>",
        ),
    ),
    Refusal(
        "ClientCertCrlProcessingError",
        "the load balancer could not work with a revocation list of the trust store",
        "alb",
        "Replace the revocation list by a well-formed one of the same authority.",
        (
            "aws elbv2 describe-trust-store-revocations --trust-store-arn {trust_store_arn}",
            "openssl crl -in <LIST.pem> -noout -issuer -lastupdate -nextupdate",
        ),
    ),
    Refusal(
        "ClientCertMaxChainDepthExceeded",
        "the client sends a longer chain of certificates than the load balancer takes",
        "client",
        "Let the client send its own certificate and the intermediate ones only, or issue it from an authority nearer to the root.",
        ("openssl s_client -connect {host}:{port} -cert <CLIENT_CERTIFICATE.pem> -key <KEY.pem> -cert_chain <CHAIN.pem> -showcerts",),
    ),
    Refusal(
        "ClientCertMaxSizeExceeded",
        "the client's certificate is larger than the load balancer takes",
        "client",
        "Issue a smaller certificate: fewer names and extensions.",
        ("openssl x509 -in <CLIENT_CERTIFICATE.pem> -outform der | wc -c",),
    ),
    Refusal(
        "ClientCertTypeUnsupported",
        "the client's certificate has a key or signature of a kind that the load balancer does not take",
        "client",
        "Issue it as X.509v3 with an RSA key of 2048 bits or more, or an elliptic curve that is supported, signed with SHA-256 or better.",
        ("openssl x509 -in <CLIENT_CERTIFICATE.pem> -noout -text | grep -E 'Version|Signature Algorithm|Public-Key'",),
    ),
    Refusal(
        "ClientCertInvalid",
        "the client's certificate is not valid: it is malformed, or its signature does not hold",
        "client",
        "Issue the certificate anew, and check it against its authority before it is used.",
        (_CHAIN,),
    ),
    Refusal(
        "ClientCertPurposeInvalid",
        "the client's certificate was not issued for clients",
        "client",
        "Issue one whose extended key usage holds clientAuth.",
        (_SHOW,),
    ),
    Refusal(
        "ClientCertRejected",
        "the load balancer's own validation rejected the client's certificate",
        "client",
        "Compare the certificate with what the trust store and its revocation lists ask for.",
        (_CHAIN, "aws elbv2 describe-trust-store-revocations --trust-store-arn {trust_store_arn}"),
    ),
    Refusal(
        UNMAPPED,
        "the TLS handshake failed for a reason that the load balancer does not name: no TLS version or cipher in common, the "
        "client did not "
        "trust the load balancer's certificate and left, or it sent no certificate of its own",
        "client",
        "Compare what the client offers with the listener's security policy, and let the client trust the listener's certificate.",
        (
            "openssl s_client -connect {host}:{port} -servername {host} </dev/null",
            "aws elbv2 describe-ssl-policies --names {ssl_policy}",
        ),
    ),
)
_BY_REASON = {one.reason: one for one in REFUSALS}


def refusal_of(reason: str) -> Refusal:
    """The row of a reason as the log writes it; one that is not known says so by its own name."""
    known = _BY_REASON.get(reason)
    if known is not None:
        return known
    cause = f"the load balancer refused the client's certificate ({reason})"
    return Refusal(reason, cause, "client", "Look the reason up among the error codes of the connection log.", (_LISTENER, _SHOW))
