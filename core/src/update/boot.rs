//! What a bootloader needs: which slot to start, and what to write down before it does.
//!
//! | phase | boots left | starts | written down first |
//! |---|---|---|---|
//! | idle, staged | | the active slot | nothing |
//! | trial | 1 or more | the other slot | one boot less |
//! | trial | 0 | the active slot | idle: the new image has failed |
//!
//! Invariant: an image on trial never starts more often than it has boots, since each is written down,
//! durably, before it happens (test: `power_cut_in_the_bootloader`).

use super::flash::Flash;
use super::journal::{Journal, JournalWrite};
use super::layout::{Layout, Slot};
use super::record::{NO_TAG, Phase, RECORD_LEN, State};

/// Which slot to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Choice {
    /// The slot.
    pub slot: Slot,
    /// What must be durable before it starts; `None` if the state stays.
    pub next: Option<State>,
}

/// The decision by itself, without a device.
#[must_use]
pub fn choose(state: &State) -> Choice {
    match state.phase {
        Phase::Idle | Phase::Staged => Choice { slot: state.active, next: None },
        Phase::Trial { boots_left } => match boots_left.checked_sub(1) {
            Some(boots_left) => Choice {
                slot: state.active.other(),
                next: Some(State { phase: Phase::Trial { boots_left }, ..*state }),
            },
            None => {
                Choice { slot: state.active, next: Some(State { phase: Phase::Idle, tag: NO_TAG, ..*state }) }
            }
        },
    }
}

/// Reads the journal, decides, writes the decision down: the slot to start.
///
/// # Errors
/// The device's own. A bootloader that cannot read its journal had better start slot A than none.
pub async fn start<F: Flash>(flash: &mut F, layout: &Layout) -> Result<Slot, F::Error> {
    let mut journal = mount(flash, layout).await?;
    let choice = choose(&journal.state);
    if let Some(next) = choice.next {
        append(flash, &mut journal, next).await?;
    }
    Ok(choice.slot)
}

/// Called by an image that works: from now on it is the one that boots.
///
/// Whether an image was on trial. Does nothing if none is.
///
/// # Errors
/// The device's own; call again.
pub async fn confirm<F: Flash>(flash: &mut F, layout: &Layout) -> Result<bool, F::Error> {
    let mut journal = mount(flash, layout).await?;
    let state = journal.state;
    let on_trial = matches!(state.phase, Phase::Trial { .. });
    if on_trial {
        let confirmed = State { active: state.active.other(), phase: Phase::Idle, ..state };
        append(flash, &mut journal, confirmed).await?;
    }
    Ok(on_trial)
}

/// What the journal says.
///
/// # Errors
/// The device's own.
pub async fn state<F: Flash>(flash: &mut F, layout: &Layout) -> Result<State, F::Error> {
    Ok(mount(flash, layout).await?.state)
}

async fn mount<F: Flash>(flash: &mut F, layout: &Layout) -> Result<Journal, F::Error> {
    let mut journal = Journal::new(layout.journal, flash.geometry().erase_len, flash.torn_len());
    let mut record = [0; RECORD_LEN];
    while let Some(at) = journal.unread() {
        flash.read(at, &mut record).await?;
        journal.absorb(&record);
    }
    Ok(journal)
}

/// Makes a state durable.
async fn append<F: Flash>(flash: &mut F, journal: &mut Journal, state: State) -> Result<(), F::Error> {
    journal.append(state);
    while let Some(write) = journal.next_write() {
        match write {
            JournalWrite::Erase { sector } => flash.erase(sector).await?,
            JournalWrite::Program { at } => flash.program(at, journal.record()).await?,
            JournalWrite::Sync => flash.sync().await?,
        }
    }
    Ok(())
}
