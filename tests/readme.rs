//! What README.md shows is what there is.

use std::process::Command;

#[test]
fn the_table_of_losses_is_the_catalogue() {
    let output = Command::new(env!("CARGO_BIN_EXE_wgloss")).args(["list", "--markdown"]).output().unwrap();
    let catalogue = String::from_utf8(output.stdout).unwrap();
    let readme = include_str!("../README.md");
    let rest = readme.split_once("<!-- losses -->\n").expect("README.md has the marker <!-- losses -->").1;
    let table = rest.split_once("<!-- /losses -->").expect("README.md has the marker <!-- /losses -->").0;
    assert!(
        table == catalogue,
        "the table of losses in README.md is not what `wgloss list --markdown` prints: run `make readme`"
    );
}
