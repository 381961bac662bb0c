//! What the READMEs and the pages of the documentation show is what there is.

use std::{fs, path::Path, process::Command};

#[test]
fn the_table_of_losses_is_the_catalogue() {
    let output = Command::new(env!("CARGO_BIN_EXE_wgloss")).args(["list", "--markdown"]).output().unwrap();
    let catalogue = String::from_utf8(output.stdout).unwrap();
    let readme = include_str!("../../README.md");
    let rest = readme.split_once("<!-- losses -->\n").expect("README.md has the marker <!-- losses -->").1;
    let table = rest.split_once("<!-- /losses -->").expect("README.md has the marker <!-- /losses -->").0;
    assert!(
        table == catalogue,
        "the table of losses in README.md is not what `wgloss list --markdown` prints: run `make readme`"
    );
}

#[test]
fn the_page_that_tells_which_loss_is_the_table() {
    let output = Command::new(env!("CARGO_BIN_EXE_wgloss")).args(["choose", "--markdown"]).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(
        page == include_str!("../../docs/which_loss.md"),
        "docs/which_loss.md is not what `wgloss choose --markdown` prints: run `make readme`"
    );
}

#[test]
fn the_recipe_shows_the_code_that_there_is() {
    // Each block of the recipe stands below a paragraph that starts with the name of its file.
    let mut shown = 0;
    for (before, block) in code_blocks(include_str!("../../shaders/README.md")) {
        let Some(path) = before.strip_prefix("**`").and_then(|rest| rest.split('`').next()) else { continue };
        let file = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        assert!(file.contains(&block), "shaders/README.md shows code that is not in {path}:\n{block}");
        shown += 1;
    }
    assert!(shown > 0, "the recipe names no files");
}

/// The fenced blocks of a Markdown text, each with the paragraph before it.
fn code_blocks(text: &str) -> Vec<(&str, String)> {
    let parts: Vec<&str> = text.split("\n```").collect();
    // Text and blocks take turns.
    let blocks = parts.chunks_exact(2).map(|pair| {
        let before = pair[0].trim_end().rsplit("\n\n").next().unwrap_or_default();
        // Without the language that the opening fence names.
        let code = pair[1].split_once('\n').map_or("", |(_, code)| code);
        (before, format!("{code}\n"))
    });
    blocks.collect()
}
