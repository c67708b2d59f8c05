//! The chunk source of a command that serves: opened from its flags, opened again when its store file changes.

use std::sync::Arc;

use desync_store::{ChunkStore, Swap};

use crate::output;
use crate::settings::{SourceLocations, SourceSetting};
use crate::stores::SharedStore;

/// How stores are opened: with the flags and the config of the whole run.
type Open<'a> = dyn Fn(&SourceLocations) -> anyhow::Result<SharedStore> + Send + Sync + 'a;

/// A chunk source that can be exchanged while it serves.
pub(crate) struct Source<'a> {
    setting: SourceSetting,
    open: Box<Open<'a>>,
    store: Arc<Swap>,
}

impl<'a> Source<'a> {
    /// Opens the stores. `open` decides what is made of the locations, and may refuse them.
    ///
    /// # Errors
    /// A store file that cannot be used, and those of `open`.
    pub(crate) fn open(
        setting: SourceSetting,
        open: impl Fn(&SourceLocations) -> anyhow::Result<SharedStore> + Send + Sync + 'a,
    ) -> anyhow::Result<Self> {
        let store = Arc::new(Swap::new(open(&setting.locations()?)?));
        Ok(Self { setting, open: Box::new(open), store })
    }

    /// Whether there is a store file, which may change.
    pub(crate) const fn can_change(&self) -> bool {
        matches!(self.setting, SourceSetting::File(_))
    }

    /// The store to serve from.
    pub(crate) const fn store(&self) -> &Arc<Swap> {
        &self.store
    }

    /// Reads the store file again and goes over to what it names now. If that cannot be opened in full, the
    /// user is told and nothing changes. Without a store file, nothing is done. Answers whether the stores are other
    /// ones now.
    pub(crate) fn reload(&self) -> bool {
        if !self.can_change() {
            return false;
        }
        match self.setting.locations().and_then(|locations| (self.open)(&locations)) {
            Ok(store) => {
                log::info!("reading chunks from {}", store.location());
                self.store.replace(store);
                true
            }
            Err(error) => {
                output::say(format_args!("failed to reload configuration: {error:#}"));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use desync_core::DigestKind;
    use desync_store::{Dedup, Router};

    use super::*;

    #[test]
    fn what_cannot_be_opened_changes_nothing() {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("stores.json");
        let write = |name: &str| std::fs::write(&file, format!("{{\"stores\": [\"{name}\"]}}")).unwrap();
        write("first");
        let opened = std::sync::Mutex::new(Vec::new());
        let source = Source::open(SourceSetting::File(file.clone()), |locations| {
            opened.lock().unwrap().push(locations.stores.clone());
            if locations.stores[0] == "bad" {
                bail!("bad is not there");
            }
            Ok(Arc::new(Dedup::new(Router::new(Vec::new()))))
        })
        .unwrap();
        for (name, opens) in [("second", true), ("bad", false)] {
            write(name);
            assert_eq!(source.reload(), opens);
        }
        std::fs::write(&file, "{").unwrap();
        assert!(!source.reload());
        let names: Vec<_> = opened.lock().unwrap().iter().map(|stores| stores[0].clone()).collect();
        assert_eq!(names, ["first", "second", "bad"]);
        assert!(!source.store().has(&DigestKind::Sha256.id_of(b"x")).unwrap());
    }
}
