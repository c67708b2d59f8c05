//! Pointers that come from C, checked before they are used.

use core::mem;
use core::slice;

use crate::status::Status;

/// What memory handed in must be aligned to, in bytes.
pub(crate) const ALIGNMENT: usize = 8;

fn check<T>(pointer: *const T) -> Result<(), Status> {
    if pointer.is_null() {
        return Err(Status::NullPointer);
    }
    if !pointer.addr().is_multiple_of(mem::align_of::<T>()) {
        return Err(Status::Misaligned);
    }
    Ok(())
}

/// What a pointer points to.
///
/// # Safety
/// If it is neither null nor misaligned, it points to a `T` that nobody changes for as long as `'a`.
pub(crate) unsafe fn read<'a, T>(pointer: *const T) -> Result<&'a T, Status> {
    check(pointer)?;
    // SAFETY: neither null nor misaligned, and the caller promises the rest.
    Ok(unsafe { &*pointer })
}

/// What a pointer points to, to be changed.
///
/// # Safety
/// If it is neither null nor misaligned, it points to a `T` that nobody else uses for as long as `'a`.
pub(crate) unsafe fn write<'a, T>(pointer: *mut T) -> Result<&'a mut T, Status> {
    check(pointer)?;
    // SAFETY: neither null nor misaligned, and the caller promises the rest.
    Ok(unsafe { &mut *pointer })
}

/// Puts a value where a pointer points to, whatever lay there.
///
/// # Safety
/// If it is neither null nor misaligned, it points to writable memory for a `T`.
pub(crate) unsafe fn put<T>(pointer: *mut T, value: T) -> Result<(), Status> {
    check(pointer)?;
    // SAFETY: neither null nor misaligned, and the caller promises the rest.
    unsafe { pointer.write(value) };
    Ok(())
}

/// Memory that is handed over: not null, aligned to [`ALIGNMENT`], at least `needed` bytes.
pub(crate) fn memory(memory: *mut u8, len: usize, needed: usize) -> Result<(), Status> {
    if memory.is_null() {
        return Err(Status::NullPointer);
    }
    if !memory.addr().is_multiple_of(ALIGNMENT) {
        return Err(Status::Misaligned);
    }
    if len < needed || len > isize::MAX as usize {
        return Err(Status::MemoryTooShort);
    }
    Ok(())
}

/// Memory given back by arithmetic on a checked block: `len` elements from `pointer` on.
///
/// # Safety
/// `pointer` is aligned for `T`, the range lies in one block that nobody else uses for as long as `'a`, and its
/// bytes are initialised as `T`.
pub(crate) unsafe fn elements<'a, T>(pointer: *mut u8, len: usize) -> &'a mut [T] {
    // SAFETY: promised by the caller.
    unsafe { slice::from_raw_parts_mut(pointer.cast(), len) }
}
