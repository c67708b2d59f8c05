//! Finding candidates: every position at which the last 48 bytes may end a chunk.
//!
//! Candidates depend on bytes alone, not on cuts, so any part of the data can be scanned in any order (parts
//! overlap by 47 bytes) and [`super::CutChooser`] picks the cuts afterwards. What lives here is the seam:
//! a [`Kernel`] is a name and a function, handed around as a value. Faster kernels for one machine
//! come from outside and are made with [`Kernel::new`]; no caller changes.
//!
//! Invariant: all kernels report the same positions (tests: `kernels_agree_*`).

mod reference;
mod scalar;

use core::fmt;

use super::boundary::Discriminator;

/// Told of each candidate in ascending order. Answers which position is of interest next, a later one: candidates
/// before it are not reported, and need not be looked for. `usize::MAX` ends the scan.
pub type Found<'a> = dyn FnMut(usize) -> usize + 'a;

/// Reports each position `p` in `48..=bytes.len()` at which the window `bytes[p − 48..p]` is a boundary, in
/// ascending order and each once, but for those that [`Found`] passes over. Fewer than 48 bytes have no such position.
pub type ScanFn = fn(bytes: &[u8], discriminator: Discriminator, found: &mut Found<'_>);

/// One way to scan. Which one is taken changes the speed, never the result.
#[derive(Clone, Copy)]
pub struct Kernel {
    name: &'static str,
    scan: ScanFn,
}

impl Kernel {
    /// Good code for every machine, without wide registers.
    pub const SCALAR: Self = Self::new("scalar", scalar::scan);
    /// The short obvious loop that all others are compared with.
    pub const REFERENCE: Self = Self::new("reference", reference::scan);

    /// The kernels that run anywhere; a crate with faster ones lists its own before these.
    pub const PORTABLE: [Self; 2] = [Self::SCALAR, Self::REFERENCE];

    /// A kernel from elsewhere. `name` is what users force it by.
    #[must_use]
    pub const fn new(name: &'static str, scan: ScanFn) -> Self {
        Self { name, scan }
    }

    /// The name, for reports and for forcing one.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Reports all candidates; see [`ScanFn`] for which positions those are.
    pub fn candidates(&self, bytes: &[u8], discriminator: Discriminator, found: &mut impl FnMut(usize)) {
        self.candidates_apart(bytes, discriminator, 1, found);
    }

    /// Reports the first candidate, and each that is the first at least `distance` bytes, one or more, behind the last
    /// one reported: what lies between is hardly looked at. Those are the cuts, if the first is one and chunks cannot
    /// be shorter.
    pub fn candidates_apart(
        &self,
        bytes: &[u8],
        discriminator: Discriminator,
        distance: usize,
        found: &mut impl FnMut(usize),
    ) {
        self.scan(bytes, discriminator, &mut |position| {
            found(position);
            position.saturating_add(distance)
        });
    }

    /// The first candidate; nothing behind it is looked at for long.
    #[must_use]
    pub fn first_candidate(&self, bytes: &[u8], discriminator: Discriminator) -> Option<usize> {
        let mut first = None;
        self.scan(bytes, discriminator, &mut |position| {
            first = Some(position);
            usize::MAX
        });
        first
    }

    /// Reports candidates as [`ScanFn`] says.
    pub fn scan(&self, bytes: &[u8], discriminator: Discriminator, found: &mut Found<'_>) {
        (self.scan)(bytes, discriminator, found);
    }
}

impl Default for Kernel {
    fn default() -> Self {
        Self::SCALAR
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kernel({})", self.name)
    }
}

#[cfg(test)]
mod tests;
