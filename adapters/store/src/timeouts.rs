//! How long a store across a network is waited for.

use std::time::Duration;

/// How long one attempt may take. `None` is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Looking the host up, connecting, TLS.
    pub connect: Option<Duration>,
    /// Nothing comes, or nothing can be sent.
    pub silence: Option<Duration>,
    /// The whole attempt with its body.
    pub total: Option<Duration>,
}

impl Timeouts {
    /// For ever.
    pub const NONE: Self = Self { connect: None, silence: None, total: None };
}

impl Default for Timeouts {
    /// Generous to slow links, not to dead ones.
    fn default() -> Self {
        Self {
            connect: Some(Duration::from_secs(30)),
            silence: Some(Duration::from_secs(60)),
            total: Some(Duration::from_secs(600)),
        }
    }
}
