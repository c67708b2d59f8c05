//! S3: Amazon's, and what speaks its language.
//!
//! Requests are signed by `rusty-s3`, in the query (signature version 4); what they mean, which region they are
//! for and what errors say is here.

mod bucket;
mod credentials;
mod error;
mod location;

pub use bucket::{S3Bucket, S3Settings};
pub use credentials::{Configured, CredentialsError, Source};
pub use location::{InvalidLocation, S3Location};
