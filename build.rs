//! What the program holds beside Rust: the commit that it was built from, and the web client, compressed.

#[path = "build/version.rs"]
mod version;
#[path = "build/web.rs"]
mod web;

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    version::name();
    web::compress()
}
