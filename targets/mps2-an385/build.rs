//! Tells the linker where the memory map of each program lies.

fn main() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/memory");
    for (program, map) in [("smoke", "bottom"), ("bootloader", "bottom"), ("app", "image")] {
        println!("cargo:rustc-link-arg-bin=mps2-an385-{program}=-L{folder}/{map}");
    }
    println!("cargo:rerun-if-changed=memory");
}
