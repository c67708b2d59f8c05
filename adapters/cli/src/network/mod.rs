//! Stores and indexes across a network, opened as the options of a location say: one file a family.

#[cfg(feature = "http")]
pub(crate) mod http;
#[cfg(feature = "object")]
pub(crate) mod object;
#[cfg(feature = "oci")]
pub(crate) mod oci;
#[cfg(feature = "ssh")]
pub(crate) mod ssh;
