//! JSON as config files are read: keys match in any case, the last one counts, null is as good as nothing.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::secrets::hide_in_url;

/// Why a file is refused. Never a value, for it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is no JSON, or is nested too deep.
    #[error(transparent)]
    Syntax(#[from] serde_json::Error),
    /// A value is of the wrong kind: where in the file, and what was expected there.
    #[error("{place}: expected {expected}")]
    Value {
        /// The keys that lead there.
        place: String,
        /// A kind of value.
        expected: &'static str,
    },
}

/// The first JSON value of a file; whatever follows it is not looked at.
pub(crate) fn first_value(text: &[u8]) -> Result<Value, ConfigError> {
    Ok(Value::deserialize(&mut serde_json::Deserializer::from_slice(text))?)
}

/// One JSON object of a file, with its place for messages.
pub(crate) struct Section<'a> {
    place: String,
    object: Option<&'a Map<String, Value>>,
}

impl<'a> Section<'a> {
    pub(crate) const EMPTY: Self = Section { place: String::new(), object: None };

    /// The whole file.
    pub(crate) fn file(value: &'a Value) -> Result<Self, ConfigError> {
        Self::new(String::new(), value)
    }

    fn new(place: String, value: &'a Value) -> Result<Self, ConfigError> {
        match value {
            Value::Null => Ok(Self { place, object: None }),
            Value::Object(object) => Ok(Self { place, object: Some(object) }),
            _ => Err(ConfigError::Value { place: at_file(place), expected: "an object" }),
        }
    }

    /// What stands under `key`, converted; `None` if nothing or null.
    fn value<T>(
        &self,
        key: &str,
        expected: &'static str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let found = self.object.into_iter().flatten().rfind(|(name, _)| name.eq_ignore_ascii_case(key));
        match found {
            None | Some((_, Value::Null)) => Ok(None),
            Some((_, value)) => {
                let wrong = || ConfigError::Value { place: self.place_of(key), expected };
                convert(value).map(Some).ok_or_else(wrong)
            }
        }
    }

    fn place_of(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}: {key}", self.place) }
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        self.value(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
        let texts = |value: &Value| {
            let texts = value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect()
        };
        self.value(key, "an array of strings", texts)
    }

    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        self.value(key, "true or false", Value::as_bool)
    }

    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>, ConfigError> {
        self.value(key, "an integer", Value::as_i64)
    }

    /// The objects below `key`, by their names, which are locations.
    pub(crate) fn entries<T>(
        &self,
        key: &str,
        read: impl Fn(&Section<'_>) -> Result<T, ConfigError>,
    ) -> Result<Option<BTreeMap<String, T>>, ConfigError> {
        let Some(object) = self.value(key, "an object", Value::as_object)? else { return Ok(None) };
        let mut entries = BTreeMap::new();
        for (name, value) in object {
            let entry = Section::new(format!("{key} \"{}\"", hide_in_url(name)), value)?;
            entries.insert(name.clone(), read(&entry)?);
        }
        Ok(Some(entries))
    }
}

fn at_file(place: String) -> String {
    if place.is_empty() { "the file".into() } else { place }
}
