//! The desync binary.
fn main() {}
