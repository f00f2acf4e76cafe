//! Compresses the files of `web/` as far as each encoding goes: that takes too long to be done at the start of a server.

use std::{
    env, fs,
    io::{self, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};

/// Writes `web/<file>.br` and `web/<file>.gz` for each file into Cargo's folder for this build.
pub fn compress() -> io::Result<()> {
    println!("cargo::rerun-if-changed=web");
    let target = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join("web");
    fs::create_dir_all(&target)?;
    for file in fs::read_dir("web")? {
        let file = file?;
        let plain = fs::read(file.path())?;
        let name = file.file_name().into_string().map_err(|name| {
            io::Error::other(format!("web/{} has a name that is not UTF-8", name.display()))
        })?;
        fs::write(target.join(format!("{name}.br")), brotli(&plain)?)?;
        fs::write(target.join(format!("{name}.gz")), gzip(&plain)?)?;
    }
    Ok(())
}

fn brotli(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoded = Vec::new();
    // The defaults are the highest quality and the largest window.
    let parameters = brotli::enc::BrotliEncoderParams::default();
    brotli::BrotliCompress(&mut &*plain, &mut encoded, &parameters)?;
    Ok(encoded)
}

fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    encoder.finish()
}
