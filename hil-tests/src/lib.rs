//! Firmware run on (emulated) hardware.
