//! The demo source of an input: simulated rows, made once and kept, for domains without data of their own.

use crate::registry::home::make_folder;
use crate::{Home, PlatformError, Progress};
use septet_demo::{Size, demo_source};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// The file with an input's simulated rows; made if it is not there yet.
pub fn demo_file(home: &Home, input: &str, small: bool, progress: &dyn Progress) -> Result<PathBuf, PlatformError> {
    let Some(source) = demo_source(input) else {
        let what = format!("there is no demo source for `{input}`");
        let hint = format!(
            "name one with --source FILE --layout NAME, or put rows into demo/{input}.csv of the domain's folder"
        );
        return Err(PlatformError::usage(what, hint));
    };
    let path = home.demo_file(&format!("{input}{}.csv", if small { ".small" } else { "" }));
    if path.is_file() {
        return Ok(path);
    }
    make_folder(path.parent().unwrap_or(home.root()))?;
    let partial = path.with_extension("partial");
    let size = if small { Size::Small } else { Size::Normal };
    progress.begin(&format!("simulate {input}"), None, "rows");
    let make = || -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create(&partial)?);
        (source.write)(&mut out, size, DEMO_SEED, &mut |done, _| progress.done(done))?;
        out.flush()?;
        out.get_ref().sync_all()?;
        std::fs::rename(&partial, &path)
    };
    make().map_err(|error| PlatformError::io(&path, error))?;
    progress.end();
    Ok(path)
}

/// The world that every demo shows.
const DEMO_SEED: u64 = 42;
