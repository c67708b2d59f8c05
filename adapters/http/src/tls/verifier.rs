//! Which servers are believed to be who they say.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use webpki::EndEntityCert;
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

/// Servers that an authority vouches for, and those whose certificate is itself trusted: what
/// `openssl req -x509` makes is an authority and a server's certificate in one.
#[derive(Debug)]
pub(super) struct Authorities {
    by_authority: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl Authorities {
    pub(super) fn new(
        trusted: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let roots = Arc::new(super::roots(&trusted));
        let by_authority = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        let by_authority =
            by_authority.map_err(|_| "no authority to trust: name some with --ca-cert".to_owned())?;
        Ok(Self { by_authority, trusted })
    }

    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.by_authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(error) if is_own_authority(&error) && self.trusted.contains(end_entity) => {
                Self::check_itself(end_entity, server_name, now)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    /// Checks a certificate that needs nobody to vouch for it: its name and its dates.
    fn check_itself(cert: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
        let invalid = |error| Error::InvalidCertificate(error);
        let leaf = EndEntityCert::try_from(cert).map_err(|_| invalid(CertificateError::BadEncoding))?;
        leaf.verify_is_valid_for_subject_name(name)
            .map_err(|_| invalid(CertificateError::NotValidForName))?;
        let (_, parsed) =
            X509Certificate::from_der(cert).map_err(|_| invalid(CertificateError::BadEncoding))?;
        let now = i64::try_from(now.as_secs()).ok().and_then(|now| ASN1Time::from_timestamp(now).ok());
        let now = now.ok_or_else(|| invalid(CertificateError::BadEncoding))?;
        let validity = parsed.validity();
        if now < validity.not_before {
            return Err(invalid(CertificateError::NotValidYet));
        }
        if now > validity.not_after {
            return Err(invalid(CertificateError::Expired));
        }
        Ok(())
    }
}

/// Whether the only fault is that an authority's certificate is used as a server's.
fn is_own_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(other))) = error else { return false };
    matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Believes servers that somebody trusted vouches for, or anybody who answers, if that is what the user asked for.
#[derive(Debug)]
pub(super) struct Verifier {
    authorities: Option<Authorities>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Checks that a message was signed by the key of a certificate.
type CheckSignature = fn(
    &[u8],
    &CertificateDer<'_>,
    &DigitallySignedStruct,
    &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error>;

impl Verifier {
    /// Without authorities it believes anybody.
    pub(super) fn new(authorities: Option<Authorities>, provider: &CryptoProvider) -> Self {
        Self { authorities, algorithms: provider.signature_verification_algorithms }
    }

    /// Who believes anybody takes certificates, too, that no key can be read from.
    fn check_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
        check: CheckSignature,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.authorities {
            Some(_) => check(message, cert, signature, &self.algorithms),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.authorities {
            Some(trusted) => trusted.check(end_entity, intermediates, server_name, ocsp_response, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss, verify_tls12_signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss, verify_tls13_signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
