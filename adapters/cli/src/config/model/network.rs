//! What a store's options say about how servers are reached.

use std::time::Duration;

use desync_store::Timeouts;

use super::StoreOptions;

impl StoreOptions {
    /// How long a request may take: the option is the whole of one attempt, negative for ever; zero, like
    /// nothing, is what suits chunks on slow links.
    pub(crate) fn timeouts(&self) -> Timeouts {
        match self.timeout.unwrap_or(0) {
            0 => Timeouts::default(),
            total => match u64::try_from(total).map(Duration::from_nanos) {
                Ok(total) => Timeouts { total: Some(total), ..Timeouts::default() },
                Err(_) => Timeouts::NONE,
            },
        }
    }

    /// Whom to trust, and who we are. Certificate and key count only together.
    #[cfg(all(feature = "http", feature = "tls"))]
    pub(crate) fn tls(&self) -> desync_http::TlsOptions {
        let given = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(Into::into);
        desync_http::TlsOptions {
            client: given(&self.client_cert).zip(given(&self.client_key)),
            ca_cert: given(&self.ca_cert),
            trust_insecure: self.trust_insecure.unwrap_or(false),
        }
    }

    /// The header `Authorization`, word for word.
    #[cfg(feature = "http")]
    pub(crate) fn http_auth(&self) -> Option<&str> {
        self.http_auth.as_deref()
    }

    /// The header `Cookie`, word for word.
    #[cfg(feature = "http")]
    pub(crate) fn http_cookie(&self) -> Option<&str> {
        self.http_cookie.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_the_whole_attempt_and_a_negative_one_none() {
        let timeouts = |timeout| StoreOptions { timeout, ..StoreOptions::default() }.timeouts();
        assert_eq!(timeouts(None), Timeouts::default());
        assert_eq!(timeouts(Some(0)), Timeouts::default());
        assert_eq!(timeouts(Some(2_000_000_000)).total, Some(Duration::from_secs(2)));
        assert_eq!(timeouts(Some(-1)), Timeouts::NONE);
    }
}
