//! Chunks and indexes in object storage: S3 ([`s3`]) and Google Cloud Storage ([`gcs`]).
//!
//! What both have in common is [`ObjectStore`]: names of objects, what is listed, what is missing. A kind of
//! object storage is an [`Objects`].

mod escape;
pub mod gcs;
mod objects;
pub mod s3;
mod store;

pub use objects::{Found, Listing, LookUp, Object, Objects, Page};
pub use store::{ObjectIndexes, ObjectStore};
