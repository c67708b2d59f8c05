//! Flash as the updater sees it: one async trait with a power-loss contract, and adapters for HAL drivers.
//!
//! # Power-loss contract
//! What the updater relies upon, and nothing else; the model in its tests does the worst that this allows.
//!
//! | cut during | what may be found afterwards |
//! |---|---|
//! | [`Flash::program`] | in the programmed range, any of the bits that were to be cleared are cleared; it reads the same ever after |
//! | [`Flash::erase`] | in the erased sectors, anything; it may read differently each time, and stays so until an erase completes |
//! | before [`Flash::sync`] returned | each operation since the last sync done, torn or not done, in any order |
//!
//! A unit that reads blank after a cut program may be programmed. A chip that keeps check bits beside its data,
//! and so knows better, must not read blank then: its driver returns anything else.
//!
//! Bytes outside the range of an operation keep their value. Programming clears bits only, and a unit of
//! [`Geometry::write_len`] bytes is programmed at most once between erases: the updater never asks for more.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash as nor;

/// Units of a flash device in bytes, as values: one firmware may have two devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Geometry {
    /// A sector: what one erase sets to `0xff`.
    pub erase_len: u32,
    /// A unit: programs start and end on a multiple of it.
    pub write_len: u32,
}

/// A flash device. Addresses and lengths are bytes; see the module for the power-loss contract.
#[allow(async_fn_in_trait, reason = "a device has one executor: whether futures are Send is not ours to say")]
pub trait Flash {
    /// What can go wrong on this device.
    type Error;

    /// Its units.
    fn geometry(&self) -> Geometry;

    /// What a cut program may spoil: every byte of the stretches of this length that it touches. No more than its
    /// own units on NOR flash; on a block device, whole blocks.
    fn torn_len(&self) -> u32 {
        self.geometry().write_len
    }

    /// Fills `into` from address `at` on; neither need be aligned.
    ///
    /// # Errors
    /// The device's own.
    async fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Self::Error>;

    /// Erases one sector.
    ///
    /// # Errors
    /// The device's own; the sector counts as half erased then.
    async fn erase(&mut self, sector: u64) -> Result<(), Self::Error>;

    /// Programs erased units; `at` and the length are multiples of [`Geometry::write_len`].
    ///
    /// # Errors
    /// The device's own; the range counts as torn then.
    async fn program(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Returns once everything done so far survives a power cut.
    ///
    /// # Errors
    /// The device's own.
    async fn sync(&mut self) -> Result<(), Self::Error>;
}

/// A driver of `embedded-storage-async` as [`Flash`]. Such drivers return when an operation is done, so there
/// is nothing to sync. Reads are aligned here to the driver's unit, of up to [`READ_UNIT_MAX`] bytes.
#[derive(Clone, Debug)]
pub struct Nor<D>(pub D);

/// Longest read unit of a driver that [`Nor`] takes, in bytes. A driver with a longer one does not compile.
pub const READ_UNIT_MAX: usize = 64;

/// A driver's error, or an address that its 32 bits cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NorError<E> {
    /// The driver failed.
    #[error("flash driver failed")]
    Driver(E),
    /// Address beyond 4 GiB.
    #[error("flash address {at:#x} is beyond 4 GiB")]
    Address {
        /// The address.
        at: u64,
    },
}

fn address<E>(at: u64) -> Result<u32, NorError<E>> {
    u32::try_from(at).map_err(|_| NorError::Address { at })
}

impl<D: nor::NorFlash> Flash for Nor<D> {
    type Error = NorError<D::Error>;

    fn geometry(&self) -> Geometry {
        Geometry { erase_len: D::ERASE_SIZE as u32, write_len: D::WRITE_SIZE as u32 }
    }

    async fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Self::Error> {
        const { assert!(D::READ_SIZE > 0 && READ_UNIT_MAX.is_multiple_of(D::READ_SIZE)) }
        let unit = D::READ_SIZE as u64;
        if at.is_multiple_of(unit) && into.len().is_multiple_of(D::READ_SIZE) {
            return self.0.read(address(at)?, into).await.map_err(NorError::Driver);
        }
        let mut piece = [0; READ_UNIT_MAX];
        let (mut at, mut left) = (at, into);
        while !left.is_empty() {
            let skipped = (at % unit) as usize; // below the unit
            let taken = left.len().min(READ_UNIT_MAX - skipped);
            let aligned = (skipped + taken).next_multiple_of(D::READ_SIZE);
            let aligned = piece.get_mut(..aligned).unwrap_or_default();
            self.0.read(address(at - skipped as u64)?, aligned).await.map_err(NorError::Driver)?;
            let (front, rest) = left.split_at_mut_checked(taken).unwrap_or_default();
            let found = aligned.get(skipped..).unwrap_or_default();
            front.iter_mut().zip(found).for_each(|(byte, &found)| *byte = found);
            (at, left) = (at + taken as u64, rest);
        }
        Ok(())
    }

    async fn erase(&mut self, sector: u64) -> Result<(), Self::Error> {
        let until = address(sector + u64::from(self.geometry().erase_len))?;
        self.0.erase(address(sector)?, until).await.map_err(NorError::Driver)
    }

    async fn program(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.write(address(at)?, bytes).await.map_err(NorError::Driver)
    }

    async fn sync(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// A blocking driver of `embedded-storage` as one of `embedded-storage-async`: its futures never wait. Used
/// as `Nor(Blocking(driver))`.
#[derive(Clone, Debug)]
pub struct Blocking<D>(pub D);

impl<D: blocking::ErrorType> nor::ErrorType for Blocking<D> {
    type Error = D::Error;
}

impl<D: blocking::ReadNorFlash> nor::ReadNorFlash for Blocking<D> {
    const READ_SIZE: usize = D::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<D: blocking::NorFlash> nor::NorFlash for Blocking<D> {
    const WRITE_SIZE: usize = D::WRITE_SIZE;
    const ERASE_SIZE: usize = D::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.0.erase(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.write(offset, bytes)
    }
}

/// The blocking driver of everything here: runs a future over drivers that do not wait.
///
/// Over drivers that do wait it spins, which is right but wastes power: give those to an executor.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        core::hint::spin_loop();
    }
}
