//! libFuzzer with the target that `FUZZ_TARGET` names. Built and started by the driver.
#![no_main]

use std::sync::OnceLock;

use desync_fuzz::{Target, targets};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let target = CHOSEN.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").expect("the driver sets FUZZ_TARGET");
        targets::find(&name).expect("the driver names a target that exists")
    });
    (target.run)(bytes);
});
