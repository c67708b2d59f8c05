//! Tells the linker where this board's memory map lies.

fn main() {
    println!("cargo:rustc-link-search={}/memory", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rerun-if-changed=memory");
}
