//! Chunks as artifacts of an OCI registry: one manifest for each chunk, tagged with its name, over one blob with its
//! stored bytes.
//!
//! Source: the OCI distribution and image specifications 1.1, and Go desync's use of them. Registries collect
//! blobs that nothing names by themselves.

mod auth;
mod credentials;
mod location;
mod manifest;
mod registry;
mod store;

pub use credentials::{Credentials, CredentialsError};
pub use location::{InvalidLocation, OciLocation};
pub use manifest::{InvalidManifest, Manifest};
pub use store::OciStore;
