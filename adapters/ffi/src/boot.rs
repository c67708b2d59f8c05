//! What a bootloader and a new image call. No heap: a bootloader needs no memory beside its stack.

use desync_core::update::{self, Phase, State, block_on, boot};

use crate::arguments;
use crate::flash::{Device, Flash};
use crate::settings::Layout;
use crate::status::Status;

/// What the journal says.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct BootState {
    /// The slot that boots when nothing is on trial: 0 or 1.
    pub active_slot: u32,
    /// Whether the image in the other slot is on trial: 0 or 1.
    pub on_trial: u32,
    /// How often an image on trial may still boot.
    pub boots_left: u32,
}

/// The flash, once the layout is known to fit it.
unsafe fn device<'a>(
    layout: *const Layout,
    flash: *const Flash,
) -> Result<(update::Layout, Device<'a>), Status> {
    // SAFETY: the callers' callers promise it for both pointers.
    let (layout, flash) = unsafe { (arguments::read(layout)?, arguments::read(flash)?) };
    flash.check()?;
    let layout = update::Layout::from(layout);
    layout.check(flash.geometry())?;
    // SAFETY: the callers' callers promise what the callbacks do.
    Ok((layout, unsafe { Device::new(*flash, None) }))
}

/// For a bootloader: reads the journal, decides, writes the decision down, and puts the slot to start, 0 or 1,
/// into `slot`. An image on trial starts no more often than it was given; then the old one starts again.
/// A bootloader that gets a failure had better start slot 0 than none.
///
/// # Safety
/// Pointers are null or point to what their types say; the callbacks do what `desync_flash` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_boot_start(
    layout: *const Layout,
    flash: *const Flash,
    slot: *mut u32,
) -> Status {
    answer(|| {
        // SAFETY: the caller's promise.
        let (slot, (layout, mut device)) = unsafe { (arguments::write(slot)?, device(layout, flash)?) };
        let chosen = block_on(boot::start(&mut device, &layout)).map_err(|_| Status::Flash)?;
        *slot = number(chosen);
        Ok(())
    })
}

/// For an image that works: from now on it is the one that boots. Puts 1 into `was_on_trial` if it was on
/// trial, else 0, when there is nothing to do. `was_on_trial` may be null.
///
/// # Safety
/// Pointers are null or point to what their types say; the callbacks do what `desync_flash` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_boot_confirm(
    layout: *const Layout,
    flash: *const Flash,
    was_on_trial: *mut u32,
) -> Status {
    answer(|| {
        // SAFETY: the caller's promise.
        let (layout, mut device) = unsafe { device(layout, flash)? };
        let confirmed = block_on(boot::confirm(&mut device, &layout)).map_err(|_| Status::Flash)?;
        if !was_on_trial.is_null() {
            // SAFETY: the caller's promise.
            unsafe { arguments::put(was_on_trial, confirmed.into())? };
        }
        Ok(())
    })
}

/// What the journal says. Changes nothing.
///
/// # Safety
/// Pointers are null or point to what their types say; the callbacks do what `desync_flash` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_boot_get_state(
    layout: *const Layout,
    flash: *const Flash,
    state: *mut BootState,
) -> Status {
    answer(|| {
        // SAFETY: the caller's promise.
        let (layout, mut device) = unsafe { device(layout, flash)? };
        let State { active, phase, .. } =
            block_on(boot::state(&mut device, &layout)).map_err(|_| Status::Flash)?;
        let boots_left = match phase {
            Phase::Trial { boots_left } => Some(boots_left),
            Phase::Idle | Phase::Staged => None,
        };
        let found = BootState {
            active_slot: number(active),
            on_trial: boots_left.is_some().into(),
            boots_left: boots_left.unwrap_or(0).into(),
        };
        // SAFETY: the caller's promise.
        unsafe { arguments::put(state, found) }
    })
}

const fn number(slot: update::Slot) -> u32 {
    slot.position() as u32
}

/// A result as a status.
pub(crate) fn answer(call: impl FnOnce() -> Result<(), Status>) -> Status {
    call().err().unwrap_or(Status::Ok)
}
