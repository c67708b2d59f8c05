//! Google Cloud Storage, by its JSON interface.
//!
//! Source: Google's reference of the JSON API and of application-default credentials.

mod bucket;
mod credentials;
mod location;

pub use bucket::{GcsBucket, GcsSettings};
pub use credentials::{CredentialsError, Identity};
pub use location::{GcsLocation, InvalidLocation};
