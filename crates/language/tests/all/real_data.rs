//! Where public data sets lie, if they do.

use std::io::Read;
use std::path::{Path, PathBuf};

/// The text of a file below `SEPTET_DATA`, or else below `../shared/data` from the project's root; `None`, said
/// aloud, where it is not. A name that ends in `.gz` is unpacked.
pub fn read(name: &str) -> Option<String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("SEPTET_DATA").map_or(beside, PathBuf::from);
    let Ok(bytes) = std::fs::read(folder.join(name)) else {
        println!("skipped: real data not found");
        return None;
    };
    if !name.ends_with(".gz") {
        return Some(String::from_utf8(bytes).unwrap());
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    Some(text)
}
