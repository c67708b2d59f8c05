//! Which kernels scan and hash: the fastest that the processor has, or those of `DESYNC_KERNELS`.

use std::ffi::OsStr;

use desync_engine::Kernels;

use super::UsageError;

/// The environment variable that forces a level: `avx512`, `avx2` or `scalar`.
const VARIABLE: &str = "DESYNC_KERNELS";

/// The kernels of this run.
///
/// # Errors
/// If the variable names kernels that nobody knows or that this machine lacks: never others than asked for.
pub(crate) fn kernels() -> Result<Kernels, UsageError> {
    chosen(std::env::var_os(VARIABLE).as_deref())
}

/// What `--version` says of them.
pub(crate) fn in_words() -> String {
    match kernels() {
        Ok(Kernels { scan, hash }) => format!("kernels: scan {}, digests {}", scan.name(), hash.name()),
        Err(error) => error.to_string(),
    }
}

fn chosen(name: Option<&OsStr>) -> Result<Kernels, UsageError> {
    let kernels = match name.filter(|name| !name.is_empty()) {
        None => desync_kernels::Kernels::detect(),
        Some(name) => desync_kernels::Kernels::forced(&name.to_string_lossy())
            .map_err(|error| UsageError::new(format!("{VARIABLE}={}: {error}", name.display())))?,
    };
    Ok(Kernels { scan: kernels.scan, hash: kernels.hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forced_level_is_that_or_an_error() {
        let scalar = chosen(Some("scalar".as_ref())).unwrap();
        assert_eq!(scalar.scan.name(), Kernels::SCALAR.scan.name());
        assert_eq!(scalar.hash.name(), Kernels::SCALAR.hash.name());
        assert!(chosen(Some("sse9".as_ref())).unwrap_err().to_string().contains("DESYNC_KERNELS=sse9"));
        for (level, kernels) in desync_kernels::Kernels::available() {
            assert_eq!(chosen(Some(level.name().as_ref())).unwrap().scan.name(), kernels.scan.name());
        }
        let fastest = desync_kernels::Kernels::detect();
        assert_eq!(chosen(Some("".as_ref())).unwrap().hash.name(), fastest.hash.name());
    }
}
