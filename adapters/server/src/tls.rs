//! TLS: the server's certificate, and which clients it takes.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::client_certificates::ClientVerifier;

/// Where the certificates are, all as PEM. They are read at the start and when asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whose clients are let in; everybody's, if not given.
    pub client_ca: Option<PathBuf>,
}

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or is not PEM.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Clients are to be checked, and nothing is there to check them by.
    #[error("no client CA certificates found in client-ca file")]
    NoClientCa,
    /// The library refuses them.
    #[error("certificates cannot be used: {0}")]
    Unusable(String),
}

impl TlsFiles {
    /// Reads them.
    pub(crate) fn load(&self) -> Result<ServerConfig, TlsError> {
        let unusable = |error: rustls::Error| TlsError::Unusable(error.to_string());
        let provider = Arc::new(ring::default_provider());
        let file = |path: &PathBuf| {
            let path = path.clone();
            move |error: rustls_pki_types::pem::Error| TlsError::File { path, cause: error.to_string() }
        };
        let chain = certificates(&self.certificate)?;
        if chain.is_empty() {
            return Err(file(&self.certificate)(rustls_pki_types::pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(file(&self.key))?;
        let key = provider.key_provider.load_private_key(key).map_err(unusable)?;
        let certified = CertifiedKey::new(chain, key);
        // A certificate that the library cannot read (X.509 v1) is the client's matter; a wrong key is not.
        if let Err(error @ rustls::Error::InconsistentKeys(_)) = certified.keys_match() {
            return Err(unusable(error));
        }
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(verifier(path)?),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed =
        |error: rustls_pki_types::pem::Error| TlsError::File { path: path.clone(), cause: error.to_string() };
    CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
}

fn verifier(path: &PathBuf) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let authorities = certificates(path)?;
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(authorities.iter().cloned()).0 == 0 {
        return Err(TlsError::NoClientCa);
    }
    let verifier =
        ClientVerifier::new(roots, authorities).map_err(|error| TlsError::Unusable(error.to_string()))?;
    Ok(Arc::new(verifier))
}
