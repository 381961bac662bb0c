//! The tables of losses as Markdown, for the README.

use wgloss::spec::{Family, LossSpec};

use crate::losses::{defaults, of_family};

/// A heading and a table for each family.
pub fn catalogue() -> String {
    Family::ALL.map(section).join("\n\n")
}

fn section(family: Family) -> String {
    let head =
        format!("### {}\n\n| Loss | Formula per item | Parameters | Source |\n|---|---|---|---|", family.title());
    of_family(family).map(row).fold(head, |section, row| section + "\n" + &row)
}

fn row(spec: &LossSpec) -> String {
    let params: Vec<String> = defaults(spec).map(|setting| code(&setting)).collect();
    format!("| {} | {} | {} | {} |", code(spec.name), code(spec.formula), params.join(", "), spec.source)
}

/// Verbatim text in a table, where a bar would start the next cell even in a code span.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', r"\|"))
}
