//! The CPU reference and the kernels against what the tests of other libraries state.

use std::collections::BTreeSet;

use wgloss::{Loss, reference};

use crate::common::{
    adapters,
    agreement::assert_agree,
    effort,
    tables::{Row, Stated, rows},
};

/// Where a loss is not what the row states.
fn differences(row: &Row, found: &[f64], whose: &str) -> Vec<String> {
    assert_eq!(found.len(), row.expected.len(), "{}: how many losses", row.name);
    let pairs = found.iter().map(|found| found / row.per).zip(&row.expected);
    pairs
        .enumerate()
        .filter(|(_, (found, stated))| !stated.is(*found))
        .map(|(item, (found, stated))| format!("{}: {whose} gives {found} as item {item}, not {stated:?}", row.name))
        .collect()
}

#[test]
fn the_reference_gives_what_others_state() {
    let rows = rows();
    let differences: Vec<_> = rows
        .iter()
        .flat_map(|row| {
            let result = reference::evaluate(&row.loss, &row.inputs, &row.reduction.into());
            let result = result.unwrap_or_else(|error| panic!("{}: {error}", row.name));
            differences(row, &result.loss, "the reference")
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn kernels_give_what_others_state() {
    let mut all = Vec::new();
    for row in effort::some(rows().into_iter(), 1) {
        let expected = reference::evaluate(&row.loss, &row.inputs, &row.reduction.into()).unwrap();
        for gpu in adapters::all() {
            let whose = gpu.adapter_id().to_string();
            let found = row.loss.eval_with(gpu, &row.inputs, row.reduction);
            let found = found.unwrap_or_else(|error| panic!("{}: {whose}: {error}", row.name));
            assert_agree(&expected, &found, &format!("{} on {whose}", row.name));
            all.extend(differences(&row, &found.loss.to_f64(), &whose));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn rows_have_names_of_their_own_and_cover_many_losses() {
    let rows = rows();
    let names: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
    assert_eq!(names.len(), rows.len());
    let losses: BTreeSet<_> = rows.iter().map(|row| row.loss.spec().name).collect();
    assert!(rows.len() >= 60 && losses.len() >= 12, "{} rows of {} losses", rows.len(), losses.len());
}

#[test]
fn stated_numbers_are_as_exact_as_their_digits() {
    assert_eq!(Stated::from("0.3239"), Stated { value: 0.3239, tolerance: 1e-4 });
    assert_eq!(Stated::from("1.5e-09"), Stated { value: 1.5e-9, tolerance: 1e-10 });
    // Eight digits are more than f32 has.
    assert_eq!(Stated::from("0.75000000").tolerance, 3.0 * f64::from(f32::EPSILON));
}
