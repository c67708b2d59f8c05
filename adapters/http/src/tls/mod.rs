//! TLS: which implementation, whom to trust, who we are.
//!
//! As tolerant as Go's stack where people rely on it: certificates of version 1 for clients, and a
//! self-signed certificate that is its own authority.

mod connector;
mod failure;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore, SignatureScheme};

pub(crate) use connector::TlsConnector;
pub(crate) use failure::failure_of;
use verifier::{Authorities, Verifier};

/// Certificates of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Our certificate and its key, PEM files.
    pub client: Option<(PathBuf, PathBuf)>,
    /// A PEM file with the authorities to trust instead of the system's.
    pub ca_cert: Option<PathBuf>,
    /// Trust anybody.
    pub trust_insecure: bool,
}

/// The implementation of cryptography. The only place that names one.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What connections to one store use.
pub(crate) fn client_config(options: &TlsOptions) -> Result<ClientConfig, String> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous();
    let authorities = if options.trust_insecure {
        None
    } else {
        Some(Authorities::new(trusted(options.ca_cert.as_deref())?, Arc::clone(&provider))?)
    };
    let builder = builder.with_custom_certificate_verifier(Arc::new(Verifier::new(authorities, &provider)));
    Ok(match &options.client {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => builder.with_client_cert_resolver(identity(cert, key, &provider)?),
    })
}

/// Signs a message with an RSA key, a PEM text: PKCS #1 version 1.5 over SHA-256.
///
/// # Errors
/// A key that is none, or of another kind.
pub fn sign_rs256(key: &[u8], message: &[u8]) -> Result<Vec<u8>, String> {
    let der = PrivateKeyDer::from_pem_slice(key).map_err(|error| error.to_string())?;
    let key = provider().key_provider.load_private_key(der).map_err(|error| error.to_string())?;
    let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).ok_or("not an RSA key")?;
    signer.sign(message).map_err(|error| error.to_string())
}

/// Who is trusted: the certificates in a file, or those of the system.
fn trusted(ca_cert: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let Some(path) = ca_cert else {
        let found = rustls_native_certs::load_native_certs();
        found.errors.iter().for_each(|error| log::debug!("trust store: {error}"));
        return Ok(found.certs);
    };
    let certs = certificates(path)?;
    if certs.is_empty() {
        return Err(format!("no CA certificates found in ca-cert file {}", path.display()));
    }
    Ok(certs)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let certs = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    certs.map_err(|error| format!("{}: {error}", path.display()))
}

/// Certificates as roots of trust. Those that cannot be used are passed over: a system's store has some.
fn roots(trusted: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (_, ignored) = roots.add_parsable_certificates(trusted.iter().cloned());
    log::debug!("trusting {} authorities, {ignored} passed over", roots.len());
    roots
}

/// Our certificate and key. The certificate is not looked into: whether it will do, the server decides.
fn identity(
    cert: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<dyn ResolvesClientCert>, String> {
    let chain = certificates(cert)?;
    if chain.is_empty() {
        return Err(format!("no certificate in {}", cert.display()));
    }
    let of_key = |error: &dyn std::fmt::Display| format!("{}: {error}", key.display());
    let pem = std::fs::read(key).map_err(|error| of_key(&error))?;
    let der = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| of_key(&error))?;
    let signer = provider.key_provider.load_private_key(der).map_err(|error| of_key(&error))?;
    let certified = CertifiedKey::new(chain, signer);
    if matches!(certified.keys_match(), Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch))) {
        return Err(format!("{} is not the key of {}", key.display(), cert.display()));
    }
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}
