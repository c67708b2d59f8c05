//! Which client certificates are taken: those that the TLS library takes, and X.509 v1 certificates issued
//! directly by a trusted authority. `openssl x509 -req` makes such, so they are common, and other stacks take
//! them.
//!
//! A trusted certificate that a client shows as its own is taken, too.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate, X509Version};

/// Checks client certificates.
#[derive(Debug)]
pub(crate) struct ClientVerifier {
    strict: Arc<dyn ClientCertVerifier>,
    authorities: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    /// Trusts these authorities: `roots` and `authorities` are the same ones.
    pub(crate) fn new(
        roots: RootCertStore,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Self, VerifierBuilderError> {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let strict = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { strict, authorities, algorithms })
    }

    /// Accepts what the library refuses only for its version or place.
    fn verify_directly_issued(
        &self,
        leaf: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let leaf_parsed = parse(leaf)?;
        let now = i64::try_from(now.as_secs()).ok().and_then(|now| ASN1Time::from_timestamp(now).ok());
        let now = now.ok_or(CertificateError::BadEncoding)?;
        if now < leaf_parsed.validity().not_before {
            return Err(CertificateError::NotValidYet);
        }
        if now > leaf_parsed.validity().not_after {
            return Err(CertificateError::Expired);
        }
        if self.authorities.iter().any(|authority| authority == leaf) {
            return Ok(());
        }
        if leaf_parsed.version() != X509Version::V1 {
            return Err(CertificateError::UnknownIssuer);
        }
        let issued = |authority: &CertificateDer<'_>| {
            parse(authority).is_ok_and(|authority| {
                authority.subject() == leaf_parsed.issuer()
                    && may_issue(&authority)
                    && authority.validity().is_valid_at(now)
                    && leaf_parsed.verify_signature(Some(authority.public_key())).is_ok()
            })
        };
        if self.authorities.iter().any(issued) { Ok(()) } else { Err(CertificateError::UnknownIssuer) }
    }
}

/// Whether a certificate is an authority's. Before version 3 none could say.
fn may_issue(authority: &X509Certificate<'_>) -> bool {
    authority.version() == X509Version::V1 || authority.is_ca()
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, CertificateError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(CertificateError::BadEncoding),
    }
}

/// The public key of a version 1 certificate; `None` if it is of another version.
fn v1_key(der: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let certificate = parse(der).ok().filter(|certificate| certificate.version() == X509Version::V1)?;
    Some(SubjectPublicKeyInfoDer::from(certificate.public_key().raw.to_vec()))
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.strict.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let refusal = match self.strict.verify_client_cert(leaf, intermediates, now) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        match self.verify_directly_issued(leaf, now) {
            Ok(()) => Ok(ClientCertVerified::assertion()),
            Err(error) if v1_key(leaf).is_some() => Err(error.into()),
            Err(_) => Err(refusal),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(key) = v1_key(leaf) else {
            return verify_tls12_signature(message, leaf, signed, &self.algorithms);
        };
        let bad = || Error::from(CertificateError::BadSignature);
        let entity = webpki::RawPublicKeyEntity::try_from(&key).map_err(|_| bad())?;
        let mapped = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let mut algorithms = mapped.into_iter().flat_map(|(_, algorithms)| algorithms.iter());
        if algorithms
            .any(|algorithm| entity.verify_signature(*algorithm, message, signed.signature()).is_ok())
        {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(bad())
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match v1_key(leaf) {
            None => verify_tls13_signature(message, leaf, signed, &self.algorithms),
            Some(key) => verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
