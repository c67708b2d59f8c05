//! The seam between what stores need of object storage and how a kind of it is asked.

use std::time::SystemTime;

use desync_http::{Answer, Body};
use desync_store::{Operation, StoreError};

/// Object storage, below a bucket. Keys are whole; nothing is tried twice, but for what a redirect or a hint of
/// the server asks.
pub trait Objects: Send + Sync {
    /// The location, for messages.
    fn location(&self) -> &str;

    /// An object's bytes from `offset` on; `None` if it is not there. The answer's status tells whether it
    /// begins there (206) or at the beginning (200).
    /// Of the answer at most `body_max` bytes are read by [`Answer::bytes`].
    fn get(&self, key: &str, offset: u64, body_max: u64) -> Result<Option<Answer>, StoreError>;

    /// Looks an object up.
    fn look_up(&self, key: &str) -> Result<LookUp, StoreError>;

    /// Makes an object that was `found` as young as one that was just stored; its bytes stay. `false` if it is gone, or
    /// if its bytes did not survive that: then it has to be stored anew.
    fn renew(&self, key: &str, content_type: &'static str, found: &Found) -> Result<bool, StoreError>;

    /// Stores an object.
    fn put(&self, key: &str, content_type: &'static str, body: Body<'_>) -> Result<(), StoreError>;

    /// Removes objects, at most [`Objects::removes_at_once`]; those that are not there do not matter.
    fn remove(&self, keys: &[String]) -> Result<(), StoreError>;

    /// Removes an object if it is still the one that was `found`, as far as the storage can be bound to that. `false` if
    /// it was not.
    fn remove_found(&self, key: &str, _found: &Found) -> Result<bool, StoreError> {
        self.remove(&[key.to_owned()]).map(|()| true)
    }

    /// How many objects one request removes.
    fn removes_at_once(&self) -> usize;

    /// The objects whose keys begin with `prefix`, in the order of their keys, some at a time.
    fn list(&self, prefix: &str, page: Page<'_>) -> Result<Listing, StoreError>;

    /// An error of this storage.
    fn error(&self, kind: desync_store::ErrorKind, operation: Operation, cause: String) -> StoreError {
        StoreError::new(kind, operation, self.location(), cause)
    }
}

/// What is known of an object.
#[derive(Debug)]
pub enum LookUp {
    /// It is there.
    There(Found),
    /// It is not there.
    Missing,
    /// Who asks may not know: to S3, a denied look-up and one of what is not there are the same unless listing is
    /// permitted.
    Denied(StoreError),
}

impl LookUp {
    /// Whether the object is there and not empty.
    ///
    /// # Errors
    /// That it may not be known.
    pub fn is_there(self) -> Result<bool, StoreError> {
        match self {
            Self::There(found) => Ok(found.len > 0),
            Self::Missing => Ok(false),
            Self::Denied(error) => Err(error),
        }
    }
}

/// An object that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its bytes.
    pub len: u64,
    /// When it was stored or renewed, where the server tells.
    pub modified: Option<SystemTime>,
    /// Which one of all that had this key, where a removal can be bound to that (Google's `generation`).
    pub generation: Option<u64>,
}

/// Which objects of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page<'p> {
    /// The first.
    First,
    /// Those that follow others: [`Listing::next`].
    Next(&'p str),
    /// Those whose keys come after this one. A server may begin before.
    After(&'p str),
}

/// Some of the objects of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects.
    pub objects: Vec<Object>,
    /// What to ask for those that follow, if there are any.
    pub next: Option<String>,
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its whole key.
    pub key: String,
    /// Its bytes.
    pub len: u64,
    /// When it was stored or renewed.
    pub modified: Option<SystemTime>,
}
