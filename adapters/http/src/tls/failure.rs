//! What a failure of TLS means: a certificate that is no good stays so, bytes that were damaged on their way
//! do not.

use std::io;

use rustls::{AlertDescription, Error};

use crate::failure::Failure;

/// The failure that TLS reported through an error of I/O, if it was TLS's.
pub(crate) fn failure_of(error: &io::Error) -> Option<Failure> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(_)
        | Error::InvalidCertRevocationList(_)
        | Error::UnsupportedNameType
        | Error::NoCertificatesPresented
        | Error::PeerIncompatible(_)
        | Error::InconsistentKeys(_)
        | Error::General(_)
        | Error::Other(_) => Failure::permanent(format!("TLS: {error}")),
        Error::AlertReceived(alert) => received(*alert),
        // Damage: bytes that do not decrypt, messages that make no sense.
        _ => Failure::transient(format!("TLS: {error}")),
    })
}

/// What the server says is wrong.
fn received(alert: AlertDescription) -> Failure {
    match alert {
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRequired
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => {
            Failure::permanent(format!("TLS: the server refuses our certificate ({alert:?})"))
        }
        AlertDescription::HandshakeFailure
        | AlertDescription::ProtocolVersion
        | AlertDescription::InsufficientSecurity
        | AlertDescription::UnrecognisedName
        | AlertDescription::NoApplicationProtocol => {
            Failure::permanent(format!("TLS: the server refuses the connection ({alert:?})"))
        }
        _ => Failure::transient(format!("TLS: the server ended the connection ({alert:?})")),
    }
}
