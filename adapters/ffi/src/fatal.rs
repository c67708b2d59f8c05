//! What happens when the library finds itself broken: a hook of the caller's, then nothing more.

use core::ffi::c_char;
use core::hint;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// What is called: a file of the library, not ended by a zero byte, and a line in it.
type Hook = unsafe extern "C" fn(file: *const c_char, file_len: usize, line: u32);

/// The hook as a pointer, null for none.
static HOOK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Names what is called if this library finds itself broken: the place in its source. It should log and reset the device, for nothing is returned to the caller: the journal
/// is such that a reset loses nothing. If it returns, or there is none, the library waits forever, so that a
/// watchdog resets the device. Null takes it back.
///
/// # Safety
/// The hook can be called at any time from then on, from within any other function here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn desync_set_fatal(
    hook: Option<unsafe extern "C" fn(file: *const c_char, file_len: usize, line: u32)>,
) {
    let hook = hook.map_or(ptr::null_mut(), |hook: Hook| hook as *mut ());
    HOOK.store(hook, Ordering::Release);
}

/// Calls the hook, then waits forever. For the panic handler of a finished library.
pub fn fatal(file: &str, line: u32) -> ! {
    let hook = HOOK.load(Ordering::Acquire);
    if !hook.is_null() {
        // SAFETY: only `desync_set_fatal` stores here, and what it stores is a hook.
        let hook: Hook = unsafe { core::mem::transmute::<*mut (), Hook>(hook) };
        // SAFETY: whoever named the hook promised that it can be called; the text outlives the call.
        unsafe { hook(file.as_ptr().cast(), file.len(), line) }
    }
    loop {
        hint::spin_loop();
    }
}
