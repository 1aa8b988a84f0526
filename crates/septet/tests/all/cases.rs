//! Small inputs of the kinds that people reported against other tools, each with its right result: see tests/cases.

use std::path::Path;
use std::process::Command;

#[test]
fn every_case_has_its_right_result() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/cases");
    let mut command = Command::new("python3");
    let output =
        command.arg(script).args(["--septet", env!("CARGO_BIN_EXE_septet")]).output().expect("Python 3 starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/cases says:\n{said}{complaint}");
}
